"""Events into PostgreSQL: what is new, what was there already, what was there with other content."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Any

from api.postgres.copying import COPY_EVENTS, COPY_PENDING, copy_rows, event_row
from api.postgres.database import Connection
from neonblue.contract.events import Event

PREPARE = """
CREATE TEMPORARY TABLE IF NOT EXISTS pending_events
    (LIKE events, ordinal integer NOT NULL, PRIMARY KEY (ordinal)) ON COMMIT DELETE ROWS
"""
_INSERT_PENDING = """
INSERT INTO events (
    day, id, "timestamp", received_at, experiment_id, user_id, unit_type, event_type, variant_key, session_id,
    value, properties
)
SELECT DISTINCT ON (day, id)
    day, id, "timestamp", received_at, experiment_id, user_id, unit_type, event_type, variant_key, session_id,
    value, properties
FROM pending_events ORDER BY day, id, ordinal
ON CONFLICT DO NOTHING
RETURNING day::text, id::text
"""
_DIFFERENT = """
SELECT pending.ordinal
FROM pending_events AS pending CROSS JOIN LATERAL (
    SELECT * FROM events WHERE events.day = pending.day AND events.id = pending.id OFFSET 0
) AS stored
WHERE (stored.user_id, stored.unit_type, stored.event_type, stored."timestamp") IS DISTINCT FROM
      (pending.user_id, pending.unit_type, pending.event_type, pending."timestamp")
   OR (stored.experiment_id, stored.session_id, stored.value, stored.properties) IS DISTINCT FROM
      (pending.experiment_id, pending.session_id, pending.value, pending.properties)
"""


class Fate(Enum):
    """What became of an event."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    REUSED = "reused"


async def copy_new(connection: Connection, events: Sequence[Event], received_at: str) -> None:
    """Insert events, all received at once. Raises UniqueViolation if any is there already.

    Sorted by key, so that two transactions with the same events wait for each other in one order.
    """
    rows = [event_row(event, received_at) for event in events]
    rows.sort()  # a row begins with its key
    await copy_rows(connection, COPY_EVENTS, rows)


async def insert_or_compare(connection: Connection, events: Sequence[Event], received_at: str) -> list[Fate]:
    """Insert those that are not there yet, and tell of each what became of it; the same id may occur twice.

    Once in a transaction.
    """
    rows = [f"{event_row(event, received_at)}\t{n}" for n, event in enumerate(events)]
    await copy_rows(connection, COPY_PENDING, rows)
    inserted = {(day, identifier) for day, identifier in await _fetch(connection, _INSERT_PENDING)}
    different = {ordinal for (ordinal,) in await _fetch(connection, _DIFFERENT)}
    fates: list[Fate] = []
    for ordinal, event in enumerate(events):
        key = (event.day, event.id)
        if key in inserted:
            inserted.remove(key)
            fates.append(Fate.ACCEPTED)
        else:
            fates.append(Fate.REUSED if ordinal in different else Fate.DUPLICATE)
    return fates


async def _fetch(connection: Connection, statement: str) -> list[tuple[Any, ...]]:
    cursor = await connection.execute(statement.encode())
    return await cursor.fetchall()
