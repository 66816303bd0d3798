"""What a deployment's folder keeps: every secret, in its ``neonblue.env``, made once."""

from __future__ import annotations

import base64
import secrets
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dotenv import dotenv_values

from neonblue.files import write_private
from neonblue.settings import ENVIRONMENT_FILE, Settings
from neonblue.stack import env_file
from neonblue.stack.services import bcrypt


@dataclass(frozen=True, slots=True)
class Kept:
    """A deployment's secrets.

    settings: as those of an embedded stack in that folder, which has the same ports and users. writer: the password of
    whom the API is in ClickHouse. kafka_node: by which Kafka's node signs in with itself. kafka_cluster: its id.
    clickhouse_watcher, valkey_watcher: passwords of whom the exporters are there. grafana_key: by which Grafana keeps
    secrets in its database. pages_salt: with which the password of the pages is hashed, so that it is so each time.
    clickhouse_replica: by which replicas of ClickHouse know each other.
    """

    settings: Settings
    writer: str = field(repr=False)
    kafka_node: str = field(repr=False)
    kafka_cluster: str
    clickhouse_watcher: str = field(repr=False)
    valkey_watcher: str = field(repr=False)
    grafana_key: str = field(repr=False)
    pages_salt: str = field(repr=False)
    clickhouse_replica: str = field(repr=False)


def _password() -> str:
    return secrets.token_urlsafe(24)


def _cluster_id() -> str:
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


_LINES: Mapping[str, tuple[str, Callable[[], str]]] = {
    "writer": ("CLICKHOUSE_WRITER_PASSWORD", _password),
    "kafka_node": ("KAFKA_NODE_PASSWORD", _password),
    "kafka_cluster": ("KAFKA_CLUSTER_ID", _cluster_id),
    "clickhouse_watcher": ("CLICKHOUSE_MONITORING_PASSWORD", _password),
    "valkey_watcher": ("VALKEY_MONITORING_PASSWORD", _password),
    "grafana_key": ("GRAFANA_SECRET_KEY", _password),
    "pages_salt": ("PAGES_SALT", bcrypt.new_salt),
    "clickhouse_replica": ("CLICKHOUSE_REPLICA_PASSWORD", _password),
}
"""Lines of ``neonblue.env`` that are no settings of NeonBlue, by the field, and what makes each."""


def load(folder: Path) -> Kept:
    """What the folder keeps, with what is missing made anew. Writes nothing."""
    present = _present(folder / ENVIRONMENT_FILE)
    # Without the settings of whoever makes it: those in the environment are another stack's.
    plain = Settings.model_construct(data_dir=folder)
    others = {name: present.get(line) or make() for name, (line, make) in _LINES.items()}
    settings = env_file.with_secrets(env_file.with_stored_secrets(plain))
    return Kept(settings=settings, **others)


def save(kept: Kept) -> Path:
    """Write ``neonblue.env``, its owner's alone, keeping what else is in it."""
    path = kept.settings.data_dir / ENVIRONMENT_FILE
    present = _present(path)
    missing = {line: getattr(kept, name) for name, (line, _) in _LINES.items() if not present.get(line)}
    if missing:
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        write_private(path, before + "".join(f"{name}='{value}'\n" for name, value in missing.items()))
    return env_file.write(kept.settings)


def _present(path: Path) -> Mapping[str, str | None]:
    return dotenv_values(path, interpolate=False) if path.exists() else {}
