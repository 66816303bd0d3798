"""Fills in the configuration files of ``connectors/``."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from neonblue.files import Folder, folder
from neonblue.settings import Settings

# `${env:NAME}` is not ours: the Connect worker fills it in.
_PLACEHOLDER = re.compile(r"\$\{([a-z_]+)\}")


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as it shall be."""

    name: str
    partitions: int
    config: Mapping[str, str]


def render(text: str, values: Mapping[str, object]) -> str:
    """Replace every ``${name}``. Raises ``KeyError`` on a name without a value."""
    return _PLACEHOLDER.sub(lambda match: str(values[match[1]]), text)


def _read(name: str) -> str:
    return (folder(Folder.CONNECTORS) / name).read_text()


def broker(settings: Settings, log_dir: object) -> str:
    kafka = settings.kafka
    return render(
        _read("broker.properties"),
        {
            "port": kafka.port,
            "controller_port": kafka.controller_port,
            "log_dir": log_dir,
            "retention_hours": kafka.retention_hours,
        },
    )


def worker(settings: Settings, plugin_path: object) -> str:
    values = {
        "bootstrap_servers": settings.kafka.address,
        "port": settings.connect.port,
        "plugin_path": plugin_path,
    }
    return render(_read("worker.properties"), values)


def connector(settings: Settings) -> dict[str, str]:
    """The Debezium connector's configuration. It names secrets, it does not hold them."""
    values = {
        "topic": settings.kafka.topic,
        "slot": settings.connect.slot,
        "publication": settings.connect.publication,
    }
    configuration: dict[str, str] = json.loads(render(_read("outbox.json"), values))
    return configuration


def topics(settings: Settings) -> tuple[Topic, ...]:
    kafka = settings.kafka
    values = {
        "topic": kafka.topic,
        "partitions": kafka.partitions,
        "retention_milliseconds": kafka.retention_hours * 3_600_000,
    }
    rows: list[dict[str, Any]] = json.loads(render(_read("topics.json"), values))
    return tuple(Topic(row["name"], int(row["partitions"]), row["config"]) for row in rows)
