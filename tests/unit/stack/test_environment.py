"""Secrets are made once, kept apart from everything, and reach every process."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

import pytest
from pydantic import SecretStr

from neonblue.settings import ENVIRONMENT_FILE, Role, Settings
from neonblue.stack import catalogue, env_file
from neonblue.stack.errors import StackError
from neonblue.stack.services import environment, secret_use
from neonblue.stack.services.api import Api
from neonblue.stack.services.clickhouse import ClickHouse
from neonblue.stack.services.connect import Connect, database_variables
from neonblue.stack.services.kafka import Kafka
from neonblue.stack.services.valkey import Valkey
from neonblue.stack.supervisor.nodes import Node, Service


def load(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name in list(os.environ):
        if name.startswith(environment.PREFIX):
            monkeypatch.delenv(name)
    return Settings.load(folder)


def test_what_is_written_is_what_settings_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = env_file.with_secrets(load(tmp_path, monkeypatch).model_copy(update={"data_dir": tmp_path}))
    settings = settings.model_copy(
        update={"kafka": settings.kafka.model_copy(update={"controller_port": 4711})}
    )

    env_file.write(settings)

    loaded = Settings.load(tmp_path)
    assert loaded.postgres.password.get_secret_value() == settings.postgres.password.get_secret_value() != ""
    assert loaded.kafka.controller_port == 4711
    assert environment.variables(loaded) == environment.variables(settings)


@pytest.mark.parametrize("urls", [(), ("json://127.0.0.1:9/x", "slack://a/b/c")])
def test_a_process_has_the_settings_that_it_is_given(
    urls: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load(tmp_path, monkeypatch)
    alert = settings.alert.model_copy(update={"urls": tuple(SecretStr(url) for url in urls)})
    settings = env_file.with_secrets(settings.model_copy(update={"alert": alert}))

    for name, value in environment.variables(settings).items():
        monkeypatch.setenv(name, value)

    assert Settings() == settings


def test_a_later_command_reaches_an_external_kafka_as_the_stack_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(tmp_path, monkeypatch)
    kafka = {
        "bootstrap_servers": "kafka:9093",
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "PLAIN",
        "user": "team",
        "password": "given",
        "ssl_ca_location": "/etc/kafka.pem",
    }
    settings = env_file.with_secrets(Settings(kafka=kafka, data_dir=tmp_path))
    env_file.write(settings)

    assert Settings.load(tmp_path).kafka.client("dagster") == settings.kafka.client("dagster")


def test_only_its_owner_can_read_the_file(tmp_path: Path) -> None:
    path = env_file.write(env_file.with_secrets(Settings.load(tmp_path)))

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_external_server_has_no_role_that_is_made_up() -> None:
    made = env_file.with_secrets(Settings(postgres={"url": "postgresql://team:own@db/x"}))

    assert made.postgres.api_password.get_secret_value() == ""
    assert made.postgres.acting(Role.CDC).dsn() == "postgresql://team:own@db/x"


def test_debezium_reaches_an_external_server_as_its_own_address_says() -> None:
    given = {
        "url": "postgresql://team:own@db/x",
        "cdc_url": "postgresql://stream:secret@db:5433/x?sslmode=require",
    }

    assert database_variables(Settings(postgres=given)) == {
        "NEONBLUE_CDC_HOST": "db",
        "NEONBLUE_CDC_PORT": "5433",
        "NEONBLUE_CDC_USER": "stream",
        "NEONBLUE_CDC_PASSWORD": "secret",
        "NEONBLUE_CDC_DATABASE": "x",
        "NEONBLUE_CDC_SSLMODE": "require",
    }


def test_a_secret_that_is_set_stays(tmp_path: Path) -> None:
    given = Settings(postgres={"password": "chosen"})

    made = env_file.with_secrets(given)

    assert made.postgres.password.get_secret_value() == "chosen"
    assert len(made.api.token.get_secret_value()) >= 32
    assert made.clickhouse.password != made.clickhouse.readonly_password


def test_settings_added_to_the_file_are_kept(tmp_path: Path) -> None:
    (tmp_path / ENVIRONMENT_FILE).write_text("NEONBLUE_KAFKA_PARTITIONS=9\nOTHER='a \"quoted\" one'\n")

    env_file.write(env_file.with_secrets(Settings.load(tmp_path)))

    kept = env_file.dotenv_values(tmp_path / ENVIRONMENT_FILE)
    assert (kept["NEONBLUE_KAFKA_PARTITIONS"], kept["OTHER"]) == ("9", 'a "quoted" one')


def test_a_password_of_any_characters_survives_the_file(tmp_path: Path) -> None:
    password = r"""a'b"c\d $e #f \n"""
    env_file.write(env_file.with_secrets(Settings(data_dir=tmp_path, postgres={"password": password})))

    assert Settings.load(tmp_path).postgres.password.get_secret_value() == password


