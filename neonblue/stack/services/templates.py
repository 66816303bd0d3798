"""Fills in the configuration files of ``connectors/``, each value as its file's format writes it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from neonblue.files import Folder, folder
from neonblue.settings import Settings
from neonblue.settings.kafka import in_java, jaas_string
from neonblue.stack.processes.ports import LOOPBACK

NODE_USER = "neonblue-node"
"""Who Kafka's nodes sign in with each other as."""
KAFKA_CERTIFICATES = "kafka-ca.pem"
"""In Connect's working folder: a copy of what an external Kafka's certificate is checked against."""
_NO_LIMIT = -1
_COPIES = 3
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


def broker(
    settings: Settings,
    log_dir: object,
    node_password: str,
    listen: str = LOOPBACK,
    host: str = LOOPBACK,
    cluster: tuple[str, ...] = (),
) -> str:
    """The node's configuration. It holds secrets: by `node_password` the nodes sign in with each other.

    It listens at the address `listen`, and tells its clients that it is reached at `host`. cluster: the hosts of all
    nodes, this one among them; none: it is alone, and no other machine reaches its controller. Of three nodes each has
    every message, and two must have it before it counts as written.
    """
    kafka = settings.kafka
    hosts = cluster or (LOOPBACK,)
    copies = min(len(hosts), _COPIES)
    node = {NODE_USER: node_password}
    return render(
        _read("broker.properties"),
        {
            "listen": listen,
            "host": host,
            "port": kafka.port,
            "controller_port": kafka.controller_port,
            "controller_listen": host if cluster else LOOPBACK,
            "node_id": cluster.index(host) + 1 if cluster else 1,
            "voters": ",".join(f"{at}@{one}:{kafka.controller_port}" for at, one in enumerate(hosts, 1)),
            "copies": copies,
            "in_sync": max(1, copies - 1),
            "log_dir": log_dir,
            "retention_hours": kafka.retention_hours,
            "admin": kafka.user_of("admin"),
            "node": NODE_USER,
            "client_jaas": _plain_users(
                node | {kafka.user_of("clickhouse"): kafka.password_of("clickhouse")}, node_password
            ),
            "controller_jaas": _plain_users(node, node_password),
        },
        in_properties,
    )


def _plain_users(passwords: Mapping[str, str], node_password: str) -> str:
    """A JAAS configuration: who may sign in by PLAIN, and how the node does. Nobody signs in without a password."""
    users = " ".join(f"user_{user}={jaas_string(word)}" for user, word in passwords.items() if word)
    own = f"username={jaas_string(NODE_USER)} password={jaas_string(node_password)}"
    return f"org.apache.kafka.common.security.plain.PlainLoginModule required {own} {users};"


def worker(
    settings: Settings, plugin_path: object, listen: str = LOOPBACK, bootstrap_servers: str | None = None
) -> str:
    """The worker's configuration. It holds the secret by which the worker and its clients sign in to Kafka.

    It listens at the address `listen`. bootstrap_servers: where Kafka is reached, if not where `settings` say.
    """
    values = {
        "bootstrap_servers": bootstrap_servers or settings.kafka.address,
        "listen": listen,
        "port": settings.connect.port,
        "plugin_path": plugin_path,
    }
    given = settings.kafka.security("connect")
    security = in_java(given | {name: KAFKA_CERTIFICATES for name in given if name == "ssl.ca.location"})
    lines = [
        f"{client}{name}={in_properties(value)}\n"
        for client in ("", "producer.", "consumer.", "admin.")
        for name, value in security.items()
    ]
    return render(_read("worker.properties"), values, in_properties) + "".join(lines)


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
        "heartbeat_topic": settings.kafka.heartbeat_topic,
        "slot": settings.connect.slot,
        "publication": settings.connect.publication,
    }
    configuration: dict[str, str] = json.loads(render(_read("outbox.json"), values, in_json))
    return configuration | ({"slot.failover": "true"} if settings.connect.slot_failover else {})


def topics(settings: Settings) -> tuple[Topic, ...]:
    kafka = settings.kafka
    values = {
        "topic": kafka.topic,
        "heartbeat_topic": kafka.heartbeat_topic,
        "partitions": kafka.partitions,
        "retention_milliseconds": kafka.retention_hours * 3_600_000,
        "retention_bytes": kafka.retention_gigabytes * 10**9 // kafka.partitions or _NO_LIMIT,
    }
    rows: list[dict[str, Any]] = json.loads(render(_read("topics.json"), values, in_json))
    return tuple(Topic(row["name"], int(row["partitions"]), row["config"]) for row in rows)
