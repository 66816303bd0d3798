"""The profile ``monitoring``: each file read by the program that it is for, each name one that is there."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from neonblue.compose import kept
from neonblue.compose.parts import WATCHER
from neonblue.settings import Role, Settings, TracesSettings
from neonblue.settings.monitoring import USER
from neonblue.stack.services import bcrypt
from tests.unit.compose.deployments import compose_config

STACK = Settings.model_construct()


def program(*names: str) -> str:
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"{names[0]} is not installed")
    return found


def here(folder: Path, tmp_path: Path, name: str) -> Path:
    """A file of the folder as a container sees it, with the secrets where they lie here."""
    text = (folder / name).read_text().replace("/run/secrets", str(folder / "secrets"))
    place = tmp_path / Path(name).name
    place.write_text(text)
    return place


def passed(*command: object) -> str:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def watching(folder: Path) -> dict[str, Any]:
    """What the profile adds."""
    plain = compose_config(folder)["services"]
    found = compose_config(folder, "monitoring")["services"]
    return {name: service for name, service in found.items() if name not in plain}


def test_prometheus_takes_its_file_and_the_rules(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "config" / "monitoring" / "rules", tmp_path / "rules")
    file = here(folder, tmp_path, "config/monitoring/prometheus.yml")
    said = passed(program("promtool"), "check", "config", file)
    assert "is valid prometheus config file" in said
    assert len(re.findall(r"\d+ rules found", said)) == len(list((tmp_path / "rules").iterdir()))


def test_prometheus_and_alertmanager_take_the_users_of_their_pages(folder: Path) -> None:
    passed(program("promtool"), "check", "web-config", folder / "secrets" / "pages.yml")


def test_who_enters_the_pages_shows_the_password_that_they_hold(folder: Path) -> None:
    keeps = kept.load(folder)
    password = (folder / "secrets" / "monitoring-password").read_text()
    hashes = yaml.safe_load((folder / "secrets" / "pages.yml").read_text())["basic_auth_users"]
    assert hashes == {USER: bcrypt.hashed(password, keeps.pages_salt)}
    assert yaml.safe_load((folder / "secrets" / "pages-client.yml").read_text()) == {
        "basic_auth": {"username": USER, "password_file": "/run/secrets/monitoring-password"}
    }


def test_alertmanager_takes_its_file(folder: Path, tmp_path: Path) -> None:
    file = here(folder, tmp_path, "config/monitoring/alertmanager.yml")
    assert "SUCCESS" in passed(program("amtool"), "check-config", file)


def test_alerts_go_to_the_exporter_with_its_token(folder: Path, watching: dict[str, Any]) -> None:
    read = yaml.safe_load((folder / "config" / "monitoring" / "alertmanager.yml").read_text())
    (hook,) = read["receivers"][0]["webhook_configs"]
    assert hook["url"] == f"http://exporter:{STACK.monitoring.exporter_port}/alerts"
    assert read["route"]["repeat_interval"] == f"{STACK.alert.repeat_minutes}m"
    token = (folder / "secrets" / "monitoring-token").read_text()
    assert f"NEONBLUE_MONITORING_TOKEN='{token}'" in (folder / "secrets" / "exporter.env").read_text()
    assert hook["http_config"]["authorization"]["credentials_file"] in secrets_in(watching["alertmanager"])


def secrets_in(service: dict[str, Any]) -> set[str]:
    """Where it finds its secrets."""
    return {f"/run/secrets/{Path(secret['target']).name}" for secret in service["secrets"]}


def test_every_secret_that_a_file_or_a_variable_names_is_mounted_there(
    folder: Path, watching: dict[str, Any]
) -> None:
    files = {
        "prometheus": ["config/monitoring/prometheus.yml", "secrets/pages-client.yml"],
        "alertmanager": ["config/monitoring/alertmanager.yml", "secrets/pages-client.yml"],
        "grafana": ["config/grafana/provisioning/datasources/neonblue.yaml"],
    }
    for name, service in watching.items():
        said = json.dumps(
            [service.get("environment", {}), service.get("command"), service.get("healthcheck")]
        )
        said += "".join((folder / file).read_text() for file in files.get(name, []))
        named = set(re.findall(r"/run/secrets/[a-z.-]*[a-z]", said))
        mounted = secrets_in(service) if service.get("secrets") else set()
        assert named | {"/run/secrets/neonblue.env"} == mounted | {"/run/secrets/neonblue.env"}, name


def test_what_prometheus_asks_is_a_service_at_a_port_that_it_listens_on(
    folder: Path, services: dict[str, Any]
) -> None:
    read = yaml.safe_load((folder / "config" / "monitoring" / "prometheus.yml").read_text())
    targets = [
        target for job in read["scrape_configs"] for at in job["static_configs"] for target in at["targets"]
    ]
    targets += [
        target
        for one in read["alerting"]["alertmanagers"]
        for at in one["static_configs"]
        for target in at["targets"]
    ]
    assert len(targets) == 8
    for target in targets:
        name, _, port = target.partition(":")
        collector = (folder / "config" / "monitoring" / "otel-collector.yml").read_text()
        listens = collector if name == "otel-collector" else json.dumps(services[name]["healthcheck"]["test"])
        assert re.search(rf"\b{port}\b", listens), target
        assert set(services[name]["networks"]) & set(services["prometheus"]["networks"]), target


def test_grafana_asks_services_as_users_that_are_there(folder: Path, services: dict[str, Any]) -> None:
    read = yaml.safe_load((folder / "config/grafana/provisioning/datasources/neonblue.yaml").read_text())
    metrics, warehouse = read["datasources"]
    address = urlsplit(metrics["url"])
    assert services[address.hostname]["ports"][0]["target"] == address.port
    assert metrics["basicAuthUser"] == USER
    there = warehouse["jsonData"]
    assert there["host"] in services
    assert (there["port"], there["username"]) == (STACK.clickhouse.port, STACK.clickhouse.readonly_user)
    boards = yaml.safe_load((folder / "config/grafana/provisioning/dashboards/neonblue.yaml").read_text())
    mounted = {mount["target"]: mount["source"] for mount in services["grafana"]["volumes"]}
    assert len(list(Path(mounted[boards["providers"][0]["options"]["path"]]).glob("*.json"))) == 5


def test_each_exporter_signs_in_as_one_who_sees_and_reads_nothing(
    folder: Path, watching: dict[str, Any]
) -> None:
    keeps = kept.load(folder)
    postgres = watching["postgres-exporter"]["environment"]
    assert postgres["DATA_SOURCE_USER"] == Role.MONITORING.login
    assert postgres["DATA_SOURCE_URI"].startswith(
        f"postgres:{STACK.postgres.port}/{STACK.postgres.database}?"
    )
    password = (folder / "secrets" / "postgres-monitoring-password").read_text()
    assert password == keeps.settings.postgres.monitoring_password.get_secret_value()
    valkey = watching["valkey-exporter"]["environment"]
    passwords = json.loads((folder / "secrets" / "valkey-monitoring.json").read_text())
    assert passwords[valkey["REDIS_ADDR"].replace("://", f"://{WATCHER}@")] == keeps.valkey_watcher
    assert valkey["REDIS_USER"] == WATCHER
    assert f'user {WATCHER} on ">{keeps.valkey_watcher}"' in (folder / "secrets" / "valkey.conf").read_text()


def test_kafka_ui_changes_nothing_and_is_closed(folder: Path, watching: dict[str, Any]) -> None:
    read = yaml.safe_load((folder / "secrets" / "kafka-ui.yml").read_text())
    (cluster,) = read["kafka"]["clusters"]
    assert cluster["readOnly"] is True
    assert cluster["bootstrapServers"] == f"kafka:{STACK.kafka.port}"
    assert 'username="neonblue-monitoring"' in cluster["properties"]["sasl.jaas.config"]
    assert read["auth"]["type"] == "LOGIN_FORM"
    assert (
        read["spring"]["security"]["user"]["password"] == (folder / "secrets/monitoring-password").read_text()
    )
    assert watching["kafka-ui"]["ports"][0]["target"] == read["server"]["port"]


def test_prometheus_keeps_as_much_as_the_embedded_one(watching: dict[str, Any]) -> None:
    command = watching["prometheus"]["command"]
    assert f"--storage.tsdb.retention.time={STACK.monitoring.retention_days}d" in command
    assert f"--storage.tsdb.retention.size={STACK.monitoring.retention_megabytes}MB" in command


def test_the_collector_has_what_its_pipeline_names_and_listens_where_the_platform_sends(
    folder: Path, watching: dict[str, Any]
) -> None:
    read = yaml.safe_load((folder / "config" / "monitoring" / "otel-collector.yml").read_text())
    pipeline = read["service"]["pipelines"]["traces"]
    assert set(pipeline["receivers"]) == set(read["receivers"])
    assert set(pipeline["processors"]) == set(read["processors"])
    assert pipeline["exporters"] == ["${env:TRACES_TO}"]
    environment = watching["otel-collector"]["environment"]
    assert environment["TRACES_TO"] in read["exporters"]
    port = read["receivers"]["otlp"]["protocols"]["http"]["endpoint"].rpartition(":")[2]
    said = re.search(r"NEONBLUE_TRACES_ENDPOINT=(\S+[^.\s])", (folder / "compose.yaml").read_text())
    assert said is not None
    address = urlsplit(TracesSettings(endpoint=said[1]).address)
    assert (address.hostname, address.port) == ("otel-collector", int(port))


@pytest.mark.parametrize("exporter", ["debug", "otlp_http"])
def test_the_collector_takes_its_file(
    folder: Path, watching: dict[str, Any], monkeypatch: pytest.MonkeyPatch, exporter: str
) -> None:
    for name, value in (watching["otel-collector"]["environment"] | {"TRACES_TO": exporter}).items():
        monkeypatch.setenv(name, value)
    passed(
        program("otelcol"), "validate", "--config", folder / "config" / "monitoring" / "otel-collector.yml"
    )
