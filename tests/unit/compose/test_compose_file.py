"""compose.yaml as Docker Compose reads it, beside what the embedded stack is made of."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
from dotenv import dotenv_values

from neonblue.compose.parts import PARTS, WATCHER, WRITER
from neonblue.settings import Role, Settings
from neonblue.settings.faults import setting_fields
from neonblue.stack import checkup
from neonblue.stack.jvm import java
from neonblue.stack.services import postgres, templates, valkey
from neonblue.stack.services.connect import database_variables
from neonblue.stack.services.kafka import _GREETING
from tests.unit.compose.deployments import PROFILES, compose_config

ROOT = Path(__file__).parents[3]
STACK = Settings.model_construct()
OURS = {"set-up", "keeper", "api", "dagster-code", "dagster", "dagster-daemon", "cli", "demo", "exporter"}
WITHOUT_HEALTH = {"set-up", "keeper", "dagster-daemon", "cli", "demo", "otel-collector"}
"""They answer nobody: the first ends, the keeper tells by itself, Dagster's page knows the daemon, people the
rest. In the collector's image is nothing that could ask it: Prometheus does."""
PORTS = {
    "postgres": STACK.postgres.port,
    "kafka": STACK.kafka.port,
    "clickhouse": STACK.clickhouse.port,
    "api": STACK.api.port,
    "dagster": STACK.dagster.port,
    "connect": STACK.connect.port,
    "valkey": STACK.valkey.port,
    "exporter": STACK.monitoring.exporter_port,
}
PAGES = {"prometheus": 9090, "alertmanager": 9093, "grafana": 3001, "kafka-ui": 18080}


@pytest.mark.parametrize("overlay", ["", "ha.yaml"])
@pytest.mark.parametrize("profiles", [(), *((one,) for one in PROFILES), PROFILES], ids=str)
def test_docker_compose_reads_it_without_a_complaint(
    folder: Path, profiles: tuple[str, ...], overlay: str
) -> None:
    assert compose_config(folder, *profiles, overlay=overlay)["services"]


def test_without_the_folder_of_init_it_says_what_to_run(folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "compose.yaml", tmp_path)
    with pytest.raises(subprocess.CalledProcessError) as failed:
        compose_config(tmp_path)
    assert "run neonblue compose init" in failed.value.stderr


def test_everything_that_is_mounted_is_there(folder: Path, either: dict[str, Any]) -> None:
    mounted = [
        mount["source"]
        for service in either.values()
        for mount in service.get("volumes", [])
        if mount["type"] == "bind"
    ]
    assert mounted
    for path in mounted:
        assert Path(path).is_file() or any(Path(path).iterdir()), path


def test_every_secret_is_there_and_used(
    folder: Path, services: dict[str, Any], replicated: dict[str, Any]
) -> None:
    used = set()
    for found, overlay in ((services, ""), (replicated, "ha.yaml")):
        files = {
            name: Path(secret["file"])
            for name, secret in compose_config(folder, *PROFILES, overlay=overlay)["secrets"].items()
        }
        named = {secret["source"] for service in found.values() for secret in service.get("secrets", [])}
        assert named == set(files)
        used |= set(files.values())
    assert used == set((folder / "secrets").iterdir())


def test_every_secret_goes_somewhere_and_each_of_ours_has_its_own_alone(services: dict[str, Any]) -> None:
    used = {
        name: {secret["source"] for secret in service.get("secrets", [])}
        for name, service in services.items()
    }
    for name in OURS:
        owner = {"set-up": "keeper", "cli": "keeper"}.get(name, name)
        assert used[name] == {f"{owner}.env"}
    assert {name for name, found in used.items() if "keeper.env" in found} == {"cli", "keeper", "set-up"}


def test_every_variable_of_ours_is_a_setting(folder: Path, either: dict[str, Any]) -> None:
    known = set(setting_fields(Settings))
    for name, service in either.items():
        given = {one for one in service.get("environment", {}) if one.startswith("NEONBLUE_")}
        assert given <= known, name
    for name in PARTS:
        assert set(dotenv_values(folder / "secrets" / f"{name}.env")) <= known, name
    assert set(dotenv_values(folder / "secrets" / "connect.env")) == set(database_variables(STACK))


