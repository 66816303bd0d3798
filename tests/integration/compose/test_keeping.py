"""What `set-up` makes in servers that somebody else has started, on real ones."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import psycopg
import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)
from pydantic import SecretStr

from neonblue.compose import keeping
from neonblue.settings import KafkaSettings, Role, Settings
from neonblue.stack import Stack
from neonblue.stack.services.kafka import admin
from tests.integration.stack.conftest import new_folder, settings_in

_EVENTS = "experiments_events"


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    folder = new_folder()
    try:
        with Stack(settings_in(folder), ["postgres", "kafka", "clickhouse"]) as running:
            running.wait_ready(timeout=300)
            yield running
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def keeper(stack: Stack) -> Settings:
    """As the container `keeper` has them: Kafka and ClickHouse are others', and it may do all."""
    settings = stack.settings
    kafka = settings.kafka.model_dump() | {
        "bootstrap_servers": settings.kafka.address,
        "security_protocol": "SASL_PLAINTEXT",
        "user": settings.kafka.user_of("admin"),
        "password": settings.kafka.password_of("admin"),
    }
    clickhouse = settings.clickhouse.model_copy(update={"url": settings.clickhouse.address})
    folder = settings.data_dir / "keeper"
    folder.mkdir()
    return settings.model_copy(
        update={
            "kafka": KafkaSettings.model_validate(kafka),
            "clickhouse": clickhouse,
            "data_dir": folder,
        }
    )


def of(user: str, topic: str | None = None) -> AclBindingFilter:
    """Every rule for this user, or those on a topic."""
    kind = ResourceType.TOPIC if topic else ResourceType.ANY
    operation, permission = AclOperation.ANY, AclPermissionType.ANY
    return AclBindingFilter(kind, topic, ResourcePatternType.ANY, f"User:{user}", None, operation, permission)


def rights(client: AdminClient, user: str) -> set[tuple[str, str, str]]:
    found = client.describe_acls(of(user)).result(timeout=10)
    return {(one.restype.name, one.name, one.operation.name) for one in found}


@pytest.mark.timeout(400)
def test_what_somebody_took_away_is_there_again_and_what_is_there_stays(
    stack: Stack, keeper: Settings
) -> None:
    of_before = keeper.data_dir / "dbt" / "profiles.yml"
    of_before.parent.mkdir()
    of_before.touch()
    client = admin(stack.settings)
    user = stack.settings.kafka.user_of("clickhouse")
    before = rights(client, user)
    assert ("TOPIC", _EVENTS, "READ") in before
    for future in client.delete_acls([of(user, _EVENTS)]).values():
        future.result(timeout=10)
    assert ("TOPIC", _EVENTS, "READ") not in rights(client, user)
    with psycopg.connect(stack.settings.postgres.dsn(), autocommit=True) as connection:
        connection.execute("REVOKE SELECT ON outbox_events FROM neonblue_cdc")
        connection.execute("ALTER ROLE neonblue_reader PASSWORD 'another'")
    partitions = client.list_topics(timeout=10).topics[_EVENTS].partitions

    keeping.set_up(keeper)

    assert rights(client, user) == before
    assert client.list_topics(timeout=10).topics[_EVENTS].partitions.keys() == partitions.keys()
    reader = stack.settings.postgres.acting(Role.READER)
    with psycopg.connect(reader.dsn()) as connection:
        assert connection.execute("SELECT count(*) FROM events").fetchone() == (0,)
    with psycopg.connect(stack.settings.postgres.acting(Role.CDC).dsn()) as connection:
        connection.execute("SELECT count(*) FROM outbox_events")
    secret = stack.settings.clickhouse.password.get_secret_value()
    files = [path for path in keeper.data_dir.rglob("*") if path.is_file()]
    assert not [path for path in files if secret in path.read_text(errors="replace")]
    assert not of_before.exists()


@pytest.mark.timeout(200)
def test_with_a_wrong_key_it_says_which_server_refused(
    keeper: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "_ATTEMPTS", 1)
    wrong = keeper.postgres.model_copy(update={"password": SecretStr("wrong")})
    with pytest.raises(keeping.ServiceError, match=r"postgres.*NEONBLUE_POSTGRES_PASSWORD"):
        keeping.set_up(keeper.model_copy(update={"postgres": wrong}))
