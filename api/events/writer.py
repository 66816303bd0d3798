"""One transaction of events: stamped with their variants, stored once, told to the outbox."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from msgspec import Struct
from psycopg import errors

from api.assignments.cache import AssignmentCache, Stored, UnitKey
from api.assignments.repository import expose, read_assignments
from api.demand.counts import Counts
from api.events import idempotency
from api.events.carried import CarriedAssignments, messages_of, store_carried, unit_of
from api.events.idempotency import Claim, Replay
from api.events.judging import Judge
from api.events.plain import PlainExposures, store_plain
from api.events.repository import PREPARE, Fate, copy_new, insert_or_compare
from api.experiments.history import Histories
from api.experiments.registry import LiveExperiment
from api.postgres.copying import write_outbox
from api.postgres.database import Connection, begin, connect
from api.postgres.partitions import Partitions
from api.recent import RecentMap
from neonblue.contract.events import EXPOSURE, Event
from neonblue.contract.outbox import ASSIGNMENTS, EVENTS, Message, pack

RECENT_IDS = 100_000


class EventJob(Struct, gc=False):
    """The events of one request that broke no rule. size: bytes of the request's body."""

    events: list[Event]
    size: int
    claim: Claim | None = None

    @property
    def items(self) -> int:
        return len(self.events)


Find = Callable[[int | str], LiveExperiment | None]

EventResult = list[Fate] | Replay
"""What became of each event, or the answer that the same request was given before."""


@dataclass(frozen=True, slots=True)
class _Assigned:
    """What is known of the units of one transaction's events.

    judges: of the experiments to which one of them may be exposed first.
    """

    known: dict[UnitKey, Stored] = field(default_factory=dict)
    judges: dict[int, Judge] = field(default_factory=dict)
    carried: CarriedAssignments = field(default_factory=CarriedAssignments)
    plain: PlainExposures = field(default_factory=PlainExposures)

    @property
    def created(self) -> dict[UnitKey, Stored]:
        """The assignments that the transaction makes."""
        return self.carried.created | self.plain.created