def test_ports_are_those_of_the_embedded_stack(services: dict[str, Any], folder: Path) -> None:
    for name, port in PORTS.items():
        asked = json.dumps(services[name]["healthcheck"]["test"])
        assert re.search(rf"\b{port}\b", asked), name
    for name, service in services.items():
        for variable, value in service.get("environment", {}).items():
            address = re.search(r"\b(postgres|kafka|clickhouse|api|dagster|connect):(\d+)", str(value))
            if address:
                assert int(address[2]) == PORTS[address[1]], (name, variable)
            if variable.startswith("NEONBLUE_") and variable.endswith("_PORT"):
                assert int(value) == PORTS[variable.split("_")[1].lower()], (name, variable)


def test_only_the_proxy_is_reached_from_elsewhere(services: dict[str, Any]) -> None:
    for name, service in services.items():
        for port in service.get("ports", []):
            assert name == "caddy" or port["host_ip"] == "127.0.0.1", name
            if name != "caddy":
                assert int(port["published"]) == port["target"] == (PORTS | PAGES)[name]


def test_users_are_those_of_the_embedded_stack(services: dict[str, Any]) -> None:
    for name, part in PARTS.items():
        environment = services[name]["environment"]
        assert environment.get("NEONBLUE_KAFKA_USER") == (part.kafka and STACK.kafka.user_of(part.kafka)), (
            name
        )
        as_whom = environment.get("NEONBLUE_CLICKHOUSE_USER", STACK.clickhouse.user)
        assert (as_whom == WRITER) == (part.clickhouse == "writer"), name
        reads_as = environment.get("NEONBLUE_CLICKHOUSE_READONLY_USER", STACK.clickhouse.readonly_user)
        assert (reads_as == WATCHER) == (part.clickhouse == "watcher"), name
    assert services["postgres"]["environment"]["POSTGRES_USER"] == STACK.postgres.user
    assert services["postgres"]["environment"]["POSTGRES_DB"] == STACK.postgres.database


def test_versions_are_those_of_the_embedded_stack(services: dict[str, Any]) -> None:
    pom = (ROOT / "connectors" / "pom.xml").read_text()
    kafka = re.search(r"<kafka.version>(.*)</kafka.version>", pom)
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pinned = next(one for one in packages["optional-dependencies"]["stack"] if one.startswith("chdb-core=="))
    assert kafka is not None
    assert services["kafka"]["image"] == f"apache/kafka:{kafka[1]}"
    engine = pinned.removeprefix("chdb-core==").rpartition(".")[0]
    assert services["clickhouse"]["image"] == f"clickhouse/clickhouse-server:{engine}"
    for name, command, image in (
        ("postgres", postgres.VERSION, "postgres:{}-trixie"),
        ("valkey", valkey.VERSION, "valkey/valkey:{}"),
    ):
        said = subprocess.run([*checkup._PYTHON, command], capture_output=True, text=True, check=True).stdout
        version = re.search(r"\d+\.\d+(?:\.\d+)?", said)
        assert version is not None
        assert services[name]["image"] == image.format(version[0])
    for name in {*OURS, "connect"}:
        image = "neonblue-connect" if name == "connect" else "neonblue"
        assert services[name]["image"] == f"{image}:{packages['version']}"
        assert services[name]["pull_policy"] == "never"


def test_java_has_the_memory_that_it_has_in_the_embedded_stack(services: dict[str, Any]) -> None:
    assert f"-Xmx{STACK.kafka.heap_megabytes}m" in services["kafka"]["environment"]["KAFKA_HEAP_OPTS"]
    assert f"-Xmx{STACK.connect.heap_megabytes}m" in services["connect"]["environment"]["JDK_JAVA_OPTIONS"]


def test_connect_is_started_as_in_the_embedded_stack() -> None:
    text = (ROOT / "compose" / "Dockerfile").read_text()
    words = set(re.findall(r'"([^"]+)"', text[text.index("FROM ${BASE} AS connect") :]))
    wanted = java.arguments("org.apache.kafka.connect.cli.ConnectDistributed", "worker", (), 1)
    options = {word for word in wanted if word.startswith("-X") and not word.startswith(("-Xmx", "-Xms"))}
    assert options <= words
    assert {"--enable-native-access=ALL-UNNAMED", wanted[-2]} <= words


