"""PostgreSQL's standbys that commits wait for. All else postgres_exporter tells."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg

from neonblue import standbys
from neonblue.monitoring.samples import Family, Sample
from neonblue.settings import PostgresSettings, Role
from neonblue.standbys import Standbys

STREAMING = Family(
    "neonblue_standby_streaming",
    "1 where this standby, which PostgreSQL names as one to wait for, is there and has all there is",
    ("standby",),
)
BLOCKED = Family(
    "neonblue_commits_blocked",
    "1 where fewer standbys stream than a commit waits for, so that none is acknowledged",
)
WAITING = Family("neonblue_commits_waiting", "Commits that wait for a standby at this moment")

_CONNECT_SECONDS = 3


class PostgresSource:
    """The primary, as who reads its statistics only. Where that is refused there is nothing to tell."""

    name = "postgres"
    seconds = 10.0

    def __init__(self, settings: PostgresSettings) -> None:
        self._dsn = settings.acting(Role.MONITORING).dsn()

    def look(self) -> Sequence[Sample]:
        with psycopg.connect(
            self._dsn, connect_timeout=_CONNECT_SECONDS, autocommit=True, application_name="neonblue-exporter"
        ) as connection:
            seen = standbys.look(connection)
        return [] if seen is None else samples(seen)


def samples(seen: Standbys) -> list[Sample]:
    """Of each standby that is named, and of the commits."""
    return [
        BLOCKED(seen.commits_wait),
        WAITING(seen.waiting),
        *(STREAMING(there, name) for name, there in seen.streaming.items()),
    ]
