"""Erasure in PostgreSQL: the person's rows, and the receipts."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from psycopg import errors, sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from api.erasures.model import Erasure
from api.erasures.schemas import Removed
from api.identity.holdings import ASSIGNMENTS, EVENTS, LINKS, holds, of_person, tables_of_people
from api.identity.pseudonyms import forget_key, names_a_change
from api.postgres.database import Connection
from api.users.repository import Person

CHANNEL = "neonblue_erasures"
"""Notifications of erasures; the payload is the erasure's id."""
EXPERIMENTS_CHANNEL = "neonblue_experiments"

_LEASE = "30 seconds"
"""Renewed while a process is at it: what one that was killed had taken is due again soon."""
_COLUMNS = """
id, unit_type, user_id, person, erased_at, linked, removed, arrived_at, settled_at, cleared_at, outbox_gone_at,
topic_gone_at, closed_at, attempts, problem, person_key
"""
_INSERT = """
INSERT INTO erasures (id, unit_type, user_id, person, erased_at, linked, removed)
VALUES (%s, %s, %s, %s, %s, %s, %s)
"""
_SAVE = """
UPDATE erasures SET user_id = %(user_id)s, person = %(person)s, removed = %(removed)s,
    arrived_at = %(arrived_at)s, settled_at = %(settled_at)s, cleared_at = %(cleared_at)s,
    outbox_gone_at = %(outbox_gone_at)s, topic_gone_at = %(topic_gone_at)s, closed_at = %(closed_at)s,
    attempts = %(attempts)s, problem = %(problem)s, person_key = %(person_key)s,
    next_attempt_at = now() + %(wait)s
WHERE id = %(id)s
"""
_READ = f"SELECT {_COLUMNS} FROM erasures WHERE id = %s"  # noqa: S608 - no value is in the text
_NEWEST_OF = f"""
SELECT {_COLUMNS} FROM erasures WHERE person = %s ORDER BY erased_at DESC LIMIT 1
"""  # noqa: S608
_WAITING = f"""
SELECT {_COLUMNS} FROM erasures WHERE person IS NOT NULL ORDER BY erased_at LIMIT %s
"""  # noqa: S608
_CLAIM = f"""
UPDATE erasures SET attempts = attempts + 1, next_attempt_at = now() + interval '{_LEASE}'
WHERE id IN (
    SELECT id FROM erasures WHERE next_attempt_at <= now()
    ORDER BY next_attempt_at LIMIT %s FOR UPDATE SKIP LOCKED
)
RETURNING {_COLUMNS}
"""  # noqa: S608
_RENEW = f"UPDATE erasures SET next_attempt_at = now() + interval '{_LEASE}' WHERE id = ANY(%s)"  # noqa: S608
_DELETE = "DELETE FROM {table} WHERE {condition}"
_DELETE_EVENTS = """
WITH gone AS (
    DELETE FROM events WHERE unit_type = %(unit_type)s AND user_id = %(user_id)s
        AND received_at <= coalesce(%(until)s, 'infinity'::timestamptz)
    RETURNING tableoid::regclass::text AS partition, received_at
)
SELECT partition, count(*), max(received_at) FROM gone GROUP BY partition
"""
_DELETE_RECEIVED = """
WITH gone AS (DELETE FROM {table} WHERE {condition} RETURNING {received} AS received)
SELECT count(*), max(received) FROM gone
"""
_RECEIVED = {ASSIGNMENTS: sql.SQL("coalesce(received_at, assigned_at)"), LINKS: sql.SQL("linked_at")}
"""When rows that the stream is told of were received; assignments of older versions have but their own time."""
_DELETE_LATE_ASSIGNMENTS = """
DELETE FROM assignments USING experiments
WHERE experiments.id = assignments.experiment_id
    AND assignments.unit_type = %(unit_type)s AND assignments.user_id = %(user_id)s
    AND coalesce(assignments.received_at, assignments.assigned_at) <= %(until)s
"""
_DELETE_LATE_LINKS = """
DELETE FROM user_links
WHERE unit_type = %(unit_type)s AND (user_id = %(user_id)s OR anonymous_id = %(user_id)s) AND linked_at <= %(until)s
"""
_DELETE_USER = "DELETE FROM users WHERE (unit_type, external_id) = (%(unit_type)s, %(user_id)s)"
_DELETE_ANSWERS = "DELETE FROM idempotency_keys WHERE position(%s::bytea IN answer) > 0"
_FORCED = """
SELECT pg_notify(%s, id::text) FROM experiments
"""
_VACUUM = "VACUUM (ANALYZE) {table}"
_CLEARS_STATISTICS = 18_00_00
_CLEAR_STATISTICS = """
SELECT inherited, pg_clear_attribute_stats(schemaname, tablename, attname, inherited) FROM pg_stats
WHERE schemaname = current_schema() AND tablename = ANY(%s)
"""
_ANALYZE_EVENTS = "ANALYZE ONLY events"
_LONG = "SET statement_timeout = '30min'"
_USUAL = "RESET statement_timeout"
_OLDEST_OUTBOX = "SELECT min(created_at) FROM outbox_events"
_SALTS = "SELECT id, salt FROM experiments"


