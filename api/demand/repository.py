"""How often keys were asked for, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from api.demand.counts import Row
from api.postgres.database import Connection

KEPT_DAYS = 90
"""For how long an hour is kept."""

_ADD = """
INSERT INTO evaluations AS held (experiment_id, hour, variant_key, reason, count, first_at, last_at)
SELECT added.*
FROM unnest(
    %s::integer[], %s::timestamptz[], %s::text[], %s::text[], %s::bigint[], %s::timestamptz[], %s::timestamptz[]
) AS added (experiment_id, hour, variant_key, reason, count, first_at, last_at)
WHERE EXISTS (SELECT FROM experiments WHERE experiments.id = added.experiment_id)
ORDER BY added.experiment_id, added.hour, added.variant_key, added.reason
ON CONFLICT (experiment_id, hour, variant_key, reason) DO UPDATE SET
    count = held.count + excluded.count,
    first_at = least(held.first_at, excluded.first_at),
    last_at = greatest(held.last_at, excluded.last_at)
"""
_ASKED = """
SELECT coalesce(sum(count), 0)::bigint, min(first_at), max(last_at), now()
FROM evaluations
WHERE experiment_id = %(experiment_id)s
    AND (%(days)s::integer IS NULL OR last_at > now() - make_interval(days => %(days)s))
"""
_HOURS = """
SELECT hour, variant_key, reason, count FROM evaluations
WHERE experiment_id = %s AND hour >= %s AND hour < %s
ORDER BY hour, variant_key, reason
"""
_SINCE = "SELECT greatest(since, now() - make_interval(days => %s)), now() FROM evaluations_since"
_EXPERIMENT = "SELECT id FROM experiments WHERE key = %s"
_PRUNE = "DELETE FROM evaluations WHERE hour < now() - make_interval(days => %s)"

HourCount = tuple[datetime, str, str, int]
"""Hour, variant (empty: none), reason, count."""


@dataclass(frozen=True, slots=True)
class Asked:
    """How often a key was asked for, first and last: null where it was not. now: by PostgreSQL's clock."""

    count: int
    first_at: datetime | None
    last_at: datetime | None
    now: datetime


async def add(connection: Connection, rows: Sequence[Row]) -> None:
    """Add to what is stored, in one statement. Rows of experiments that are gone are left out.

    In the order of the key, so that two processes never wait for each other.
    """
    fields = ((*row.place, row.count, row.first_at, row.last_at) for row in rows)
    await connection.execute(_ADD, [list(column) for column in zip(*fields, strict=True)])


async def read_asked(connection: Connection, experiment_id: int, days: int | None) -> Asked:
    """How often the experiment's key was asked for, of all that is kept or in so many days, to the hour."""
    cursor = await connection.execute(_ASKED, {"experiment_id": experiment_id, "days": days})
    row = await cursor.fetchone()
    assert row is not None  # noqa: S101 - a sum has one row
    return Asked(*row)


async def read_hours(
    connection: Connection, experiment_id: int, since: datetime, until: datetime
) -> list[HourCount]:
    """The hours that begin in this span, in order."""
    cursor = await connection.execute(_HOURS, (experiment_id, since, until))
    return [(hour, variant, reason, count) for hour, variant, reason, count in await cursor.fetchall()]


async def read_since(connection: Connection) -> tuple[datetime, datetime]:
    """From when on all is counted and kept, and PostgreSQL's time."""
    row = await (await connection.execute(_SINCE, (KEPT_DAYS,))).fetchone()
    assert row is not None  # noqa: S101 - its migration wrote the row
    return row[0], row[1]


async def find_experiment(connection: Connection, key: str) -> int | None:
    """The number of the experiment of this key."""
    row = await (await connection.execute(_EXPERIMENT, (key,))).fetchone()
    return None if row is None else int(row[0])


async def prune(connection: Connection) -> None:
    """Delete what is older than it is kept."""
    await connection.execute(_PRUNE, (KEPT_DAYS,))
