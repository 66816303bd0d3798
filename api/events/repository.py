"""Events into PostgreSQL: what is new, what was there already, what was there with other content."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Any

from api.postgres.copying import COPY_EVENTS, COPY_PENDING, copy_lines, event_lines, numbered_event_lines
from api.postgres.database import Connection
from neonblue.contract.columns import compared, listed
from neonblue.contract.events import EVENT_COLUMNS, Event

PREPARE = """
CREATE TEMPORARY TABLE IF NOT EXISTS pending_events
    (LIKE events, ordinal integer NOT NULL, PRIMARY KEY (ordinal)) ON COMMIT DELETE ROWS
"""
_COLUMNS = f"{listed(EVENT_COLUMNS)}, received_at"
_INSERT_PENDING = f"""
INSERT INTO events ({_COLUMNS})
SELECT DISTINCT ON (day, id) {_COLUMNS}
FROM pending_events ORDER BY day, id, ordinal
ON CONFLICT DO NOTHING
RETURNING day::text, id::text
"""  # noqa: S608 - the names are the contract's
_DIFFERENT = f"""
SELECT pending.ordinal
FROM pending_events AS pending CROSS JOIN LATERAL (
    SELECT * FROM events WHERE events.day = pending.day AND events.id = pending.id OFFSET 0
) AS stored
WHERE ({compared(EVENT_COLUMNS, "stored")}) IS DISTINCT FROM ({compared(EVENT_COLUMNS, "pending")})
"""  # noqa: S608


class Fate(Enum):
    """What became of an event."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    REUSED = "reused"


async def copy_new(connection: Connection, events: Sequence[Event], received_at: str) -> None:
    """Insert events, all received at once. Raises UniqueViolation if any is there already."""
    await copy_lines(connection, COPY_EVENTS, event_lines(events, received_at))


async def insert_or_compare(connection: Connection, events: Sequence[Event], received_at: str) -> list[Fate]:
    """Insert those that are not there yet, and tell of each what became of it; the same id may occur twice.

    Once in a transaction.
    """
    await copy_lines(connection, COPY_PENDING, numbered_event_lines(events, received_at))
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
