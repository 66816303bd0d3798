"""One transaction of assignments: stored once, with their exposures, told to the outbox."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from msgspec import Struct

from api.assignments.cache import AssignmentCache, Stored, UnitKey
from api.assignments.repository import (
    NewAssignment,
    expose,
    insert_assignments,
    read_assignments,
    upsert_users,
)
from api.postgres.database import BEGAN_AT, Connection, connect
from api.postgres.inserting import insert_events, insert_outbox
from api.postgres.partitions import Partitions
from neonblue.contract.events import EXPOSURE, Event, uuid7_of_now
from neonblue.contract.messages import AssignmentMessage, encode_message
from neonblue.contract.outbox import ASSIGNMENTS, EVENTS, Message, pack


class Wanted(Struct, frozen=True):
    """What one item of a request wants stored. `instant`: its time, of the assignment and of the exposure."""

    unit: UnitKey
    variant_key: str
    version: int
    instant: str
    expose: bool
    attributes: dict[str, Any] | None


class AssignmentJob(Struct):
    """The items of one request that need PostgreSQL."""

    wanted: list[Wanted]
    size: int

    @property
    def items(self) -> int:
        return len(self.wanted)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is stored for a unit, None where the configuration changed meanwhile. `created`: by this item."""

    stored: Stored | None
    created: bool


@dataclass(slots=True)
class AssignmentWriter:
    """Writes groups of jobs. Used by `GroupCommit`."""

    dsn: str
    partitions: Partitions
    cache: AssignmentCache
    outbox_batches: bool

    async def open(self) -> Connection:
        return await connect(self.dsn, "assignments")

    async def write(
        self, connection: Connection, jobs: Sequence[AssignmentJob], attempt: int
    ) -> list[list[Outcome]]:
        """Store the group in one transaction."""
        if attempt:
            self.partitions.forget()
        firsts = _first_of_each_unit(jobs)
        exposures = _exposures(jobs)
        async with connection.pipeline():  # no trip to the server but for answers that are needed
            await connection.execute("BEGIN")
            began = await connection.execute(BEGAN_AT.encode())
            created = await insert_assignments(
                connection,
                [
                    NewAssignment(
                        unit,
                        item.variant_key,
                        item.version,
                        item.instant,
                        exposures.get(unit),
                        item.attributes,
                    )
                    for unit, item in firsts.items()
                ],
            )
            stored = {unit: _stored(item) for unit, item in firsts.items() if unit in created}
            stored |= await read_assignments(connection, [unit for unit in firsts if unit not in created])
            late = {unit: at for unit, at in exposures.items() if unit in stored and unit not in created}
            exposed = await expose(connection, late, now=True)
            exposed |= created & exposures.keys()
            await upsert_users(connection, _attributes(jobs, stored, created))
            ((received_at,),) = await began.fetchall()
            await self._tell(connection, firsts, stored, created, exposed, exposures, received_at)
            await connection.execute("COMMIT")
        # Of one that is neither exposed now nor was before, the experiment was paused or concluded meanwhile.
        stored = {
            unit: value.with_exposure() if unit in exposed else value
            for unit, value in stored.items()
            if unit in exposed or value.exposed or unit not in exposures
        }
        self.cache.put_all(stored)
        return _outcomes(jobs, stored, created)

    async def _tell(
        self,
        connection: Connection,
        firsts: dict[UnitKey, Wanted],
        stored: dict[UnitKey, Stored],
        created: set[UnitKey],
        exposed: set[UnitKey],
        exposures: dict[UnitKey, str],
        received_at: str,
    ) -> None:
        """Rows of the outbox: new assignments, then new exposures, which are events too."""
        assignments = [
            Message(f"{unit[0]}:{unit[2]}", _message(firsts[unit], received_at))
            for unit in firsts
            if unit in created
        ]
        rows = [*pack(ASSIGNMENTS, assignments, batch=self.outbox_batches)]
        events = [_exposure(unit, stored[unit], exposures[unit]) for unit in firsts if unit in exposed]
        if events:
            missing = self.partitions.missing({event.day for event in events})
            if missing:
                await self.partitions.ensure(missing)
            await insert_events(connection, events, received_at)
            messages = [Message(event.id, event.message(received_at)) for event in events]
            rows += pack(EVENTS, messages, batch=self.outbox_batches)
        await insert_outbox(connection, rows)


def _first_of_each_unit(jobs: Sequence[AssignmentJob]) -> dict[UnitKey, Wanted]:
    firsts: dict[UnitKey, Wanted] = {}
    for job in jobs:
        for item in job.wanted:
            firsts.setdefault(item.unit, item)
    return firsts


def _exposures(jobs: Sequence[AssignmentJob]) -> dict[UnitKey, str]:
    """The earliest exposure that any item of the group reports, by unit."""
    exposures: dict[UnitKey, str] = {}
    for job in jobs:
        for item in job.wanted:
            if item.expose:
                exposures[item.unit] = min(item.instant, exposures.get(item.unit, item.instant))
    return exposures


def _attributes(
    jobs: Sequence[AssignmentJob], stored: dict[UnitKey, Stored], created: set[UnitKey]
) -> dict[tuple[str, str], dict[str, Any] | None]:
    """Users to make known: those newly assigned, and those that brought attributes."""
    found: dict[tuple[str, str], dict[str, Any] | None] = {}
    for job in jobs:
        for item in job.wanted:
            if item.unit in stored and (item.attributes is not None or item.unit in created):
                user = item.unit[1:]
                held = found.get(user)
                found[user] = item.attributes if held is None else held | (item.attributes or {})
    return found


def _stored(item: Wanted) -> Stored:
    return Stored(item.variant_key, item.version, item.instant, False)


def _message(item: Wanted, received_at: str) -> bytes:
    return encode_message(
        AssignmentMessage(
            experiment_id=item.unit[0],
            unit_type=item.unit[1],
            user_id=item.unit[2],
            variant_key=item.variant_key,
            version=item.version,
            assigned_at=item.instant,
            attributes=item.attributes,
            received_at=received_at,
        )
    )


def _exposure(unit: UnitKey, stored: Stored, instant: str) -> Event:
    """Stored in the transaction that sets `exposed_at`, which happens once: the id need not be reproducible."""
    identifier, day = uuid7_of_now()
    return Event(
        id=identifier,
        day=day,
        user_id=unit[2],
        unit_type=unit[1],
        event_type=EXPOSURE,
        timestamp=instant,
        experiment_id=unit[0],
        variant_key=stored.variant_key,
        session_id=None,
        value=None,
        properties=None,
    )


def _outcomes(
    jobs: Sequence[AssignmentJob], stored: dict[UnitKey, Stored], created: set[UnitKey]
) -> list[list[Outcome]]:
    fresh = set(created)
    results: list[list[Outcome]] = []
    for job in jobs:
        outcomes: list[Outcome] = []
        for item in job.wanted:
            outcomes.append(Outcome(stored.get(item.unit), item.unit in fresh))
            fresh.discard(item.unit)
        results.append(outcomes)
    return results