@dataclass(slots=True)
class EventWriter:
    """Writes groups of jobs. Used by `GroupCommit`."""

    dsn: str
    partitions: Partitions
    assignments: AssignmentCache
    outbox_batches: bool
    recent: RecentMap[str, bool]
    find: Find
    load: Callable[[int], Awaitable[None]]
    counts: Counts
    histories: Histories = field(default_factory=Histories)

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
        received_at = await begin(connection)
        replays = await idempotency.claim(connection, [job.claim for job in jobs])
        events = [
            event for job, replay in zip(jobs, replays, strict=True) if replay is None for event in job.events
        ]
        carried = [(event, event.variant_key) for event in events if event.carried_version is not None]
        assigned = await self._assign(connection, events, received_at)
        fates = await self._store(connection, events, received_at, careful=attempt > 0)
        exposing = _exposing(events, fates)
        exposures = _first_exposures(exposing, assigned)
        await expose(connection, exposures)
        messages = [
            Message(event.id, event.message(received_at))
            for event, fate in zip(events, fates, strict=True)
            if fate is Fate.ACCEPTED
        ]
        created = assigned.created
        if created:
            rows = pack(ASSIGNMENTS, messages_of(created, received_at), batch=self.outbox_batches)
            await write_outbox(connection, rows)
        await write_outbox(connection, pack(EVENTS, messages, batch=self.outbox_batches))
        results = _by_job(jobs, replays, fates)
        await idempotency.record(connection, [job.claim for job in jobs], results)
        await connection.execute("COMMIT")
        self.assignments.put_all(created)
        self.assignments.put_all({unit: assigned.known[unit].with_exposure() for unit in exposures})
        assigned.carried.count(carried, assigned.known)
        assigned.plain.count()
        self._count(exposing)
        return results

    def _count(self, exposures: Iterable[Event]) -> None:
        """Whoever sends an exposure uses the key, unless it is told of an import."""
        for event in exposures:
            live = self.find(event.experiment_id or 0)
            if live is not None and not live.external:
                self.counts.exposed(live.experiment_id, event.variant_key)

    async def _make_partitions(self, jobs: Sequence[EventJob]) -> None:
        missing = self.partitions.missing({event.day for job in jobs for event in job.events})
        if missing:
            await self.partitions.ensure(missing)

    async def _assign(self, connection: Connection, events: Sequence[Event], received_at: str) -> _Assigned:
        """The stored assignment says the variant, whatever the client said.

        An exposure may bring it along, or have it worked out here.
        """
        named = [event for event in events if event.experiment_id is not None]
        if not named:
            return _Assigned()
        known = await self._find(connection, {unit_of(event) for event in named})
        fresh = [event for event in named if event.event_type == EXPOSURE and not _is_exposed(event, known)]
        judges = await self._judges(connection, {event.experiment_id or 0 for event in fresh}, received_at)
        lacking = [event for event in fresh if unit_of(event) not in known]
        carried, plain = CarriedAssignments(), PlainExposures()
        carrying = [event for event in lacking if event.carried_version is not None]
        if carrying:
            carried = await store_carried(connection, carrying, judges)
            units = {unit_of(event) for event in carrying}
            known |= carried.created | await self._find(connection, units - carried.created.keys())
        bare = [event for event in lacking if event.carried_version is None and unit_of(event) not in known]
        if bare:
            plain = await store_plain(connection, bare, judges)
            known |= plain.created | plain.existing
        for event in named:
            assignment = known.get(unit_of(event))
            if assignment is not None:
                event.variant_key = assignment.variant_key
        return _Assigned(known, judges, carried, plain)

    async def _judges(
        self, connection: Connection, experiment_ids: set[int], received_at: str
    ) -> dict[int, Judge]:
        lives = [live for number in experiment_ids if (live := self.find(number)) is not None]
        histories = await self.histories.read(connection, [live.experiment_id for live in lives])
        unheard = [
            live.experiment_id
            for live in lives
            if not live.started and any(past.running for past in histories[live.experiment_id].pasts)
        ]
        for number in unheard:  # it started in another process a moment ago
            await self.load(number)
        if unheard:
            lives = [live for number in histories if (live := self.find(number)) is not None]
        return {live.experiment_id: Judge(live, histories[live.experiment_id], received_at) for live in lives}

    async def _find(self, connection: Connection, units: set[UnitKey]) -> dict[UnitKey, Stored]:
        found = {unit: stored for unit in units if (stored := self.assignments.get(unit)) is not None}
        unknown = units - found.keys()
        if unknown:
            read = await read_assignments(connection, sorted(unknown))
            self.assignments.put_all(read)
            found |= read
        return found

    async def _store(
        self, connection: Connection, events: Sequence[Event], received_at: str, *, careful: bool
    ) -> list[Fate]:
        fates = [Fate.ACCEPTED] * len(events)
        fresh, suspects = self._sort_out(events, careful)
        if fresh:
            await connection.execute("SAVEPOINT fresh")
            try:
                await copy_new(connection, [events[n] for n in fresh], received_at)
            except errors.UniqueViolation:
                await connection.execute("ROLLBACK TO SAVEPOINT fresh")
                suspects = list(range(len(events)))
        if suspects:
            found = await insert_or_compare(connection, [events[n] for n in suspects], received_at)
            for position, fate in zip(suspects, found, strict=True):
                fates[position] = fate
        return fates

    def _sort_out(self, events: Sequence[Event], careful: bool) -> tuple[list[int], list[int]]:
        """Positions of events that are likely new, and of those that may be there already."""
        if careful:
            return [], list(range(len(events)))
        recent = self.recent
        fresh: list[int] = []
        suspects: list[int] = []
        for position, event in enumerate(events):
            if event.id in recent:
                suspects.append(position)
            else:
                recent.put(event.id, True)
                fresh.append(position)
        return fresh, suspects


def _is_exposed(event: Event, known: Mapping[UnitKey, Stored]) -> bool:
    stored = known.get(unit_of(event))
    return stored is not None and stored.exposed


def _exposing(events: Sequence[Event], fates: Sequence[Fate]) -> list[Event]:
    """The exposures to one experiment among these events, each once."""
    return [
        event
        for event, fate in zip(events, fates, strict=True)
        if event.event_type == EXPOSURE and event.experiment_id is not None and fate is Fate.ACCEPTED
    ]


def _first_exposures(exposures: Iterable[Event], assigned: _Assigned) -> dict[UnitKey, str]:
    """The earliest of these exposures of each unit whose assignment has none recorded.

    What a unit met while its experiment was paused, or after its end, was no variant of it.
    """
    found: dict[UnitKey, str] = {}
    for event in exposures:
        unit = unit_of(event)
        stored = assigned.known.get(unit)
        if stored is None or stored.exposed:
            continue
        judge = assigned.judges.get(event.experiment_id or 0)
        if judge is None or judge.counts(event):
            found[unit] = min(event.timestamp, found.get(unit, event.timestamp))
    return found


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
