"""When old days of the outbox go: once the stream is proven to have published them, and by no other way.

Proof: whoever reads the slot is asked twice. At the first look a walsender holds the slot and the log ends at L. At the
second the same walsender holds it and has confirmed more than L. Debezium confirms what Kafka has acknowledged, in
order, and its heartbeats move an idle slot: so all that was committed before the first look is on the topic. A slot
that was made anew has another walsender, which reads the log only after the snapshot of the whole outbox.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import date, timedelta

import psycopg
import structlog
from psycopg import sql

from api.postgres.database import Connection, Pool
from api.postgres.partitions import LOCK, OUTBOX, existing_partitions

_LOOK_SECONDS = 1.0
_PATIENCE_SECONDS = 40.0
"""Four heartbeats of the connector."""
_SLOT = """
SELECT active_pid,
    concat(pg_postmaster_start_time(), (SELECT backend_start FROM pg_stat_activity WHERE pid = active_pid)),
    wal_status = 'lost', pg_current_wal_lsn(), confirmed_flush_lsn, confirmed_flush_lsn > %s::pg_lsn
FROM pg_replication_slots WHERE slot_name = %s
"""
_TODAY = "SELECT (now() AT TIME ZONE 'UTC')::date"
_IS_WRITTEN = """
SELECT EXISTS (
    SELECT FROM pg_locks
    WHERE locktype = 'relation' AND relation = %s::regclass AND mode = 'RowExclusiveLock' AND granted
)
"""
_LOCK_TABLES = "LOCK TABLE ONLY {}, ONLY {} IN ACCESS EXCLUSIVE MODE"
_NEWEST = "SELECT created_at, id FROM {} ORDER BY created_at DESC, id DESC LIMIT 1"

log = structlog.get_logger("api.outbox_release")


class NotProvenError(Exception):
    """Why nothing is dropped now."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Who holds the slot. `since` tells a process from a later one of the same number, as far as one may know."""

    process: int
    since: str


@dataclass(frozen=True, slots=True)
class Look:
    """The slot at a moment: its reader, the log's end, what was confirmed, and whether that is past a position."""

    reader: Reader
    log_end: str
    confirmed: str
    past: bool


@dataclass(frozen=True, slots=True)
class Old:
    """A partition past its retention; newest: its last row at the first look, None: it is empty."""

    name: str
    newest: tuple[object, ...] | None


class OutboxRelease:
    """Drops what the outbox need not keep. Safe with many API processes."""

    def __init__(self, pool: Pool, slot: str, retention_days: int) -> None:
        self._pool = pool
        self._slot = slot
        self._retention = timedelta(days=retention_days)
        self._told = ""

    async def release(self, patience_seconds: float = _PATIENCE_SECONDS) -> bool:
        """Drop the days past retention that are proven to be published; whether none is left.

        Takes up to `patience_seconds`. What stays is told by `outbox_kept` with the reason, once until that changes.
        Raises psycopg.Error.
        """
        try:
            async with self._pool.connection() as connection:
                old = await self._old(connection)
                if not old:
                    return True
                first = await self._look(connection)
            await self._proof(first, patience_seconds)
            for partition in old:
                await self._drop(partition, first)
        except NotProvenError as reason:
            if str(reason) != self._told:
                log.warning("outbox_kept", reason=str(reason))
            self._told = str(reason)
            return False
        self._told = ""
        return True

    async def _old(self, connection: Connection) -> list[Old]:
        """By PostgreSQL's own clock, which gives each row its day."""
        today = await _value(connection, _TODAY)
        assert isinstance(today, date)  # noqa: S101 - so says the query
        names = sorted(
            (bounds, name)
            for name, bounds in await existing_partitions(connection, OUTBOX)
            if bounds.end <= today - self._retention
        )
        found = []
        for _, name in names:
            # A transaction that still writes commits after the look at the log's end.
            if await _value(connection, _IS_WRITTEN, name):
                raise NotProvenError(f"{name} is still being written")
            found.append(Old(name, await _newest(connection, name)))
        return found

    async def _look(self, connection: Connection, position: str = "0/0") -> Look:
        """The slot now. Raises NotProvenError where it is no proof of anything."""
        row = await (await connection.execute(_SLOT, (position, self._slot))).fetchone()
        if row is None:
            raise NotProvenError(f"there is no replication slot {self._slot}")
        process, since, lost, log_end, confirmed, past = row
        if lost:
            raise NotProvenError(f"PostgreSQL has given up the replication slot {self._slot}")
        if process is None:
            raise NotProvenError(f"nobody reads the replication slot {self._slot}")
        return Look(Reader(process, since), log_end, confirmed or "0/0", bool(past))

    async def _proof(self, first: Look, patience_seconds: float) -> None:
        """Return once all before the first look is published. Raises NotProvenError."""
        deadline = asyncio.get_running_loop().time() + patience_seconds
        while True:
            async with self._pool.connection() as connection:
                look = await self._look(connection, first.log_end)
            _same_reader(first, look)
            if look.past:
                return
            if asyncio.get_running_loop().time() >= deadline:
                raise NotProvenError(
                    f"the stream has not confirmed {first.log_end} after {patience_seconds:.0f} s, "
                    f"but {look.confirmed}"
                )
            await asyncio.sleep(_LOOK_SECONDS)

    async def _drop(self, old: Old, first: Look) -> None:
        """Nobody can add to it while this looks once more."""
        name = sql.Identifier(old.name)
        async with self._pool.transaction() as connection:
            await connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
            if await _value(connection, "SELECT to_regclass(%s)", old.name) is None:
                return
            # Events wait behind this lock: not for as long as somebody reads the outbox.
            await connection.execute("SET LOCAL lock_timeout = '1s'")
            try:
                await connection.execute(sql.SQL(_LOCK_TABLES).format(sql.Identifier(OUTBOX), name))
            except psycopg.errors.LockNotAvailable as error:
                raise NotProvenError(f"{old.name} is being read") from error
            if await _newest(connection, old.name) != old.newest:
                raise NotProvenError(f"rows were added to {old.name}")
            _same_reader(first, await self._look(connection))
            await connection.execute(sql.SQL("DROP TABLE {}").format(name))
        log.info("partition_dropped", table=OUTBOX, partition=old.name, published_to=first.log_end)


def _same_reader(first: Look, later: Look) -> None:
    if later.reader != first.reader:
        raise NotProvenError("the replication slot has changed hands meanwhile")


async def _newest(connection: Connection, partition: str) -> tuple[object, ...] | None:
    return await (await connection.execute(sql.SQL(_NEWEST).format(sql.Identifier(partition)))).fetchone()


async def _value(connection: Connection, query: str, *parameters: str) -> object:
    row = await (await connection.execute(query, parameters)).fetchone()
    return None if row is None else row[0]