@dataclass(frozen=True, slots=True)
class Deleted:
    """Rows removed by table, and the newest time of acceptance among them."""

    rows: Mapping[str, int]
    newest: datetime | None

    @property
    def anything(self) -> bool:
        return any(self.rows.values())


async def delete_person(connection: Connection, person: Person) -> Deleted:
    """Remove every row of the person. Users come last, as assignments write them last."""
    values = {"unit_type": person.unit_type, "user_id": person.user_id, "ids": [person.user_id]}
    rows: dict[str, int] = {}
    received: list[datetime | None] = []
    tables = _order(await tables_of_people(connection))
    for table in tables:
        if table == EVENTS:
            events = await _delete_events(connection, person, None)
            rows |= events.rows
            received.append(events.newest)
        elif table in _RECEIVED:
            rows[table], newest = await _delete_received(connection, table, values)
            received.append(newest)
        else:
            statement = sql.SQL(_DELETE).format(table=sql.Identifier(table), condition=of_person(table))
            rows[table] = (await connection.execute(statement, values)).rowcount
    rows["users"] = (await connection.execute(_DELETE_USER, values)).rowcount
    if any(rows.get(table) for table in tables if table != ASSIGNMENTS):
        # Others may keep what was removed in memory with their experiments, such as forced variants.
        await connection.execute(_FORCED, (EXPERIMENTS_CHANNEL,))
    return Deleted(rows, max((at for at in received if at is not None), default=None))


async def delete_late(connection: Connection, person: Person, until: datetime) -> Deleted:
    """Remove what was received up to `until` and stored after the erasure.

    Where nothing newer is left, the person has not come back, and the rest goes too.
    """
    rows = dict((await _delete_events(connection, person, until)).rows)
    values = {"unit_type": person.unit_type, "user_id": person.user_id, "until": until}
    rows[ASSIGNMENTS] = (await connection.execute(_DELETE_LATE_ASSIGNMENTS.encode(), values)).rowcount
    rows[LINKS] = (await connection.execute(_DELETE_LATE_LINKS.encode(), values)).rowcount
    came_back = [
        await holds(connection, table, person.unit_type, person.user_id)
        for table in (EVENTS, ASSIGNMENTS, LINKS)
    ]
    came_back.append(await names_a_change(connection, person.unit_type, person.user_id))
    if any(rows.values()) and not any(came_back):
        rest = await delete_person(connection, person)
        await forget_key(connection, person.unit_type, person.user_id)  # someone read what is removed here
        rows = {table: rows.get(table, 0) + count for table, count in rest.rows.items()}
    return Deleted(rows, None)


async def delete_answers(connection: Connection, person: Person) -> int:
    """Remove kept answers that name the person; how many."""
    cursor = await connection.execute(_DELETE_ANSWERS, (msgspec.json.encode(person.user_id),))
    return cursor.rowcount


async def vacuum(connection: Connection, tables: Collection[str]) -> None:
    """Let go of the bytes of deleted rows, and of the values that the planner's statistics sampled from them.

    On a connection in no transaction. A table that is gone is no error: retention dropped it. Before PostgreSQL 18
    statistics are only sampled anew, which an emptied table does not do.
    """
    await connection.execute(_LONG)
    try:
        inherited = False
        if connection.info.server_version >= _CLEARS_STATISTICS:
            cursor = await connection.execute(_CLEAR_STATISTICS.encode(), ([*tables, EVENTS],))
            inherited = any(of_all for of_all, _ in await cursor.fetchall())
        for table in tables:
            with suppress(errors.UndefinedTable):
                await connection.execute(sql.SQL(_VACUUM).format(table=sql.Identifier(table)))
        if inherited:
            await connection.execute(_ANALYZE_EVENTS)
    finally:
        await connection.execute(_USUAL)


