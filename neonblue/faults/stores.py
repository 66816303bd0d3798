"""Reading what PostgreSQL and ClickHouse hold, row by row: a fault run's data are small."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal

import psycopg

from neonblue.clickhouse.client import connect
from neonblue.faults.notes import Notes, Unit
from neonblue.faults.oracle import Findings, Stored, StoredEvent, compare
from neonblue.settings import Role, Settings

BY_API = ("exposure",)
"""Event types that the API makes by itself, under ids of its own."""
_POLL_SECONDS = 1.0

_ACCEPTED_EVENTS = """
SELECT id::text, min(user_id), min(coalesce(value, 0)), count(*), min(coalesce(session_id, '')), min(event_type)
FROM events GROUP BY id
"""
_ACCEPTED_UNITS = """
SELECT experiments.key, assignments.user_id, assignments.variant_key
FROM assignments JOIN experiments ON experiments.id = assignments.experiment_id
"""
_KEYS = "SELECT id, key FROM experiments"
_PRESENT_EVENTS = """
SELECT toString(event_id), any(user_id), any(value), count(), any(session_id), any(event_type)
FROM events_processed FINAL GROUP BY event_id
"""
_PRESENT_UNITS = "SELECT experiment_id, user_id, variant_key FROM assignments FINAL"


def accepted(settings: Settings) -> tuple[Stored, Mapping[int, str]]:
    """What PostgreSQL holds, and the experiments' keys by id. Raises psycopg.Error."""
    with psycopg.connect(settings.postgres.acting(Role.READER).dsn(), connect_timeout=5) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        events = {str(row[0]): _event(*row[1:]) for row in connection.execute(_ACCEPTED_EVENTS)}
        variants: dict[Unit, set[str]] = defaultdict(set)
        for key, user, variant in connection.execute(_ACCEPTED_UNITS):
            variants[str(key), str(user)].add(str(variant))
        keys = {int(number): str(key) for number, key in connection.execute(_KEYS)}
    return Stored(events, {unit: frozenset(found) for unit, found in variants.items()}), keys


def present(settings: Settings, keys: Mapping[int, str]) -> Stored:
    """What ClickHouse holds. Raises clickhouse_connect's errors."""
    with connect(settings.clickhouse) as client:
        events = {str(row[0]): _event(*row[1:]) for row in client.query(_PRESENT_EVENTS).result_rows}
        variants: dict[Unit, set[str]] = defaultdict(set)
        for number, user, variant in client.query(_PRESENT_UNITS).result_rows:
            variants[keys.get(int(number), f"experiment {number}"), str(user)].add(str(variant))
    return Stored(events, {unit: frozenset(found) for unit, found in variants.items()})


def _event(owner: str, value: Decimal, copies: int, session: str, kind: str) -> StoredEvent:
    return StoredEvent(
        owner, Decimal(value).quantize(Decimal("0.000001")), int(copies), session, kind in BY_API
    )


def look(settings: Settings, notes: Notes, wait_seconds: float, *, erasures: bool) -> Findings:
    """Compare now; while something is only on its way, look again for so long.

    erasures: whether nothing may be left of the erased. What is, is no model's from the first moment on; it is removed
    from ClickHouse in the background, up to minutes after a fault.
    Rows that are accepted later do not count as missing: it ends under load too. Raises what the stores' clients raise.
    """
    deadline = time.monotonic() + wait_seconds
    before = notes.copy()
    first, keys = accepted(settings)
    known = {*first.events, *(f"{key}/{user}" for key, user in first.variants)}
    while True:
        there = present(settings, keys)
        second, keys = accepted(settings)
        found = compare(before, notes.copy(), second, there)
        found.missing &= known
        if not erasures:
            found.revived.clear()
        if not (found.missing or found.revived) or time.monotonic() >= deadline:
            return found
        time.sleep(_POLL_SECONDS)
