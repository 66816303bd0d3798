"""One transaction of events: stamped with their variants, stored once, told to the outbox."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from msgspec import Struct
from psycopg import errors

from api.assignments.cache import AssignmentCache, UnitKey
from api.assignments.repository import read_assignments
from api.database import Connection, connect
from api.events import idempotency
from api.events.idempotency import Claim, Replay
from api.events.repository import PREPARE, Fate, copy_new, insert_or_compare
from api.ingest.copying import write_outbox
from api.ingest.recent import RecentMap
from api.partitions import Partitions
from neonblue.contract.events import Event
from neonblue.contract.outbox import EVENTS, Message, pack

RECENT_IDS = 100_000


class EventJob(Struct, gc=False):
    """The events of one request that broke no rule. size: bytes of the request's body."""

    events: list[Event]
    received_at: str
    size: int
    claim: Claim | None = None

    @property
    def items(self) -> int:
        return len(self.events)


EventResult = list[Fate] | Replay
"""What became of each event, or the answer that the same request was given before."""


@dataclass(slots=True)
class EventWriter:
    """Writes groups of jobs. Used by `GroupCommit`."""

    dsn: str
    partitions: Partitions
    assignments: AssignmentCache
    outbox_batches: bool
    recent: RecentMap[str, bool]

    async def open(self) -> Connection:
        connection = await connect(self.dsn, "events")
        await connection.execute(PREPARE.encode())
        return connection

    async def write(
        self, connection: Connection, jobs: Sequence[EventJob], attempt: int
    ) -> list[EventResult]:
        """Store the group in one transaction. On a second attempt nothing is taken to be new."""
        if attempt:
            self.partitions.forget()
        await self._make_partitions(jobs)
        await connection.execute("BEGIN")
        replays = await idempotency.claim(connection, [job.claim for job in jobs])
        events = [
            (event, job.received_at)
            for job, replay in zip(jobs, replays, strict=True)
            if replay is None
            for event in job.events
        ]
        await self._stamp(connection, [event for event, _ in events])
        fates = await self._store(connection, events, careful=attempt > 0)
        messages = [
            Message(event.id, event.message(received_at))
            for (event, received_at), fate in zip(events, fates, strict=True)
            if fate is Fate.ACCEPTED
        ]
        await write_outbox(connection, pack(EVENTS, messages, batch=self.outbox_batches))
        results = _by_job(jobs, replays, fates)
        await idempotency.record(connection, [job.claim for job in jobs], results)
        await connection.execute("COMMIT")
        return results

    async def _make_partitions(self, jobs: Sequence[EventJob]) -> None:
        missing = self.partitions.missing({event.day for job in jobs for event in job.events})
        if missing:
            await self.partitions.ensure(missing)

    async def _stamp(self, connection: Connection, events: Sequence[Event]) -> None:
        """The stored assignment says the variant, whatever the client said."""
        named = [event for event in events if event.experiment_id is not None]
        if not named:
            return
        keys = {_unit(event) for event in named}
        found = {key: stored for key in keys if (stored := self.assignments.get(key)) is not None}
        unknown = keys - found.keys()
        if unknown:
            read = await read_assignments(connection, sorted(unknown))
            self.assignments.put_all(read)
            found |= read
        for event in named:
            assignment = found.get(_unit(event))
            if assignment is not None:
                event.variant_key = assignment.variant_key

    async def _store(
        self, connection: Connection, events: Sequence[tuple[Event, str]], *, careful: bool
    ) -> list[Fate]:
        fates = [Fate.ACCEPTED] * len(events)
        fresh, suspects = self._sort_out(events, careful)
        if fresh:
            await connection.execute("SAVEPOINT fresh")
            try:
                await copy_new(connection, [events[n] for n in fresh])
            except errors.UniqueViolation:
                await connection.execute("ROLLBACK TO SAVEPOINT fresh")
                suspects = list(range(len(events)))
        if suspects:
            found = await insert_or_compare(connection, [events[n] for n in suspects])
            for position, fate in zip(suspects, found, strict=True):
                fates[position] = fate
        return fates

    def _sort_out(self, events: Sequence[tuple[Event, str]], careful: bool) -> tuple[list[int], list[int]]:
        """Positions of events that are likely new, and of those that may be there already."""
        if careful:
            return [], list(range(len(events)))
        recent = self.recent
        fresh: list[int] = []
        suspects: list[int] = []
        for position, (event, _) in enumerate(events):
            if event.id in recent:
                suspects.append(position)
            else:
                recent.put(event.id, True)
                fresh.append(position)
        return fresh, suspects


def _unit(event: Event) -> UnitKey:
    return (event.experiment_id or 0, event.unit_type, event.user_id)


def _by_job(
    jobs: Sequence[EventJob], replays: Sequence[Replay | None], fates: Sequence[Fate]
) -> list[EventResult]:
    results: list[EventResult] = []
    start = 0
    for job, replay in zip(jobs, replays, strict=True):
        if replay is not None:
            results.append(replay)
        else:
            results.append(list(fates[start : start + job.items]))
            start += job.items
    return results
