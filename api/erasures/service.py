"""Erasing a person, its receipt, and the look at what retention must forget."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import structlog
from clickhouse_connect.driver.exceptions import ClickHouseError
from confluent_kafka import KafkaException
from psycopg import errors

from api.audit import Actor, Change, record
from api.erasures import repository
from api.erasures.caches import Caches
from api.erasures.clickhouse import open_warehouse
from api.erasures.model import Erasure, Seen, Terms, entries, looked, receipt, removed_more
from api.erasures.repository import Deleted
from api.erasures.schemas import Receipt, State, StoreName, Verification
from api.erasures.topic import oldest_message
from api.http.problems import found
from api.identity.holdings import anonymous_ids
from api.identity.identify import Identify, person_digest
from api.identity.links import lock_ids
from api.identity.pseudonyms import forget_key, pseudonym
from api.postgres.copying import write_outbox
from api.postgres.database import Clock, Connection, Pool
from api.users.repository import Person
from neonblue.contract.instants import format_instant
from neonblue.contract.messages import ErasureMessage, encode_message
from neonblue.contract.outbox import Aggregate, Happening, OutboxRow
from neonblue.settings import Settings

log = structlog.get_logger("api.erasures")

_ATTEMPTS = 5
_VERIFIED_AT_ONCE = 1_000
_LONG = "SET LOCAL statement_timeout = '5min'"
_AGAIN = (errors.DeadlockDetected, errors.SerializationFailure)


@dataclass(slots=True)
class ErasureService:
    """PostgreSQL is emptied when `erase` returns; `ErasureWorker` does the rest."""

    settings: Settings
    pool: Pool
    identify: Identify
    caches: Caches
    terms: Terms

    async def erase(self, unit_type: str, user_id: str, actor: Actor) -> Receipt:
        """Erase the person. One that is erased and has not come back keeps its receipt.

        Raises Problem `not_found` for a person of whom nothing is known.
        """
        person = Person(unit_type, self.identify(user_id))
        for attempt in range(_ATTEMPTS):
            try:
                erasure = await self._erase(person, actor)
                break
            except _AGAIN as error:
                log.info("erasure_repeated", error=type(error).__name__)
                if attempt == _ATTEMPTS - 1:
                    raise
        self.caches.forget_here(person)
        return receipt(erasure, self.terms)

    async def get(self, erasure_id: UUID) -> Receipt:
        """Raises Problem `not_found`."""
        async with self.pool.connection() as connection:
            erasure = await repository.read(connection, erasure_id)
        return receipt(found(erasure, "erasure"), self.terms)

    async def verify(self) -> Verification:
        """Look at every erasure that is not closed, and close those of which nothing can come back.

        On the way ClickHouse is swept again, in case an old copy of it was put back or the topic was read anew.
        """
        async with self.pool.connection() as connection:
            found = await repository.open_erasures(connection, _VERIFIED_AT_ONCE)
            outbox_oldest = await repository.oldest_outbox(connection)
            clock = await Clock.of(connection)
        retained = [erasure for erasure in found if erasure.state is State.RETAINED]
        unreachable: list[StoreName] = []
        after = await self._verify(retained, outbox_oldest, clock, unreachable) if retained else []
        removing = [erasure for erasure in found if erasure.state is State.REMOVING]
        pending = [one for one in [*removing, *after] if one.state is not State.CLOSED]
        return Verification(
            checked=len(found),
            closed=[erasure.id for erasure in after if erasure.state is State.CLOSED],
            pending=[receipt(erasure, self.terms) for erasure in pending],
            unreachable=unreachable,
        )

    async def _verify(
        self,
        retained: Sequence[Erasure],
        outbox_oldest: datetime | None,
        clock: Clock,
        unreachable: list[StoreName],
    ) -> list[Erasure]:
        topic_oldest, topic_known = await self._look_at_topic(unreachable)
        swept = await self._sweep(retained, clock, unreachable)
        seen = Seen(outbox_oldest, topic_oldest, topic_known)
        now = clock.now()
        after = [looked(erasure, seen, self.terms, now) for erasure in swept]
        if not await self._forget_closed(swept, after, unreachable):
            after = [_kept_open(old, new) for old, new in zip(swept, after, strict=True)]
        async with self.pool.transaction() as connection:
            for erasure in after:
                await repository.save(connection, erasure, None)
        # A repair may have put back what was off the list and not saved as closed yet. From now on it will not.
        await self._forget_closed(swept, after, unreachable)
        return after

    async def _erase(self, person: Person, actor: Actor) -> Erasure:
        """The anonymous ids that are linked with the person are erased with it, each with a receipt of its own."""
        async with self.pool.transaction() as connection:
            await connection.execute(_LONG)
            await lock_ids(connection, person.unit_type, (person.user_id,))
            anonymous = await anonymous_ids(connection, person.unit_type, person.user_id)
            await lock_ids(connection, person.unit_type, anonymous)
            people = [person, *(Person(person.unit_type, user_id) for user_id in anonymous)]
            deleted = [await repository.delete_person(connection, one) for one in people]
            if not deleted[0].anything:
                return await _known(connection, person_digest(person.unit_type, person.user_id))
            now = (await Clock.of(connection)).read
            # PostgreSQL's clock may have been set back: what is erased was received before.
            newest = max((one.newest for one in deleted if one.newest is not None), default=now)
            erased_at = max(now, newest + timedelta(microseconds=1))
            linked = [_new(one, found, erased_at) for one, found in zip(people[1:], deleted[1:], strict=True)]
            erasure = replace(_new(person, deleted[0], erased_at), linked=tuple(other.id for other in linked))
            for new in (erasure, *linked):
                await _tell(connection, new)
            await _audit(connection, person, erasure, actor)
            for one in people:
                await forget_key(connection, one.unit_type, one.user_id)
        return erasure

    async def _look_at_topic(self, unreachable: list[StoreName]) -> tuple[datetime | None, bool]:
        try:
            return await asyncio.to_thread(oldest_message, self.settings.kafka), True
        except (KafkaException, KeyError) as error:
            log.warning("topic_unknown", error=type(error).__name__)
            unreachable.append("topic")
            return None, False

    async def _sweep(
        self, retained: Sequence[Erasure], clock: Clock, unreachable: list[StoreName]
    ) -> list[Erasure]:
        try:
            return await asyncio.to_thread(_swept, self.settings, retained, clock)
        except (ClickHouseError, OSError) as error:
            log.warning("clickhouse_failed", error=type(error).__name__)
            unreachable.append("clickhouse")
            return list(retained)

    async def _forget_closed(
        self, before: Sequence[Erasure], after: Sequence[Erasure], unreachable: list[StoreName]
    ) -> bool:
        """Take the closed ones off ClickHouse's list of the erased; False where that can't be done now."""
        if "clickhouse" in unreachable:
            return False
        closed = {
            old.person: old.erased_at
            for old, new in zip(before, after, strict=True)
            if new.state is State.CLOSED and old.person is not None
        }
        try:
            await asyncio.to_thread(_forget, self.settings, closed)
        except (ClickHouseError, OSError) as error:
            log.warning("clickhouse_failed", error=type(error).__name__)
            unreachable.append("clickhouse")
            return False
        return True


def _new(person: Person, deleted: Deleted, erased_at: datetime) -> Erasure:
    digest = person_digest(person.unit_type, person.user_id)
    removed = entries("postgresql", deleted.rows, erased_at)
    return Erasure(uuid4(), person.unit_type, person.user_id, digest, erased_at, tuple(removed))


async def _tell(connection: Connection, erasure: Erasure) -> None:
    """The stream and the other processes hear of it in the transaction of the deletion."""
    await repository.insert(connection, erasure)
    instant = format_instant(erasure.erased_at)
    message = ErasureMessage(
        unit_type=erasure.unit_type, user_id=erasure.user_id or "", erased_at=instant, received_at=instant
    )
    row = OutboxRow(Aggregate.USER, str(erasure.id), Happening.USER_ERASED, encode_message(message))
    await write_outbox(connection, [row])


async def _audit(connection: Connection, person: Person, erasure: Erasure, actor: Actor) -> None:
    name = await pseudonym(connection, person.unit_type, person.user_id)
    after = {"erasure": str(erasure.id), "linked": [str(other) for other in erasure.linked]}
    await record(connection, actor, Change("erase", "user", name, None, after))


warehouse = contextmanager(open_warehouse)


def _swept(settings: Settings, erasures: Sequence[Erasure], clock: Clock) -> list[Erasure]:
    """Delete from ClickHouse what turned up again. Blocks."""
    persons = {erasure.person: erasure.unit_type for erasure in erasures if erasure.person is not None}
    with warehouse(settings.clickhouse) as opened:
        arrived = opened.arrived(persons)
        rows = opened.sweep(list(arrived.values()))
    now = clock.now()
    after: list[Erasure] = []
    for erasure in erasures:
        # Two erasures of one person share what was found: it is told of the first.
        erased = arrived.get(erasure.person or b"")
        found = {} if erased is None else rows.pop(erased.person, {})
        known = erasure if erased is None else replace(erasure, person_key=erased.key)
        after.append(removed_more(known, entries("clickhouse", found, now)))
    return after


def _forget(settings: Settings, closed: Mapping[bytes, datetime]) -> None:
    if closed:
        with warehouse(settings.clickhouse) as opened:
            opened.forget(closed)


def _kept_open(before: Erasure, after: Erasure) -> Erasure:
    """The look without the closing, for the next one to repeat."""
    if after.state is not State.CLOSED:
        return after
    return replace(after, closed_at=None, person=before.person, person_key=before.person_key)


async def _known(connection: Connection, digest: bytes) -> Erasure:
    """The erasure that left nothing to erase. Raises Problem `not_found`."""
    return found(await repository.newest_of(connection, digest), "user")
