"""From a body of events to the answer on each."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from api.events.idempotency import Claim, Replay, ReplayKind, rejections
from api.events.repository import Fate
from api.events.writer import EventJob, EventResult
from api.experiments.registry import Registry
from api.fairness import LARGE_BODY, off_the_loop
from api.http.problems import Problem
from api.identity.identify import Identify
from api.metrics import CLOCKS, EVENTS
from api.postgres.failures import Refused
from api.postgres.group_commit import GroupCommit
from neonblue.contract.answers import EventItem, EventsAnswer, Status
from neonblue.contract.clocks import Clock, clock_of
from neonblue.contract.codes import Code
from neonblue.contract.decoding import ItemDecoder
from neonblue.contract.events import Event, TimeWindow, accept, event_decoder
from neonblue.contract.requests import EventRequest
from neonblue.contract.violation import Violation
from neonblue.tracing import CURRENT, traceparent

_REUSED = Violation(Code.ID_REUSED, "another event with this id is stored", "id")
_REFUSED = Violation(Code.REFUSED_BY_STORE, "the store refused this request's data")
_ACCEPTED = EVENTS.labels("accepted")
_DUPLICATES = EVENTS.labels("duplicate")
_REJECTED = EVENTS.labels("rejected")
_CORRECTED = CLOCKS.labels("corrected")
_TOO_FAR = CLOCKS.labels("too_far")


@dataclass(frozen=True, slots=True)
class Retryable:
    """The Idempotency-Key of a request and whose it is."""

    token_id: int
    key: str


@dataclass(slots=True)
class EventService:
    """Decides what an event may be and says what became of it; storing is the queue's work."""

    queue: GroupCommit[EventJob, EventResult]
    registry: Registry
    max_age: timedelta
    max_ahead: timedelta
    identify: Identify
    _decoder: ItemDecoder[EventRequest] = field(default_factory=event_decoder, init=False)
    _claimed: dict[tuple[int, str], asyncio.Event] = field(default_factory=dict, init=False)

    async def store(
        self,
        body: bytes,
        *,
        lines: bool,
        retryable: Retryable | None,
        sent_at: str | None = None,
        arrived: datetime | None = None,
    ) -> EventsAnswer:
        """Store what breaks no rule; returns once that is durable. sent_at: the client's clock as it sent the
        request; arrived: ours as it came, by default now.

        Raises ContractError for a body or a time of sending that can't be read, Problem `idempotency_key_reused`,
        Unavailable, and psycopg.Error when an unknown experiment can't be looked up.
        """
        clock = None if sent_at is None else clock_of(sent_at, arrived or datetime.now(UTC))
        decode = self._decoder.decode
        large = len(body) >= LARGE_BODY
        items = (await off_the_loop(decode, body, lines=lines) if large else decode(body, lines=lines)).items
        window = TimeWindow.at(datetime.now(UTC), self.max_age, self.max_ahead)
        accepted = await self._accept(items, window, clock)
        events = [item for item in accepted if isinstance(item, Event)]
        if clock is not None:
            _count_clocks(clock, events)
        if retryable is None:
            return _answer(items, accepted, await self._write(events, len(body)))
        ids = tuple(event.id for event in events)
        broken = ((place, item) for place, item in enumerate(accepted) if isinstance(item, Violation))
        digest = sha256(body).digest()
        claim = Claim(retryable.token_id, retryable.key, digest, ids, rejections(broken))
        result = await self._write_once(events, len(body), claim)
        if isinstance(result, Replay):
            return _answer_again(items, accepted, result)
        return _answer(items, accepted, result)

    async def _accept(
        self, items: Sequence[EventRequest | Violation], window: TimeWindow, clock: Clock | None
    ) -> list[Event | Violation]:
        find = self.registry.find
        accepted = [
            item if isinstance(item, Violation) else accept(item, window, find, clock) for item in items
        ]
        unknown = [n for n, item in enumerate(accepted) if _names_unknown(item)]
        if unknown:
            await self.registry.confirm()
            for n in unknown:
                item = items[n]
                if not isinstance(item, Violation):
                    accepted[n] = accept(item, window, find, clock)
        for event in accepted:
            if isinstance(event, Event):
                event.user_id = self.identify(event.user_id)
        return accepted

    async def _write(self, events: list[Event], size: int) -> Sequence[Fate | Violation]:
        if not events:
            return []
        result = await self._submit(EventJob(events, size))
        assert not isinstance(result, Replay)  # noqa: S101 - nothing was claimed
        return result

    async def _write_once(
        self, events: list[Event], size: int, claim: Claim
    ) -> Sequence[Fate | Violation] | Replay:
        """One request at a time may hold a key, so that its repetition finds the answer of the first.

        Asked also where every item broke a rule: the first request's may have been stored.
        """
        name = (claim.token_id, claim.key)
        while (holder := self._claimed.get(name)) is not None:
            await holder.wait()
        done = self._claimed[name] = asyncio.Event()
        try:
            return await self._submit(EventJob(events, size, claim))
        finally:
            del self._claimed[name]
            done.set()

    async def _submit(self, job: EventJob) -> Sequence[Fate | Violation] | Replay:
        if (carried := traceparent(CURRENT.get())) is not None:
            for event in job.events:
                event.traceparent = carried
        try:
            return await self.queue.submit(job)
        except Refused:
            return [_REFUSED] * len(job.events)


