"""What PostgreSQL holds of each kind: counted, read page by page in the order of the key, or found by keys.

A page has a bound of rows, not of time: none is filtered on the way, so that no statement reads a whole table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import psycopg

from neonblue.contract.events import EVENT_COLUMNS
from neonblue.reconciliation.compare import Kind
from neonblue.republication import rebuilt
from neonblue.republication.rebuilt import (
    AssignmentRow,
    DraftRow,
    LinkRow,
    Rebuilt,
    VersionRow,
)

PAGE_ROWS = {Kind.EVENTS: 2_000, Kind.ASSIGNMENTS: 2_000, Kind.EXPERIMENTS: 100, Kind.LINKS: 2_000}
"""What is held at once: an event is at most 64 KiB, an experiment's version 256 KiB, and nearly all are far smaller."""
Key = tuple[Any, ...]

_AS_TEXT = ("uuid", "numeric", "jsonb")
_EVENT_COLUMNS = f"""
SELECT received_at, {", ".join(f'"{c.name}"{"::text" * (c.sql_type in _AS_TEXT)}' for c in EVENT_COLUMNS)}
FROM events
"""  # noqa: S608 - the names are the contract's
_EVENTS_AFTER = _EVENT_COLUMNS + "WHERE day = %s AND id > %s::uuid ORDER BY events.id LIMIT %s"
_EVENTS_FOUND = _EVENT_COLUMNS + "WHERE day = %s AND id = ANY(%s::uuid[])"

_COLUMNS = {
    Kind.ASSIGNMENTS: """
SELECT experiment_id, unit_type, user_id, variant_key, version, assigned_at, received_at, attributes::text
FROM assignments
""",
    Kind.EXPERIMENTS: "SELECT experiment_id, version, snapshot::text FROM experiment_versions ",
    Kind.LINKS: "SELECT unit_type, anonymous_id, user_id, linked_at FROM user_links ",
}
_AFTER = {
    Kind.ASSIGNMENTS: """
WHERE (experiment_id, unit_type, user_id) > (%s, %s, %s) ORDER BY experiment_id, unit_type, user_id LIMIT %s
""",
    Kind.EXPERIMENTS: "WHERE (experiment_id, version) > (%s, %s) ORDER BY experiment_id, version LIMIT %s",
    Kind.LINKS: "WHERE (unit_type, anonymous_id) > (%s, %s) ORDER BY unit_type, anonymous_id LIMIT %s",
}
_FOUND = {
    Kind.ASSIGNMENTS: """
WHERE (experiment_id, unit_type, user_id) IN (SELECT * FROM unnest(%s::integer[], %s::text[], %s::text[]))
""",
    Kind.EXPERIMENTS: "WHERE (experiment_id, version) IN (SELECT * FROM unnest(%s::integer[], %s::integer[]))",
    Kind.LINKS: "WHERE (unit_type, anonymous_id) IN (SELECT * FROM unnest(%s::text[], %s::text[]))",
}
_DRAFTS = """
SELECT experiment_id, snapshot::text FROM deleted_drafts
WHERE %s::integer[] IS NULL OR experiment_id = ANY(%s) ORDER BY experiment_id
"""
_BEFORE_ALL: dict[Kind, Key] = {
    Kind.ASSIGNMENTS: (0, "", ""),
    Kind.EXPERIMENTS: (0, 0),
    Kind.LINKS: ("", ""),
}
_ID = 1 + [column.name for column in EVENT_COLUMNS].index("id")
_NO_ID = "00000000-0000-0000-0000-000000000000"

_LONG = "SET LOCAL statement_timeout = '30min'"
_COUNTED = {
    Kind.EVENTS: """
SELECT day, (received_at AT TIME ZONE 'UTC')::date, count(*), min(received_at) FROM events
WHERE received_at >= %(start)s AND received_at < %(end)s GROUP BY 1, 2 ORDER BY 1, 2
""",
    Kind.ASSIGNMENTS: """
SELECT NULL, (coalesce(received_at, assigned_at) AT TIME ZONE 'UTC')::date, count(*),
    min(coalesce(received_at, assigned_at))
FROM assignments
WHERE coalesce(received_at, assigned_at) >= %(start)s AND coalesce(received_at, assigned_at) < %(end)s
GROUP BY 2 ORDER BY 2
""",
    Kind.EXPERIMENTS: """
SELECT NULL, (received_at AT TIME ZONE 'UTC')::date, count(*), min(received_at)
FROM (
    SELECT (snapshot ->> 'received_at')::timestamptz AS received_at FROM experiment_versions
    UNION ALL SELECT (snapshot ->> 'received_at')::timestamptz FROM deleted_drafts
) AS states
WHERE received_at >= %(start)s AND received_at < %(end)s GROUP BY 2 ORDER BY 2
""",
    Kind.LINKS: """
SELECT NULL, (linked_at AT TIME ZONE 'UTC')::date, count(*), min(linked_at) FROM user_links
WHERE linked_at >= %(start)s AND linked_at < %(end)s GROUP BY 2 ORDER BY 2
""",
    Kind.ERASURES: """
SELECT NULL, (erased_at AT TIME ZONE 'UTC')::date, count(*), min(erased_at) FROM erasures
WHERE person IS NOT NULL GROUP BY 2 ORDER BY 2
""",
}
"""Erasures are of all times: whoever is erased must not come back with the rest."""