async def insert(connection: Connection, erasure: Erasure) -> None:
    """Keep a new erasure and tell every process, which hears of it after the commit."""
    await connection.execute(
        _INSERT,
        (
            erasure.id, erasure.unit_type, erasure.user_id, erasure.person, erasure.erased_at,
            list(erasure.linked), _entries(erasure.removed),
        ),
    )  # fmt: skip
    await notify(connection, erasure.id)


async def notify(connection: Connection, erasure_id: UUID) -> None:
    """Let every process forget the person."""
    await connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, str(erasure_id)))


async def save(connection: Connection, erasure: Erasure, wait: timedelta | None) -> None:
    """wait: until the next attempt, by PostgreSQL's clock, which says whose turn it is; None: there is none."""
    await connection.execute(
        _SAVE.encode(),
        {
            "id": erasure.id,
            "user_id": erasure.user_id,
            "person": erasure.person,
            "removed": _entries(erasure.removed),
            "arrived_at": erasure.arrived_at,
            "settled_at": erasure.settled_at,
            "cleared_at": erasure.cleared_at,
            "outbox_gone_at": erasure.outbox_gone_at,
            "topic_gone_at": erasure.topic_gone_at,
            "closed_at": erasure.closed_at,
            "attempts": erasure.attempts,
            "problem": erasure.problem,
            "person_key": erasure.person_key,
            "wait": wait,
        },
    )


async def read(connection: Connection, erasure_id: UUID) -> Erasure | None:
    found = await _fetch(connection, _READ, (erasure_id,))
    return found[0] if found else None


async def newest_of(connection: Connection, digest: bytes) -> Erasure | None:
    """The last erasure of this person that is not closed."""
    found = await _fetch(connection, _NEWEST_OF, (digest,))
    return found[0] if found else None


async def open_erasures(connection: Connection, limit: int) -> list[Erasure]:
    """Those not closed, oldest first."""
    return await _fetch(connection, _WAITING, (limit,))


async def claim(connection: Connection, limit: int) -> list[Erasure]:
    """Those with work that is due, for this process alone for half a minute, or longer by `renew`."""
    return await _fetch(connection, _CLAIM, (limit,))


async def renew(connection: Connection, erasures: Sequence[UUID]) -> None:
    """This process is still at them."""
    await connection.execute(_RENEW.encode(), (list(erasures),))


async def oldest_outbox(connection: Connection) -> datetime | None:
    """When the oldest row of the outbox was made."""
    cursor = await connection.execute(_OLDEST_OUTBOX)
    row = await cursor.fetchone()
    return None if row is None else row[0]


async def salts(connection: Connection) -> dict[int, str]:
    """The salt of each experiment, by id."""
    cursor = await connection.execute(_SALTS)
    return dict(await cursor.fetchall())


async def _delete_events(connection: Connection, person: Person, until: datetime | None) -> Deleted:
    """Counted by partition."""
    values = {"unit_type": person.unit_type, "user_id": person.user_id, "until": until}
    found = await (await connection.execute(_DELETE_EVENTS, values)).fetchall()
    return Deleted(
        {partition: count for partition, count, _ in found}, max((at for _, _, at in found), default=None)
    )


async def _delete_received(
    connection: Connection, table: str, values: Mapping[str, Any]
) -> tuple[int, datetime | None]:
    """How many rows went, and when the newest was received."""
    statement = sql.SQL(_DELETE_RECEIVED).format(
        table=sql.Identifier(table), condition=of_person(table), received=_RECEIVED[table]
    )
    row = await (await connection.execute(statement, values)).fetchone()
    return (0, None) if row is None else (row[0], row[1])


def _order(tables: Sequence[str]) -> list[str]:
    """Assignments first: whoever stores one locks it before the person's row."""
    return sorted(tables, key=lambda table: (table != ASSIGNMENTS, table))


def _entries(removed: Sequence[Removed]) -> Jsonb:
    return Jsonb([entry.model_dump(mode="json") for entry in removed])


async def _fetch(connection: Connection, statement: str, values: tuple[Any, ...]) -> list[Erasure]:
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(statement.encode(), values)
        return [_erasure(row) for row in await cursor.fetchall()]


def _erasure(row: dict[str, Any]) -> Erasure:
    linked = tuple(row.pop("linked"))
    removed = tuple(Removed.model_validate(entry) for entry in row.pop("removed"))
    person, key = row.pop("person"), row.pop("person_key")
    return Erasure(
        **row,
        linked=linked,
        removed=removed,
        person=None if person is None else bytes(person),
        person_key=None if key is None else int(key),
    )
