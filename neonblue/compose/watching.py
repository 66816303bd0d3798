"""The files of the profile ``monitoring``: what Prometheus, Alertmanager, Grafana, Kafka UI and the exporters read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import yaml  # type: ignore[import-untyped]

from neonblue.compose.kept import Kept
from neonblue.compose.parts import WATCHER
from neonblue.files import Folder, folder
from neonblue.settings.kafka import in_java
from neonblue.settings.monitoring import USER
from neonblue.stack.services import bcrypt, monitoring_files

KAFKA_UI_PORT = 18080
_SECRETS = "/run/secrets"
_OF_THE_PAGES = f"{_SECRETS}/monitoring-password"


def configuration(keeps: Kept) -> dict[str, str]:
    """What anybody may read, by its path in the deployment's folder."""
    source = folder(Folder.COMPOSE)
    text = _read(source / "monitoring" / "prometheus.yml")
    alertmanager = _read(source / "monitoring" / "alertmanager.yml")
    receiver = yaml.safe_load(alertmanager)["receivers"][0]["webhook_configs"][0]["url"]
    made = {
        "config/monitoring/prometheus.yml": monitoring_files.prometheus(
            text, _targets(text), "rules/*.yml", _OF_THE_PAGES
        ),
        "config/monitoring/alertmanager.yml": monitoring_files.alertmanager(
            alertmanager, receiver, f"{_SECRETS}/monitoring-token", keeps.settings.alert.repeat_minutes
        ),
        "config/monitoring/otel-collector.yml": _read(source / "monitoring" / "otel-collector.yml"),
    }
    copied = {
        f"config/{file.relative_to(source)}": _read(file)
        for pattern in ("monitoring/rules/*.yml", "grafana/**/*.yaml", "grafana/**/*.json")
        for file in sorted(source.glob(pattern))
    }
    return made | copied


def secrets(keeps: Kept) -> dict[str, str]:
    """What only the containers that read it may, by its name in ``secrets``. Raises ``RequirementError``."""
    settings = keeps.settings
    password = settings.monitoring.password.get_secret_value()
    pages = {"basic_auth": {"username": USER, "password_file": _OF_THE_PAGES}}
    return {
        "monitoring-password": password,
        "monitoring-token": settings.monitoring.token.get_secret_value(),
        "pages.yml": monitoring_files.web(bcrypt.hashed(password, keeps.pages_salt)),
        "pages-client.yml": str(yaml.safe_dump(pages)),
        "grafana-secret-key": keeps.grafana_key,
        "clickhouse-reader-password": settings.clickhouse.readonly_password.get_secret_value(),
        "postgres-monitoring-password": settings.postgres.monitoring_password.get_secret_value(),
        "valkey-monitoring.json": json.dumps(_valkey_passwords(keeps)),
        "kafka-ui.yml": kafka_ui(keeps, f"kafka:{settings.kafka.port}"),
    }


def _targets(text: str) -> dict[str, str]:
    """Each job's address, as the file has it."""
    jobs = yaml.safe_load(text)["scrape_configs"]
    return {job["job_name"]: job["static_configs"][0]["targets"][0] for job in jobs}


def _valkey_passwords(keeps: Kept) -> dict[str, str]:
    """By address: redis_exporter looks for it with the user, older versions without."""
    place = f"valkey:{keeps.settings.valkey.port}"
    return {f"redis://{who}{place}": keeps.valkey_watcher for who in ("", f"{WATCHER}@")}


def kafka_ui(keeps: Kept, brokers: str) -> str:
    """It is whom the exporter is: sees the topic and how far ClickHouse is, and reads no message."""
    settings = keeps.settings
    cluster = {
        "name": "neonblue",
        "bootstrapServers": brokers,
        "readOnly": True,
        "properties": in_java(settings.kafka.security("monitoring")),
    }
    password = settings.monitoring.password.get_secret_value()
    made: Mapping[str, object] = {
        "auth": {"type": "LOGIN_FORM"},
        "spring": {"security": {"user": {"name": USER, "password": password}}},
        "server": {"port": KAFKA_UI_PORT},
        "logging": {"level": {"io.kafbat.ui": "INFO"}},
        "kafka": {"clusters": [cluster]},
    }
    return str(yaml.safe_dump(made, sort_keys=False))


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")