def test_a_password_that_the_file_can_not_hold_is_refused(tmp_path: Path) -> None:
    settings = env_file.with_secrets(Settings(data_dir=tmp_path, postgres={"password": "a${b}"}))

    with pytest.raises(StackError, match="NEONBLUE_POSTGRES_PASSWORD"):
        env_file.write(settings)


def test_a_process_gets_these_settings_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEONBLUE_POSTGRES_PORT", "1")
    monkeypatch.setenv("NEONBLUE_POSTGRES_URL", "postgresql://elsewhere/x")
    settings = Settings().model_copy(update={"postgres": type(Settings().postgres)(port=2)})

    made = environment.process_environment(settings, Api)

    assert made["NEONBLUE_POSTGRES_PORT"] == "2"
    assert "NEONBLUE_POSTGRES_URL" not in made
    assert made["PATH"] == os.environ["PATH"]


PROCESSES = tuple(node for node in catalogue.NODES if node.secrets_used or issubclass(node, Service))


def full(*, external: bool) -> Settings:
    """Every setting that may hold a secret has one of its own: its name in capitals."""
    values: dict[str, dict[str, object]] = {}
    for name in secret_use.secrets_of(Settings):
        component, _, field = name.partition("_")
        scheme = {"postgres": "postgresql", "valkey": "redis"}.get(component, "http")
        address = f"{scheme}://u:{name.upper()}@h/d"
        given: object = address if field == "url" or field.endswith("_url") else name.upper()
        if external or given != address or component != "postgres":
            values.setdefault(component, {})[field] = [given] if field == "urls" else given
    return Settings(**values)


@pytest.mark.parametrize("external", [False, True])
@pytest.mark.parametrize("node", PROCESSES, ids=lambda node: node.name)
def test_a_process_gets_the_secrets_that_it_uses_and_no_other(node: type[Node], external: bool) -> None:
    made = "\n".join(environment.process_environment(full(external=external), node).values())

    found = {name for name in secret_use.secrets_of(Settings) if re.search(rf"\b{name.upper()}\b", made)}
    role = node.postgres_role
    expected = {name for name in node.secrets_used if not name.startswith("postgres_")}
    if role is not None:
        expected.add(OF_ROLE[role, external])
    assert found == expected


OF_ROLE = {
    (Role.API, False): "postgres_api_password",
    (Role.API, True): "postgres_url",
    (Role.ORCHESTRATION, False): "postgres_orchestration_password",
    (Role.ORCHESTRATION, True): "postgres_orchestration_url",
    (Role.MONITORING, False): "postgres_monitoring_password",
    (Role.MONITORING, True): "postgres_url",
}
"""What a process of the role connects with, in the stack's own server and in an external one."""


def test_every_secret_that_is_used_is_a_setting() -> None:
    used = frozenset[str]().union(*(node.secrets_used for node in catalogue.NODES))

    assert "clickhouse_password" in used
    assert used <= secret_use.secrets_of(Settings)


@pytest.mark.parametrize("service", [Valkey, Kafka, Connect, ClickHouse])
def test_what_the_shell_holds_reaches_no_program_that_has_no_use_for_it(
    service: type[Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of the shell")
    monkeypatch.setenv("PGPASSWORD", "of the shell")

    assert "of the shell" not in environment.process_environment(Settings(), service).values()


def test_a_service_reads_its_environment_and_not_the_file_of_all_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = env_file.with_secrets(load(tmp_path, monkeypatch))
    env_file.write(settings)
    for name, value in environment.process_environment(settings, ClickHouse).items():
        monkeypatch.setenv(name, value)

    loaded = Settings.load()

    assert loaded.data_dir == tmp_path
    assert loaded.clickhouse == settings.clickhouse
    assert loaded.api.token.get_secret_value() == loaded.postgres.password.get_secret_value() == ""


def test_a_file_that_is_right_is_left_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a full disk there is no room for another."""
    settings = env_file.with_secrets(load(tmp_path, monkeypatch).model_copy(update={"data_dir": tmp_path}))
    path = env_file.write(settings)
    before = path.stat().st_ino

    env_file.write(settings)
    assert path.stat().st_ino == before

    path.chmod(0o644)
    env_file.write(settings)
    assert path.stat().st_mode & 0o777 == 0o600

    port = settings.kafka.model_copy(update={"controller_port": 4711})
    env_file.write(settings.model_copy(update={"kafka": port}))
    assert Settings.load(tmp_path).kafka.controller_port == 4711
