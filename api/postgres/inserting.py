"""Rows by INSERT from arrays: a COPY takes several trips to the server, these wait for none within a pipeline.

Texts go in binary (%b): in the other form each quotation mark of a payload is escaped, in Python.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

from msgspec import Raw

from api.postgres.database import Connection
from neonblue.contract.columns import Column, listed
from neonblue.contract.events import EVENT_COLUMNS, Event
from neonblue.contract.outbox import OutboxRow

_OUTBOX = """
INSERT INTO outbox_events (aggregate_type, aggregate_id, event_type, payload)
SELECT aggregate_type, aggregate_id, event_type, payload::jsonb
FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[]) WITH ORDINALITY
    AS message (aggregate_type, aggregate_id, event_type, payload, place)
ORDER BY place
"""


async def insert_events(connection: Connection, events: Sequence[Event], received_at: str) -> None:
    """Insert events that are new."""
    ordered = sorted(events, key=lambda event: (event.day, event.id))
    held = tuple(
        column
        for column in EVENT_COLUMNS
        if not column.optional or any(getattr(event, column.name) is not None for event in ordered)
    )
    values = [[_value(getattr(event, column.name)) for event in ordered] for column in held]
    await connection.execute(_statement(held), [*values, [received_at] * len(ordered)])


@lru_cache(maxsize=64)
def _statement(columns: tuple[Column, ...]) -> bytes:
    """An INSERT of these columns from arrays; JSON travels as a text."""
    types = ["text" if column.sql_type == "jsonb" else column.sql_type for column in columns]
    arrays = ", ".join(f"{'%b' if kind == 'text' else '%s'}::{kind}[]" for kind in types)
    values = ", ".join(f'"{column.name}"::{column.sql_type}' for column in columns)
    return f"""
INSERT INTO events ({listed(columns)}, received_at)
SELECT {values}, received_at FROM unnest({arrays}, %s::timestamptz[]) AS event ({listed(columns)}, received_at)
""".encode()  # noqa: S608 - the names are the contract's


def _value(value: str | int | Raw | None) -> str | int | None:
    return str(value, "utf-8") if isinstance(value, Raw) else value


async def insert_outbox(connection: Connection, rows: Iterable[OutboxRow]) -> None:
    """Insert rows of the outbox, in their order."""
    listed = list(rows)
    if listed:
        await connection.execute(
            _OUTBOX.encode(),
            (
                [str(row.aggregate_type) for row in listed],
                [row.aggregate_id for row in listed],
                [str(row.event_type) for row in listed],
                [row.payload.decode() for row in listed],
            ),
        )
