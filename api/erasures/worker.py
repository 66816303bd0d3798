"""Carries erasures through in the background, until nothing is left but what retention must forget.

Any process may do any part again: each attempt removes what is there and looks whether it is gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

import psycopg
import structlog
from clickhouse_connect.driver.exceptions import ClickHouseError
from redis.exceptions import RedisError

from api.erasures import repository
from api.erasures.caches import Caches
from api.erasures.clickhouse import DEAD_LETTERS
from api.erasures.model import Erasure, Terms, clears_from, entries, removed_more, settles_at
from api.erasures.schemas import Removed, State
from api.erasures.service import warehouse
from api.postgres.database import Clock, Pool
from api.users.repository import Person
from neonblue.settings import ClickHouseSettings

log = structlog.get_logger("api.erasures")

_AT_ONCE = 100
_LOOK_SECONDS = 5.0
_RENEWED_SECONDS = 5.0
_FIRST_WAIT = timedelta(seconds=1)
_LONGEST_WAIT = timedelta(minutes=1)
_LONG = "SET LOCAL statement_timeout = '5min'"


@dataclass(slots=True)
class ErasureWorker:
    """One in each process; PostgreSQL's rows say whose turn it is."""

    pool: Pool
    clickhouse: ClickHouseSettings
    caches: Caches
    terms: Terms
    _woken: asyncio.Event = field(default_factory=asyncio.Event)

    def wake(self) -> None:
        """There may be something to do."""
        self._woken.set()

    async def work(self) -> None:
        """Do what is due, for ever."""
        while True:
            self._woken.clear()
            try:
                if not await self.step():
                    await self._wait()
            except (psycopg.Error, OSError) as error:
                log.warning("erasure_failed", error=type(error).__name__)
                await self._wait()

    async def step(self) -> int:
        """One attempt at everything that is due; how many erasures that were. Raises psycopg.Error."""
        async with self.pool.connection() as connection:
            claimed = await repository.claim(connection, _AT_ONCE)
            if not claimed:
                return 0
            clock = await Clock.of(connection)
        now = clock.read
        async with self._holding([erasure.id for erasure in claimed]):
            settled = [await self._tried(replace(erasure, problem=None), now) for erasure in claimed]
            cleared = await self._clear(settled, clock)
        async with self.pool.transaction() as connection:
            for erasure in cleared:
                await repository.save(connection, *_rested(erasure, self.terms, clock.now()))
        return len(cleared)

    @asynccontextmanager
    async def _holding(self, erasures: Sequence[UUID]) -> AsyncIterator[None]:
        """Nobody else takes them within the block, however long it is."""
        renewing = asyncio.create_task(self._renew(erasures))
        try:
            yield
        finally:
            renewing.cancel()
            await asyncio.wait((renewing,))

    async def _renew(self, erasures: Sequence[UUID]) -> None:
        while True:
            await asyncio.sleep(_RENEWED_SECONDS)
            with suppress(psycopg.Error, OSError):
                async with self.pool.connection() as connection:
                    await repository.renew(connection, erasures)

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(_LOOK_SECONDS):
                await self._woken.wait()
        except TimeoutError:
            return

    async def _tried(self, erasure: Erasure, now: datetime) -> Erasure:
        try:
            return await self._settle(erasure, now)
        except psycopg.Error as error:
            log.warning("erasure_failed", error=type(error).__name__)
            return replace(erasure, problem=f"PostgreSQL: {type(error).__name__}")

    async def _settle(self, erasure: Erasure, now: datetime) -> Erasure:
        """PostgreSQL and the caches: at once, and again when what was under way has settled."""
        if erasure.user_id is None or erasure.settled_at is not None:
            return erasure
        person = Person(erasure.unit_type, erasure.user_id)
        settled = now >= settles_at(erasure, self.terms)
        shared = await self._forget_shared(erasure, person, now)
        after = await self._forget_stored(shared, person, now, settled)
        return replace(after, settled_at=now) if settled and after.problem is None else after

    async def _forget_shared(self, erasure: Erasure, person: Person, now: datetime) -> Erasure:
        """Valkey comes before the processes' own caches, which are filled from it."""
        async with self.pool.connection() as connection:
            salts = await repository.salts(connection)
        try:
            keys = await self.caches.forget_shared(salts, person)
        except (RedisError, OSError, TimeoutError) as error:
            return replace(erasure, problem=f"Valkey: {type(error).__name__}")
        return removed_more(erasure, [Removed(store="valkey", place="assignments", rows=keys, at=now)])

    async def _forget_stored(self, erasure: Erasure, person: Person, now: datetime, settled: bool) -> Erasure:
        rows: dict[str, int] = {}
        async with self.pool.transaction() as connection:
            await connection.execute(_LONG)
            if settled or erasure.attempts == 1:
                rows["idempotency_keys"] = await repository.delete_answers(connection, person)
            if settled:
                rows |= (await repository.delete_late(connection, person, erasure.erased_at)).rows
            await repository.notify(connection, erasure.id)
        after = removed_more(erasure, entries("postgresql", rows, now))
        if settled:
            tables = [entry.place for entry in after.removed if entry.store == "postgresql"]
            async with self.pool.connection() as connection:
                await repository.vacuum(connection, tables)
        return after

    async def _clear(self, erasures: Sequence[Erasure], clock: Clock) -> list[Erasure]:
        """ClickHouse: once the stream has brought the erasure, and again when nothing can slip in any more."""
        wanted = [erasure for erasure in erasures if erasure.cleared_at is None]
        if not wanted:
            return list(erasures)
        try:
            found = await asyncio.to_thread(self._clear_blocking, wanted, clock)
        except (ClickHouseError, OSError) as error:
            log.warning("clickhouse_failed", error=type(error).__name__)
            found = [replace(erasure, problem=f"ClickHouse: {type(error).__name__}") for erasure in wanted]
        by_id = {erasure.id: erasure for erasure in found}
        return [by_id.get(erasure.id, erasure) for erasure in erasures]

    def _clear_blocking(self, erasures: Sequence[Erasure], clock: Clock) -> list[Erasure]:
        with warehouse(self.clickhouse) as opened:
            persons = {one.person: one.unit_type for one in erasures if one.person is not None}
            arrived = opened.arrived(persons)
            now = clock.now()
            rows = opened.sweep(list(arrived.values()))
            left = opened.remaining(list(arrived.values()))
            after: list[Erasure] = []
            for erasure in erasures:
                erased = arrived.get(erasure.person or b"")
                if erased is None or erased.erased_at < erasure.erased_at:
                    after.append(erasure)
                    continue
                found = rows.pop(erased.person, {})
                if erasure.user_id is not None:
                    found[DEAD_LETTERS] = opened.delete_letters(Person(erasure.unit_type, erasure.user_id))
                known = replace(erasure, arrived_at=erasure.arrived_at or now, person_key=erased.key)
                known = removed_more(known, entries("clickhouse", found, clock.now()))
                clears = clears_from(known, self.terms)
                if clears is not None and now >= clears and erased.person not in left:
                    known = replace(known, cleared_at=clock.now())
                after.append(known)
        return after


def _rested(erasure: Erasure, terms: Terms, now: datetime) -> tuple[Erasure, timedelta | None]:
    """What is to be kept of the attempt, and how long until the next; not for hours, whatever the clock once said.

    When nothing but retention is left the id is no longer needed.
    """
    if erasure.state is not State.REMOVING:
        return replace(erasure, user_id=None), None
    soon = min(_FIRST_WAIT * 2 ** min(erasure.attempts, 10), _LONGEST_WAIT)
    due = [soon] if erasure.problem is not None else []
    if erasure.settled_at is None:
        due.append(_not_before(settles_at(erasure, terms), now, soon))
    if erasure.cleared_at is None:
        clears = clears_from(erasure, terms)
        due.append(soon if clears is None else _not_before(clears, now, soon))
    return erasure, min(*due, _LONGEST_WAIT + terms.settle)


def _not_before(limit: datetime, now: datetime, otherwise: timedelta) -> timedelta:
    return limit - now if limit > now else otherwise