def _names_unknown(item: Event | Violation) -> bool:
    return isinstance(item, Violation) and item.code in (Code.UNKNOWN_EXPERIMENT, Code.UNKNOWN_VARIANT)


def _answer_again(
    requests: Sequence[EventRequest | Violation], accepted: Sequence[Event | Violation], replay: Replay
) -> EventsAnswer:
    """The answer of the first request, ids, rules and all, whatever rules its items would break by now."""
    if replay.kind is ReplayKind.OTHER_REQUEST:
        raise _another_request()
    broken = _broken_at_first(accepted, replay)
    if len(replay.ids) + len(broken) != len(requests):
        raise _another_request()
    ids = iter(replay.ids)
    first = [broken[n] if n in broken else _Stored(next(ids)) for n in range(len(requests))]
    return _answer(requests, first, [Fate(fate) for fate in replay.fates])


def _broken_at_first(accepted: Sequence[Event | Violation], replay: Replay) -> dict[int, Violation]:
    """The rules that items of the first request broke, by their places."""
    if replay.rejected is not None:
        return {
            place: Violation(rule.code, rule.message, rule.field)
            for rule in replay.rejected
            for place in rule.places
        }
    if len(replay.ids) == len(accepted):
        return {}
    return {place: item for place, item in enumerate(accepted) if isinstance(item, Violation)}


def _another_request() -> Problem:
    return Problem(422, "idempotency_key_reused", "Another request used this key", field="idempotency-key")


@dataclass(frozen=True, slots=True)
class _Stored:
    """An event of a request that was answered before."""

    id: str


def _answer(
    requests: Sequence[EventRequest | Violation],
    accepted: Sequence[Event | _Stored | Violation],
    fates: Sequence[Fate | Violation],
) -> EventsAnswer:
    counts = {Status.ACCEPTED: 0, Status.DUPLICATE: 0, Status.REJECTED: 0}
    remaining = iter(fates)
    items: list[EventItem] = []
    for index, item in enumerate(accepted):
        fate: Fate | Violation = item if isinstance(item, Violation) else next(remaining)
        if fate is Fate.ACCEPTED or fate is Fate.DUPLICATE:
            status = Status.ACCEPTED if fate is Fate.ACCEPTED else Status.DUPLICATE
            items.append(EventItem(index, None if isinstance(item, Violation) else item.id, status))
        else:
            status = Status.REJECTED
            violation = fate if isinstance(fate, Violation) else _REUSED
            items.append(EventItem.rejected(index, _given_id(requests[index]), violation))
        counts[status] += 1
    _count(counts)
    return EventsAnswer(counts[Status.ACCEPTED], counts[Status.DUPLICATE], counts[Status.REJECTED], items)


def _given_id(request: EventRequest | Violation) -> str | None:
    return None if isinstance(request, Violation) else request.id


def _count_clocks(clock: Clock, events: Sequence[Event]) -> None:
    if clock.too_far:
        _TOO_FAR.inc(sum(1 for event in events if event.sent_at is not None))
    elif clock.offset:
        _CORRECTED.inc(sum(1 for event in events if event.clock_offset))


def _count(counts: dict[Status, int]) -> None:
    _ACCEPTED.inc(counts[Status.ACCEPTED])
    if counts[Status.DUPLICATE]:
        _DUPLICATES.inc(counts[Status.DUPLICATE])
    if counts[Status.REJECTED]:
        _REJECTED.inc(counts[Status.REJECTED])
