"""Everything the server is told: command line, environment, defaults; read once, here."""

from __future__ import annotations

import argparse
import ipaddress
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from neonblue.settings import Settings


class SettingsError(ValueError):
    """The server can't start as told."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user; `readonly` ones may only read tables."""

    user: str
    password: str = field(repr=False)
    readonly: bool


@dataclass(frozen=True, slots=True)
class KafkaSettings:
    """What the Kafka engine's macros stand for, and librdkafka's options by which it signs in."""

    broker_list: str
    topic: str
    group: str
    security: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """One server. Sizes are in bytes, times in seconds. `threads` queries run at once, the others wait."""

    path: Path
    port: int
    host: str
    users: tuple[Credentials, ...]
    kafka: KafkaSettings
    threads: int = 24
    max_waiting_queries: int = 400
    queue_timeout: float = 30.0
    max_query_size: int = 1024 * 1024
    max_body_size: int = 16 * 1024**3
    default_session_timeout: float = 60.0
    max_session_timeout: float = 3600.0
    max_sessions: int = 1000
    slow_query: float = 1.0
    stop_timeout: int = 2

    @classmethod
    def load(cls, arguments: Sequence[str]) -> ServerSettings:
        """From the command line and the environment (``NEONBLUE_CLICKHOUSE_…``, ``NEONBLUE_KAFKA_…``).

        Raises SettingsError on an address outside the loopback and on a missing password.
        """
        parser = argparse.ArgumentParser(prog="python -m neonblue.stack.clickhouse_server")
        parser.add_argument("--path", type=Path, required=True, help="folder of the tables")
        parser.add_argument("--port", type=int, required=True)
        parser.add_argument("--host", default="127.0.0.1", help="an address of the loopback")
        parser.add_argument(
            "--slow-query", type=float, default=1.0, help="seconds from which a query is logged"
        )
        given = parser.parse_args(arguments)
        settings = Settings()
        clickhouse = settings.clickhouse
        _require_loopback(given.host)
        users = _users(
            Credentials(clickhouse.user, clickhouse.password.get_secret_value(), readonly=False),
            Credentials(
                clickhouse.readonly_user, clickhouse.readonly_password.get_secret_value(), readonly=True
            ),
        )
        return cls(
            path=given.path.absolute(),
            port=given.port,
            host=given.host,
            users=users,
            kafka=KafkaSettings(
                settings.kafka.address,
                settings.kafka.topic,
                clickhouse.kafka_group,
                settings.kafka.security("clickhouse"),
            ),
            slow_query=given.slow_query,
        )


def _require_loopback(host: str) -> None:
    try:
        addresses = {info[4][0] for info in socket.getaddrinfo(host, None)}
    except OSError as error:
        raise SettingsError(f"--host {host}: {error}") from error
    if not all(ipaddress.ip_address(address).is_loopback for address in addresses):
        raise SettingsError(f"--host {host}: only an address of the loopback is served; use 127.0.0.1 or ::1")


def _users(admin: Credentials, reader: Credentials) -> tuple[Credentials, ...]:
    """The users with a password; without one, the reader can't log in and the administrator is an error."""
    if not admin.password:
        raise SettingsError("NEONBLUE_CLICKHOUSE_PASSWORD is empty: set it in the environment")
    if reader.user == admin.user:
        raise SettingsError("NEONBLUE_CLICKHOUSE_READONLY_USER must differ from NEONBLUE_CLICKHOUSE_USER")
    return (admin, reader) if reader.password else (admin,)