@dataclass(frozen=True, slots=True)
class Counted:
    """Rows of a kind that were accepted on one UTC day, and when the first of them was.

    partition: of events, the day under which they are stored.
    """

    partition: date | None
    accepted: date
    rows: int
    first: datetime


def count(connection: psycopg.Connection, kind: Kind, start: datetime, end: datetime) -> list[Counted]:
    """What was accepted from `start` up to, not including, `end`."""
    with connection.transaction():
        connection.execute(_LONG)
        rows = connection.execute(_COUNTED[kind].encode(), {"start": start, "end": end}).fetchall()
    return [Counted(*row) for row in rows]


def events_after(
    connection: psycopg.Connection, day: date, identifier: str | None
) -> tuple[list[Rebuilt], str | None]:
    """The next page of a day, and the id to go on behind; None: it was the last."""
    limit = PAGE_ROWS[Kind.EVENTS]
    found = connection.execute(_EVENTS_AFTER.encode(), (day, identifier or _NO_ID, limit)).fetchall()
    last = found[-1][_ID] if len(found) == limit else None
    return [rebuilt.event(received_at, values) for received_at, *values in found], last


def find_events(connection: psycopg.Connection, day: date, ids: Sequence[str]) -> list[Rebuilt]:
    """Those of a day that have these ids."""
    found = connection.execute(_EVENTS_FOUND.encode(), (day, list(ids)))
    return [rebuilt.event(received_at, values) for received_at, *values in found]


def assignments_after(
    connection: psycopg.Connection, key: Key | None
) -> tuple[list[AssignmentRow], Key | None]:
    """The next page of assignments, and the key to go on behind."""
    rows, last = _after(connection, Kind.ASSIGNMENTS, key)
    return [AssignmentRow(*row) for row in rows], last


def rows_after(
    connection: psycopg.Connection, kind: Kind, key: Key | None
) -> tuple[list[Rebuilt], Key | None]:
    """The next page of experiments' versions, or of links, and the key to go on behind."""
    rows, last = _after(connection, kind, key)
    return [_rebuilt(kind, row) for row in rows], last


def find_rows(connection: psycopg.Connection, kind: Kind, keys: Sequence[Key]) -> list[Rebuilt]:
    """The assignments, versions or links that have these keys."""
    columns = [list(column) for column in zip(*keys, strict=True)]
    found = connection.execute((_COLUMNS[kind] + _FOUND[kind]).encode(), columns)
    return [_rebuilt(kind, row) for row in found]


def deleted_drafts(connection: psycopg.Connection, ids: Sequence[int] | None = None) -> list[Rebuilt]:
    """The last message on each deleted draft, or on those of these ids."""
    wanted = None if ids is None else list(ids)
    found = connection.execute(_DRAFTS.encode(), (wanted, wanted))
    return [rebuilt.deleted_draft(DraftRow(*row)) for row in found]


def _after(
    connection: psycopg.Connection, kind: Kind, key: Key | None
) -> tuple[list[tuple[Any, ...]], Key | None]:
    first, limit = _BEFORE_ALL[kind], PAGE_ROWS[kind]
    found = connection.execute((_COLUMNS[kind] + _AFTER[kind]).encode(), (*(key or first), limit)).fetchall()
    return found, found[-1][: len(first)] if len(found) == limit else None


def _rebuilt(kind: Kind, row: tuple[Any, ...]) -> Rebuilt:
    if kind is Kind.ASSIGNMENTS:
        return rebuilt.assignment(AssignmentRow(*row))
    if kind is Kind.EXPERIMENTS:
        return rebuilt.version(VersionRow(*row))
    return rebuilt.link(LinkRow(*row))
