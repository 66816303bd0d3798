"""An erasure and what follows from its state. Pure.

Its course: PostgreSQL forgets at once and the stream is told (`erased_at`). A while later, when every request that was
under way has settled, PostgreSQL and the caches are looked at once more (`settled_at`). ClickHouse hears of it over the
stream (`arrived_at`), drops what it holds, and is seen to hold nothing (`cleared_at`). The outbox and the topic forget
by retention; then nothing can bring anything back, and the erasure is closed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from uuid import UUID

from api.erasures.schemas import Pending, Receipt, Removed, State, StoreName

SEGMENT = timedelta(days=1)
"""The topic forgets whole segments, and begins one at least this often (`segment.ms` in connectors/topics.json)."""
_SLACK = timedelta(minutes=10)
"""Between a limit and the broker's next look at it."""
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Terms:
    """How long things take. `settle`: until a request that was under way is stored or refused."""

    settle: timedelta
    outbox_retention: timedelta
    topic_retention: timedelta


@dataclass(frozen=True, slots=True)
class Erasure:
    """A row of `erasures`. `user_id`: the stored id, until it is removed; `person`: its digest, until closed.

    linked: the erasures of the anonymous ids that were this person's. person_key: as ClickHouse computes it, once it
    has told; kept as long as `person`.
    """

    id: UUID
    unit_type: str
    user_id: str | None
    person: bytes | None
    erased_at: datetime
    removed: tuple[Removed, ...] = ()
    linked: tuple[UUID, ...] = ()
    arrived_at: datetime | None = None
    settled_at: datetime | None = None
    cleared_at: datetime | None = None
    outbox_gone_at: datetime | None = None
    topic_gone_at: datetime | None = None
    closed_at: datetime | None = None
    attempts: int = 0
    problem: str | None = None
    person_key: int | None = None

    @property
    def state(self) -> State:
        if self.closed_at is not None:
            return State.CLOSED
        return State.RETAINED if self.settled_at and self.cleared_at else State.REMOVING


@dataclass(frozen=True, slots=True)
class Seen:
    """A look at what forgets by retention: the oldest row and message still there, None where there is none.

    `…_known`: whether the store could be looked at.
    """

    outbox_oldest: datetime | None
    topic_oldest: datetime | None
    topic_known: bool


def settles_at(erasure: Erasure, terms: Terms) -> datetime:
    """From when on nothing received before the erasure can still be stored in PostgreSQL."""
    return erasure.erased_at + terms.settle


def clears_from(erasure: Erasure, terms: Terms) -> datetime | None:
    """From when on nothing received before the erasure can still enter ClickHouse unseen; None before it arrived."""
    if erasure.arrived_at is None:
        return None
    return max(erasure.arrived_at, erasure.erased_at) + terms.settle


def outbox_until(erasure: Erasure, terms: Terms) -> datetime:
    """When the outbox drops the last day that may hold the person."""
    last_day = last_message_at(erasure, terms).astimezone(UTC).date()
    return datetime.combine(last_day, time(), UTC) + _DAY + terms.outbox_retention


def last_message_at(erasure: Erasure, terms: Terms) -> datetime:
    """No row that was written to the outbox later, nor a message to the topic, can hold the person.

    An erasure that has not arrived may be published again, with the id.
    """
    return max(erasure.arrived_at or erasure.erased_at, settles_at(erasure, terms))


def topic_until(erasure: Erasure, terms: Terms) -> datetime:
    """When the topic drops the last message that may hold the person."""
    return last_message_at(erasure, terms) + terms.topic_retention + SEGMENT + _SLACK


def looked(erasure: Erasure, seen: Seen, terms: Terms, now: datetime) -> Erasure:
    """The erasure after a look: what retention has forgotten is marked so, and once nothing is left it is closed."""
    after = erasure
    if after.state is not State.RETAINED:
        return after
    last = last_message_at(after, terms)
    if after.outbox_gone_at is None and _forgotten(seen.outbox_oldest, last, now):
        after = _gone(replace(after, outbox_gone_at=now), "outbox", "rows", now)
    topic_forgot = seen.topic_known and _forgotten(seen.topic_oldest, last, now)
    if after.topic_gone_at is None and topic_forgot:
        after = _gone(replace(after, topic_gone_at=now), "topic", "messages", now)
    if after.outbox_gone_at and after.topic_gone_at:
        after = replace(after, closed_at=now, person=None, person_key=None)
    return after


def removed_more(erasure: Erasure, found: Iterable[Removed]) -> Erasure:
    """The erasure with more removed: one entry for each place, with all its rows and the newest time."""
    entries = {(entry.store, entry.place): entry for entry in erasure.removed}
    for entry in found:
        before = entries.get((entry.store, entry.place))
        rows = entry.rows if before is None or before.rows is None else before.rows + (entry.rows or 0)
        if entry.rows != 0 or before is None:
            entries[entry.store, entry.place] = entry.model_copy(update={"rows": rows})
    return replace(erasure, removed=tuple(entries.values()))


def entries(store: StoreName, rows: Mapping[str, int], at: datetime) -> list[Removed]:
    """What was removed from a store's tables, without those that held nothing."""
    return [Removed(store=store, place=place, rows=count, at=at) for place, count in rows.items() if count]


def receipt(erasure: Erasure, terms: Terms) -> Receipt:
    """What may be said of it."""
    return Receipt(
        id=erasure.id,
        unit_type=erasure.unit_type,
        erased_at=erasure.erased_at,
        state=erasure.state,
        linked=list(erasure.linked),
        removed=list(erasure.removed),
        pending=[] if erasure.closed_at is not None else _pending(erasure, terms),
        problem=erasure.problem,
        closed_at=erasure.closed_at,
    )


def _pending(erasure: Erasure, terms: Terms) -> list[Pending]:
    found: list[Pending] = []
    if erasure.settled_at is None:
        until = settles_at(erasure, terms)
        found.append(Pending(store="postgresql", reason="requests under way are waited for", until=until))
        found.append(Pending(store="valkey", reason="requests under way are waited for", until=until))
    if erasure.cleared_at is None:
        reason = "the stream has not brought it yet" if erasure.arrived_at is None else "its rows are removed"
        found.append(Pending(store="clickhouse", reason=reason, until=clears_from(erasure, terms)))
    if erasure.outbox_gone_at is None:
        reason = "its rows hold many people: whole days are dropped"
        found.append(Pending(store="outbox", reason=reason, until=outbox_until(erasure, terms)))
    if erasure.topic_gone_at is None:
        reason = "its messages hold many people: whole segments are dropped"
        found.append(Pending(store="topic", reason=reason, until=topic_until(erasure, terms)))
    return found


def _forgotten(oldest: datetime | None, last: datetime, now: datetime) -> bool:
    return now > last and (oldest is None or oldest > last)


def _gone(erasure: Erasure, store: StoreName, place: str, now: datetime) -> Erasure:
    return removed_more(erasure, [Removed(store=store, place=place, rows=None, at=now)])
