"""Daily partitions of `events` and `outbox_events`: made ahead, and on demand for imported history.

How old ones of the outbox go: see `api.postgres.outbox_release`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from psycopg import sql

from api.postgres.database import Connection, Pool

EVENTS = "events"
OUTBOX = "outbox_events"

_DAYS_AHEAD = 7
_DAYS_BACK = 2
_DAY = timedelta(days=1)
LOCK = 6_075_131_887_002
"""Whoever makes or drops partitions holds it (advisory, until the transaction's end)."""
_BOUNDS = re.compile(r"FROM \('(\d{4}-\d\d-\d\d)[^']*'\) TO \('(\d{4}-\d\d-\d\d)[^']*'\)")
_EXISTING = """
SELECT child.relname, pg_get_expr(child.relpartbound, child.oid)
FROM pg_inherits JOIN pg_class AS child ON child.oid = inhrelid
WHERE inhparent = %s::regclass
"""


@dataclass(frozen=True, slots=True, order=True)
class Bounds:
    """Days from `start` up to, not including, `end`."""

    start: date
    end: date

    def covers(self, day: date) -> bool:
        return self.start <= day < self.end

    def overlaps(self, other: Bounds) -> bool:
        return self.start < other.end and other.start < self.end


def plan(day: date, existing: Iterable[Bounds], today: date, history_days: int) -> Bounds:
    """The partition to make for `day`: one day, or the month where that lies wholly in history.

    Imported history may span decades; whole months keep the number of partitions small.
    """
    first = day.replace(day=1)
    month = Bounds(first, (first + timedelta(days=31)).replace(day=1))
    in_history = month.end <= today - timedelta(days=history_days)
    if in_history and not any(month.overlaps(other) for other in existing):
        return month
    return Bounds(day, day + _DAY)


class Partitions:
    """Knows which days have a partition and makes those that are missing. Safe with many API processes."""

    def __init__(self, pool: Pool, history_days: int) -> None:
        self._pool = pool
        self._history_days = history_days
        self._known: set[str] = set()

    def missing(self, days: Iterable[str]) -> set[str]:
        """Days (ISO) of `events` not known to have a partition."""
        return set(days) - self._known

    def forget(self) -> None:
        """Look again before relying on any partition: one was dropped."""
        self._known.clear()

    async def ensure(self, days: Iterable[str]) -> None:
        """Make the partitions of `events` that these days (ISO) need."""
        wanted = sorted(date.fromisoformat(day) for day in days)
        async with self._pool.transaction() as connection:
            await self._make(connection, EVENTS, wanted)
        self._known.update(day.isoformat() for day in wanted)

    async def maintain(self) -> None:
        """Make the partitions of the coming days."""
        today = datetime.now(UTC).date()
        days = [today + _DAY * offset for offset in range(-_DAYS_BACK, _DAYS_AHEAD + 1)]
        async with self._pool.transaction() as connection:
            await self._make(connection, EVENTS, days)
            await self._make(connection, OUTBOX, days)
        self._known.update(day.isoformat() for day in days)

    async def _make(self, connection: Connection, table: str, days: Iterable[date]) -> None:
        existing = [bounds for _, bounds in await existing_partitions(connection, table)]
        if all(any(bounds.covers(day) for bounds in existing) for day in days):
            return
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
        existing = [bounds for _, bounds in await existing_partitions(connection, table)]
        today = datetime.now(UTC).date()
        for day in days:
            if not any(bounds.covers(day) for bounds in existing):
                bounds = plan(day, existing, today, self._history_days)
                await _create(connection, table, bounds)
                existing.append(bounds)


async def existing_partitions(connection: Connection, table: str) -> list[tuple[str, Bounds]]:
    """The table's partitions, each with its days."""
    cursor = await connection.execute(_EXISTING, (table,))
    found: list[tuple[str, Bounds]] = []
    for name, expression in await cursor.fetchall():
        match = _BOUNDS.search(expression)
        if match is not None:
            found.append((name, Bounds(date.fromisoformat(match[1]), date.fromisoformat(match[2]))))
    return found


async def _create(connection: Connection, table: str, bounds: Bounds) -> None:
    """Made apart and then attached: that locks the parent against other such changes, not against inserts."""
    length = 8 if bounds.end - bounds.start == _DAY else 6
    name = sql.Identifier(f"{table}_{bounds.start.isoformat().replace('-', '')[:length]}")
    parent = sql.Identifier(table)
    await connection.execute(
        sql.SQL(
            "CREATE TABLE {} (LIKE {} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES)"
        ).format(name, parent)
    )
    await connection.execute(
        sql.SQL("ALTER TABLE {} ATTACH PARTITION {} FOR VALUES FROM ({}) TO ({})").format(
            parent, name, sql.Literal(bounds.start.isoformat()), sql.Literal(bounds.end.isoformat())
        )
    )