def test_kafka_is_asked_by_its_protocol(services: dict[str, Any]) -> None:
    asked = services["kafka"]["healthcheck"]["test"][-1]
    written = re.search(r"printf '([^']+)'", asked)
    assert written is not None
    assert bytes.fromhex(written[1].replace("\\x", "")) == _GREETING


def test_topics_are_made_by_the_embedded_stacks_own_step(folder: Path) -> None:
    """They are in no file here; what names one names the same."""
    configuration = (folder / "secrets" / "clickhouse-config.xml").read_text()
    topic = templates.topics(STACK)[0].name
    assert f"<kafka_topic>{topic},{STACK.kafka.heartbeat_topic}</kafka_topic>" in configuration
    assert f"<kafka_group>{STACK.clickhouse.kafka_group}</kafka_group>" in configuration


def test_every_container_has_little_to_break_with(either: dict[str, Any]) -> None:
    for name, service in either.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["logging"]["options"] == {"max-file": "2", "max-size": "16m"}, name
        limits = service["deploy"]["resources"]["limits"]
        assert {"cpus", "memory", "pids"} <= set(limits), name
        if name != "caddy":
            assert not service["user"].startswith(("0", "root")), name
            assert "cap_add" not in service, name


def test_what_answers_has_a_health_check_and_is_waited_for(either: dict[str, Any]) -> None:
    once = {"postgres-synchronous"} & set(either)
    assert {name for name, service in either.items() if "healthcheck" not in service} == WITHOUT_HEALTH | once
    for name, service in either.items():
        for other, how in service.get("depends_on", {}).items():
            wanted = dict.fromkeys(("set-up", *once), "service_completed_successfully") | {
                "keeper": "service_started"
            }
            assert how["condition"] == wanted.get(other, "service_healthy"), (name, other)


def test_every_image_has_a_version(either: dict[str, Any]) -> None:
    for name, service in either.items():
        assert re.search(r":[^/:]*\d+\.\d+", service["image"]), name


def test_nobody_gets_the_address_that_the_api_believes(folder: Path) -> None:
    (front,) = compose_config(folder, *PROFILES)["networks"]["front"]["ipam"]["config"]
    caddy = ip_address(
        compose_config(folder, "tls")["services"]["caddy"]["networks"]["front"]["ipv4_address"]
    )
    assert caddy in ip_network(front["subnet"])
    assert caddy not in ip_network(front["ip_range"])
    assert ip_network(front["ip_range"]).subnet_of(ip_network(front["subnet"]))  # type: ignore[arg-type]


def test_what_holds_the_data_has_no_way_out(folder: Path, services: dict[str, Any]) -> None:
    assert compose_config(folder)["networks"]["back"]["internal"] is True
    for name in ("postgres", "kafka", "valkey", "connect"):
        assert set(services[name]["networks"]) == {"back"}, name


def test_each_of_ours_reads_its_settings_and_knows_what_it_needs(
    folder: Path, services: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, part in PARTS.items():
        with monkeypatch.context() as patch:
            given = services[name]["environment"] | dotenv_values(folder / "secrets" / f"{name}.env")
            for variable, value in given.items():
                patch.setenv(variable, value or "")
            settings = Settings.load(tmp_path)
            assert not settings.postgres.external
            for role in Role:
                assert bool(settings.postgres.password_of(role).get_secret_value()) == (role in part.roles)
            if part.kafka is not None:
                client = settings.kafka.client(part.kafka)
                assert client["bootstrap.servers"] == f"kafka:{STACK.kafka.port}"
                assert client["sasl.username"] == STACK.kafka.user_of(part.kafka)
                assert len(client["sasl.password"]) > 20
            if part.clickhouse == "watcher":
                assert settings.clickhouse.external
                assert settings.clickhouse.readonly_password.get_secret_value()
                assert not settings.clickhouse.password.get_secret_value()
            if part.clickhouse in ("owner", "writer"):
                assert settings.clickhouse.external
                assert settings.clickhouse.password.get_secret_value()
