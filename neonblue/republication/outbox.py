"""Rows of the outbox, written as the API writes them."""

from __future__ import annotations

from collections.abc import Iterable

import psycopg

from neonblue.contract.outbox import OutboxRow

_COPY = "COPY outbox_events (aggregate_type, aggregate_id, event_type, payload) FROM STDIN"


def write(connection: psycopg.Connection, rows: Iterable[OutboxRow]) -> None:
    """Insert the rows, in their order, in the caller's transaction."""
    with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        for row in rows:
            copy.write_row(
                (str(row.aggregate_type), row.aggregate_id, str(row.event_type), row.payload.decode())
            )
