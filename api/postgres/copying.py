"""COPY's text format: the cheapest way of many rows into a table.

Columns are separated by tabs and rows by newlines; the contract refuses control characters in ids and keys, and
encoded JSON has none, so only the backslash needs escaping. An absent value is the empty text (ids and keys are
never empty), which COPY is told to read as NULL.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from api.postgres.database import Connection
from neonblue.contract.events import Event
from neonblue.contract.outbox import OutboxRow

_EVENT_COLUMNS = (
    'day, id, "timestamp", received_at, experiment_id, user_id, unit_type, event_type, variant_key, session_id, '
    "value, properties"
)
COPY_EVENTS = f"COPY events ({_EVENT_COLUMNS}) FROM STDIN (NULL '')"
COPY_PENDING = f"COPY pending_events ({_EVENT_COLUMNS}, ordinal) FROM STDIN (NULL '')"
_COPY_OUTBOX = "COPY outbox_events (aggregate_type, aggregate_id, event_type, payload) FROM STDIN (NULL '')"


def event_row(event: Event, received_at: str) -> str:
    """The event as a row of `events`, without its end."""
    experiment = "" if event.experiment_id is None else event.experiment_id
    properties = "" if event.properties is None else event.properties.decode()
    return (
        f"{event.day}\t{event.id}\t{event.timestamp}\t{received_at}\t{experiment}\t{event.user_id}\t"
        f"{event.unit_type}\t{event.event_type}\t{event.variant_key or ''}\t{event.session_id or ''}\t"
        f"{event.value or ''}\t{properties}"
    )


async def copy_rows(connection: Connection, statement: str, rows: Sequence[str]) -> None:
    """Run a COPY statement with these rows."""
    data = "\n".join(rows).replace("\\", "\\\\") + "\n"
    async with connection.cursor() as cursor, cursor.copy(statement.encode()) as copy:
        await copy.write(data.encode())


async def write_outbox(connection: Connection, rows: Iterable[OutboxRow]) -> None:
    """Insert rows of the outbox, in their order."""
    texts = [
        f"{row.aggregate_type}\t{row.aggregate_id}\t{row.event_type}\t{row.payload.decode()}" for row in rows
    ]
    if texts:
        await copy_rows(connection, _COPY_OUTBOX, texts)
