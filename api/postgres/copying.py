"""COPY's text format: the cheapest way of many rows into a table.

Columns are separated by tabs and rows by newlines. The contract refuses control characters in ids and keys, and
encoded JSON has none, so such characters stand between values alone: rows are joined as they are, and the characters
counted. Where there are more than that, each value is escaped by itself. An absent value is the empty text (no id and
no key is empty), which COPY is told to read as NULL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter

from msgspec import Raw

from api.postgres.database import Connection
from neonblue.contract.columns import Column, listed
from neonblue.contract.compiled import compiled
from neonblue.contract.events import EVENT_COLUMNS, Event
from neonblue.contract.outbox import OutboxRow

COPY_EVENTS = f"COPY events ({listed(EVENT_COLUMNS)}, received_at) FROM STDIN (NULL '')"
COPY_PENDING = f"COPY pending_events ({listed(EVENT_COLUMNS)}, received_at, ordinal) FROM STDIN (NULL '')"
_COPY_OUTBOX = "COPY outbox_events (aggregate_type, aggregate_id, event_type, payload) FROM STDIN (NULL '')"

_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def event_lines(events: Sequence[Event], received_at: str) -> bytes:
    """Rows for `COPY_EVENTS`, in the order of their keys, so that two transactions wait for each other in one order."""
    rows = [_event_row(event, received_at) for event in events]
    rows.sort()  # a row begins with its key
    return _joined("\n".join(rows).encode(), len(rows) * (len(EVENT_COLUMNS) + 1)) or _escaped(
        [*_event_values(event), received_at] for event in sorted(events, key=attrgetter("day", "id"))
    )


def numbered_event_lines(events: Sequence[Event], received_at: str) -> bytes:
    """Rows for `COPY_PENDING`: each with its place among the events."""
    rows = [f"{_event_row(event, received_at)}\t{n}" for n, event in enumerate(events)]
    return _joined("\n".join(rows).encode(), len(rows) * (len(EVENT_COLUMNS) + 2)) or _escaped(
        [*_event_values(event), received_at, str(n)] for n, event in enumerate(events)
    )


def outbox_lines(rows: Sequence[OutboxRow]) -> bytes:
    """Rows of the outbox, in their order."""
    texts = [
        b"%b\t%b\t%b\t%b"
        % (row.aggregate_type.encode(), row.aggregate_id.encode(), row.event_type.encode(), row.payload)
        for row in rows
    ]
    return _joined(b"\n".join(texts), len(texts) * 4) or _escaped(
        (row.aggregate_type, row.aggregate_id, row.event_type, row.payload.decode()) for row in rows
    )


async def copy_lines(connection: Connection, statement: str, lines: bytes) -> None:
    """Run a COPY statement with these rows."""
    async with connection.cursor() as cursor, cursor.copy(statement.encode()) as copy:
        await copy.write(lines)


async def write_outbox(connection: Connection, rows: Iterable[OutboxRow]) -> None:
    """Insert rows of the outbox, in their order."""
    wanted = list(rows)
    if wanted:
        await copy_lines(connection, _COPY_OUTBOX, outbox_lines(wanted))


def _joined(rows: bytes, separators: int) -> bytes | None:
    """The rows with their end; None where a value holds what separates them: then there are more than `separators`."""
    data = rows.replace(b"\\", b"\\\\") + b"\n"
    return data if len(data) - len(data.translate(None, b"\t\n\r")) == separators else None


def _escaped(rows: Iterable[Sequence[str]]) -> bytes:
    return "".join(["\t".join([value.translate(_ESCAPES) for value in row]) + "\n" for row in rows]).encode()


def _event_values(event: Event) -> list[str]:
    values = _fields_of(event)
    return ["" if v is None else str(v, "utf-8") if isinstance(v, Raw) else str(v) for v in values]


def _shown(column: Column) -> str:
    value = f"event.{column.name}"
    if column.sql_type == "jsonb":
        value = f"str({value}, 'utf-8')"
    return f"{value} if event.{column.name} is not None else ''" if column.optional else value


_fields_of = attrgetter(*(column.name for column in EVENT_COLUMNS))
_event_row: Callable[[Event, str], str] = compiled(
    "event, received_at",
    'f"' + "".join("{" + _shown(column) + "}\\t" for column in EVENT_COLUMNS) + '{received_at}"',
)
