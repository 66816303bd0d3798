"""Fills in the configuration files of ``connectors/``, each value as its file's format writes it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
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


def render(text: str, values: Mapping[str, object], written: Callable[[str], str]) -> str:
    """Replace every ``${name}`` by its value, as `written` writes it. Raises ``KeyError`` on a name without a value."""
    return _PLACEHOLDER.sub(lambda match: written(str(values[match[1]])), text)


def in_properties(value: str) -> str:
    """A value in a file of Java properties, which is read as Latin-1, with backslash escapes, leading spaces cut."""
    written = "".join(_in_latin(letter) for letter in value.replace("\\", "\\\\"))
    return f"\\{written}" if written.startswith(" ") else written


def _in_latin(letter: str) -> str:
    if " " <= letter <= "~":
        return letter
    units = letter.encode("utf-16-be").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def in_json(value: str) -> str:
    """A value between a JSON string's quotation marks, or a number."""
    return json.dumps(value)[1:-1]


def _read(name: str) -> str:
    return (folder(Folder.CONNECTORS) / name).read_text(encoding="utf-8")


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
        in_properties,
    )


def worker(settings: Settings, plugin_path: object) -> str:
    values = {
        "bootstrap_servers": settings.kafka.address,
        "port": settings.connect.port,
        "plugin_path": plugin_path,
    }
    return render(_read("worker.properties"), values, in_properties)


def connect_login() -> str:
    """How Kafka Connect learns who may call it. It names the file of `connect_users`."""
    return _read("login.conf")


def connect_users(settings: Settings) -> str:
    """Who may call Kafka Connect, as a file of Java properties. Each is a name and a password."""
    connect = settings.connect
    return f"{connect.user}={in_properties(connect.password.get_secret_value())}\n"


def connector(settings: Settings) -> dict[str, str]:
    """The Debezium connector's configuration. It names secrets, it does not hold them."""
    values = {
        "topic": settings.kafka.topic,
        "slot": settings.connect.slot,
        "publication": settings.connect.publication,
    }
    configuration: dict[str, str] = json.loads(render(_read("outbox.json"), values, in_json))
    return configuration


def topics(settings: Settings) -> tuple[Topic, ...]:
    kafka = settings.kafka
    values = {
        "topic": kafka.topic,
        "partitions": kafka.partitions,
        "retention_milliseconds": kafka.retention_hours * 3_600_000,
    }
    rows: list[dict[str, Any]] = json.loads(render(_read("topics.json"), values, in_json))
    return tuple(Topic(row["name"], int(row["partitions"]), row["config"]) for row in rows)
