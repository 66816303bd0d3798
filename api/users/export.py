"""Everything held on a person, as one JSON document, written while it is read: events may be many.

Read in one snapshot, on a connection of its own, so that a slow reader keeps nobody waiting.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
from psycopg import IsolationLevel, sql

from api.audit import Actor
from api.http.problems import Problem
from api.identity.holdings import anonymous_ids, of_person, tables_of_people, times_of
from api.identity.identify import Identify
from api.postgres.database import Connection, Pool, connect
from api.users import repository
from api.users.reading import Reading, hold_still, record_reading
from api.users.repository import Person
from neonblue.contract.instants import format_instant

_PAGE = 2_000
_LIMITS = "SET LOCAL statement_timeout = '5min'; SET LOCAL idle_in_transaction_session_timeout = '5min'"
"""Whoever reads the document may be slow."""
_ROWS = """
SELECT (to_jsonb(held) || jsonb_build_object({times}))::text FROM {table} AS held WHERE {condition}
"""
_TIME = """{name}, to_char(held.{column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
_encode = msgspec.json.encode


@dataclass(frozen=True, slots=True)
class Exporter:
    dsn: str
    pool: Pool
    identify: Identify

    async def export(self, unit_type: str, user_id: str, actor: Actor) -> AsyncIterator[bytes]:
        """The document in pieces, once there is something and the audit log has who takes it.

        Raises Problem `not_found`, 503.

        Its members: the user's row, then one array for each table that may hold something on people, with the rows
        of the person's id and of the anonymous ids linked with it.
        """
        person = Person(unit_type, self.identify(user_id))
        async with AsyncExitStack() as opened:
            async with self.pool.transaction() as holding:
                await hold_still(holding, person)
                tables = _tables(await self._snapshot(opened), person, user_id)
                pieces = [piece async for piece in _until_found(tables)]
                await record_reading(holding, actor, person, Reading.EVERYTHING)
            # From here on whoever reads the rest closes what was opened.
            return _written(opened.pop_all(), pieces, tables)

    async def _snapshot(self, opened: AsyncExitStack) -> Connection:
        connection = await opened.enter_async_context(await connect(self.dsn, "export"))
        await connection.set_isolation_level(IsolationLevel.REPEATABLE_READ)
        await connection.set_read_only(True)
        await opened.enter_async_context(connection.transaction())
        await connection.execute(_LIMITS)
        return connection


@dataclass(frozen=True, slots=True)
class _Piece:
    text: bytes
    found: bool


async def _tables(connection: Connection, person: Person, user_id: str) -> AsyncIterator[_Piece]:
    held = await repository.read(connection, person)
    head = {
        "user_id": user_id,
        "stored_id": person.user_id,
        "unit_type": person.unit_type,
        "exported_at": format_instant(datetime.now(UTC)),
        "user": None
        if held is None
        else {"attributes": held.attributes, "created_at": format_instant(held.created_at)},
    }
    ids = [person.user_id, *await anonymous_ids(connection, person.unit_type, person.user_id)]
    yield _Piece(_encode(head | {"anonymous_ids": ids[1:]})[:-1], held is not None)
    for table in await tables_of_people(connection):
        yield _Piece(b"," + _encode(table) + b":[", False)
        first = True
        async for row in _rows(connection, table, person.unit_type, ids):
            yield _Piece(row if first else b"," + row, True)
            first = False
        yield _Piece(b"]", False)
    yield _Piece(b"}", False)


async def _rows(
    connection: Connection, table: str, unit_type: str, ids: Sequence[str]
) -> AsyncIterator[bytes]:
    """The rows of a table under these ids, fetched a page at a time."""
    times = [
        sql.SQL(_TIME).format(name=sql.Literal(name), column=sql.Identifier(name))
        for name in await times_of(connection, table)
    ]
    statement = sql.SQL(_ROWS).format(
        table=sql.Identifier(table), condition=of_person(table), times=sql.SQL(", ").join(times)
    )
    async with connection.cursor(f"export_{table}") as cursor:
        cursor.itersize = _PAGE
        await cursor.execute(statement, {"unit_type": unit_type, "ids": list(ids)})
        async for (row,) in cursor:
            yield row.encode()


async def _until_found(tables: AsyncIterator[_Piece]) -> AsyncIterator[bytes]:
    async for piece in tables:
        yield piece.text
        if piece.found:
            return
    raise Problem(404, "not_found", "Nothing is held on such a user")


async def _written(
    opened: AsyncExitStack, pieces: list[bytes], rest: AsyncIterator[_Piece]
) -> AsyncIterator[bytes]:
    async with opened:
        buffer = bytearray(b"".join(pieces))
        async for piece in rest:
            buffer += piece.text
            if len(buffer) > 1 << 16:
                yield bytes(buffer)
                buffer.clear()
        yield bytes(buffer)
