"""Connections to PostgreSQL."""

from __future__ import annotations

import asyncio
import select
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import psycopg
from psycopg import AsyncConnection, AsyncCursor
from psycopg.rows import TupleRow

Connection = AsyncConnection[TupleRow]

STATEMENT_SECONDS = 10
_OPTIONS = f"-c TimeZone=UTC -c DateStyle=ISO -c synchronous_commit=on -c statement_timeout={STATEMENT_SECONDS * 1000}"


async def connect(dsn: str, name: str) -> Connection:
    """A connection in autocommit mode: who needs a transaction begins it.

    Raises psycopg.OperationalError when the server does not answer within three seconds. A peer that vanished
    is noticed within about ten.
    """
    return await AsyncConnection.connect(
        dsn,
        autocommit=True,
        connect_timeout=3,
        options=_OPTIONS,
        application_name=f"neonblue-{name}",
        keepalives_idle=5,
        keepalives_interval=2,
        keepalives_count=3,
        tcp_user_timeout=10_000,
    )


BEGAN_AT = """SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
"""When the transaction began, as the wire has it: the value of its `now()`."""


async def begin(connection: Connection) -> str:
    """Begin a transaction, in one trip; when it began, by PostgreSQL's clock, as the wire has it."""
    cursor = await connection.execute(f"BEGIN; {BEGAN_AT}".encode(), prepare=False)  # two statements
    cursor.nextset()
    return await _text(cursor)


async def began_at(connection: Connection) -> str:
    """When the open transaction began, as `begin` gives it."""
    return await _text(await connection.execute(BEGAN_AT.encode()))


async def _text(cursor: AsyncCursor[TupleRow]) -> str:
    row = await cursor.fetchone()
    assert row is not None  # noqa: S101 - a SELECT without FROM has one row
    return str(row[0])


@dataclass(frozen=True, slots=True)
class Clock:
    """PostgreSQL's clock, read once and carried on by one that nobody sets. What several processes compare is timed
    by it: theirs may differ by hours."""

    read: datetime
    _since: float

    @classmethod
    async def of(cls, connection: Connection) -> Clock:
        """Raises psycopg.Error."""
        row = await (await connection.execute("SELECT clock_timestamp()")).fetchone()
        assert row is not None  # noqa: S101 - a SELECT without FROM has one row
        return cls(row[0], time.monotonic())

    def now(self) -> datetime:
        return self.read + timedelta(seconds=time.monotonic() - self._since)


class Pool:
    """A few connections for the calls that are not hot. A broken one is replaced when it is next needed."""

    def __init__(self, dsn: str, size: int) -> None:
        self._dsn = dsn
        self._idle: list[Connection] = []
        self._permits = asyncio.Semaphore(size)
        self._bound: dict[asyncio.Task[object] | None, Connection] = {}

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection for the block's time. Raises psycopg.OperationalError when PostgreSQL is away."""
        bound = self._bound.get(asyncio.current_task())
        if bound is not None:
            async with bound.transaction():
                yield bound
            return
        async with self._permits:
            connection = await self._take()
            try:
                yield connection
            finally:
                await self._give_back(connection)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A connection in a transaction that commits at the block's end and rolls back on an error."""
        async with self.connection() as connection, connection.transaction():
            yield connection

    @asynccontextmanager
    async def binding(self) -> AsyncIterator[Connection]:
        """A transaction that holds all that this task does on the pool meanwhile: theirs become parts of it.

        It commits at the block's end and rolls back on an error. Tasks that the block starts are not bound.
        """
        task = asyncio.current_task()
        async with self.transaction() as connection:
            self._bound[task] = connection
            try:
                yield connection
            finally:
                del self._bound[task]

    async def answers(self) -> bool:
        """Whether PostgreSQL answers. On a server that does not read, giving up takes longer than waiting."""
        try:
            async with self.connection() as connection:
                await connection.execute("SELECT 1")
        except (psycopg.Error, OSError):
            return False
        return True

    async def close(self) -> None:
        while self._idle:
            await self._idle.pop().close()

    async def _take(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if not dropped(connection):
                return connection
            await connection.close()
        return await connect(self._dsn, "api")

    async def _give_back(self, connection: Connection) -> None:
        if connection.closed or connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
            await connection.close()
        else:
            self._idle.append(connection)


def dropped(connection: Connection) -> bool:
    """Whether the server has ended this idle connection: then there is something to read that nobody asked for.

    Costs no round trip, so it can be asked before each use.
    """
    if connection.closed:
        return True
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))
