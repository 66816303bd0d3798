"""Everything the server is told: command line, environment, defaults; read once, here."""

from __future__ import annotations

import argparse
import ipaddress
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from neonblue.settings import Settings

_GRACE = 10.0
"""Between a query's own end and that of its request: the engine looks at its clock between two blocks."""
QUERY_SIZE = 1024**2
"""Bytes of the platform's longest query."""
READER_QUERIES = 6
"""Queries of those who may read only that run at once."""
READER_QUERY_SIZE = 256 * 1024
"""Bytes of the longest query of theirs."""


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
    """What the Kafka engine's macros stand for (`topic`: several, with commas), and librdkafka's options to sign in."""

    broker_list: str
    topic: str
    group: str
    security: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Share:
    """What one user may take of the server, so that none takes what another needs. Bytes, seconds.

    `queries` run at once, `waiting` more may wait for `queue_timeout`. A request ends at its `deadline`, also where its
    client has stopped reading; None: never.
    """

    queries: int
    waiting: int
    sessions: int
    max_query_size: int
    max_body_size: int
    max_form_size: int
    deadline: float | None
    queue_timeout: float = 30.0


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """One server. Sizes are in bytes, times in seconds.

    `reader_time` and `reader_memory` bound one query of a read-only user; no memory: an eighth of the engine's,
    so that as many as may run at once leave the platform a quarter.
    """

    path: Path
    port: int
    host: str
    users: tuple[Credentials, ...]
    kafka: KafkaSettings
    reader_time: int = 300
    reader_memory: int | None = None
    max_query_size: int = QUERY_SIZE
    default_session_timeout: float = 60.0
    max_session_timeout: float = 3600.0
    slow_query: float = 1.0
    stop_timeout: int = 2

    def share(self, user: Credentials) -> Share:
        """The platform's and the readers' shares are apart: what readers do keeps the platform from nothing."""
        if user.readonly:
            return Share(
                queries=READER_QUERIES,
                waiting=200,
                sessions=200,
                max_query_size=READER_QUERY_SIZE,
                max_body_size=2 * 1024**2,
                max_form_size=2 * 1024**2,
                deadline=self.reader_time + _GRACE,
            )
        return Share(
            queries=24,
            waiting=400,
            sessions=1000,
            max_query_size=self.max_query_size,
            max_body_size=16 * 1024**3,
            max_form_size=64 * 1024**2,
            deadline=None,
        )

    @classmethod
    def load(cls, arguments: Sequence[str]) -> ServerSettings:
        """From the command line and the environment (``NEONBLUE_CLICKHOUSE_…``, ``NEONBLUE_KAFKA_…``).

        Raises SettingsError on an address outside the loopback and on a missing password.
        """
        parser = argparse.ArgumentParser(prog="python -m neonblue.clickhouse_server")
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
                f"{settings.kafka.topic},{settings.kafka.heartbeat_topic}",
                clickhouse.kafka_group,
                settings.kafka.security("clickhouse"),
            ),
            reader_time=clickhouse.readonly_max_execution_time,
            reader_memory=clickhouse.readonly_max_memory_usage,
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
