"""Rows by INSERT from arrays: a COPY takes several trips to the server, these wait for none within a pipeline.

Texts go in binary (%b): in the other form each quotation mark of a payload is escaped, in Python.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from api.postgres.database import Connection
from neonblue.contract.events import Event
from neonblue.contract.outbox import OutboxRow

_EXPOSURES = """
INSERT INTO events (day, id, "timestamp", received_at, experiment_id, user_id, unit_type, event_type, variant_key)
SELECT * FROM unnest(
    %s::date[], %s::uuid[], %s::timestamptz[], %s::timestamptz[], %s::integer[], %b::text[], %b::text[], %b::text[],
    %b::text[]
)
"""
_OUTBOX = """
INSERT INTO outbox_events (aggregate_type, aggregate_id, event_type, payload)
SELECT aggregate_type, aggregate_id, event_type, payload::jsonb
FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[]) WITH ORDINALITY
    AS message (aggregate_type, aggregate_id, event_type, payload, place)
ORDER BY place
"""


async def insert_exposures(connection: Connection, events: Sequence[Event], received_at: str) -> None:
    """Insert events that are new and have neither session, value nor properties."""
    ordered = sorted(events, key=lambda event: (event.day, event.id))
    await connection.execute(
        _EXPOSURES.encode(),
        (
            [event.day for event in ordered],
            [event.id for event in ordered],
            [event.timestamp for event in ordered],
            [received_at] * len(ordered),
            [event.experiment_id for event in ordered],
            [event.user_id for event in ordered],
            [event.unit_type for event in ordered],
            [event.event_type for event in ordered],
            [event.variant_key for event in ordered],
        ),
    )


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
