"""Publishing again what PostgreSQL holds, or a span of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

import psycopg

from neonblue.clickhouse.client import connect
from neonblue.contract.instants import EPOCH, format_instant
from neonblue.reconciliation.compare import Kind
from neonblue.republication import erasures, stored
from neonblue.republication.pace import Pace
from neonblue.republication.publisher import Publisher, Range
from neonblue.republication.stored import Counted
from neonblue.settings import Role, Settings

LATEST = datetime(9999, 12, 31, tzinfo=UTC)
ORDER = (Kind.ERASURES, Kind.EXPERIMENTS, Kind.LINKS, Kind.ASSIGNMENTS, Kind.EVENTS)
"""The few before the many; who is erased before everything."""
Plan = dict[Kind, list[Counted]]
"""What is to be published, by kind and day of acceptance."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What was published of a kind, of how many. unread: bytes that the stream must read first, if that is waited for.

    go_on_from: everything that was accepted before is published already; None: begin again.
    """

    kind: Kind
    done: int
    of: int
    unread: int = 0
    go_on_from: datetime | None = None


@dataclass(slots=True)
class Republished:
    """Rows that were published, by kind.

    restored: erasures that were put back into ClickHouse without a message. unknown: erasures that could not be.
    kept: assignments of older versions that ClickHouse holds, which were left as they are.
    """

    rows: dict[Kind, int] = field(default_factory=dict)
    restored: int = 0
    unknown: int = 0
    kept: int = 0

    @property
    def total(self) -> int:
        """Of all kinds."""
        return sum(self.rows.values())


def plan(
    settings: Settings,
    span_from: datetime | None,
    span_to: datetime | None,
    kinds: Collection[Kind] | None = None,
) -> Plan:
    """What `republish` would publish. Raises ValueError for a span that ends before it begins."""
    span = _range(span_from, span_to)
    with psycopg.connect(settings.postgres.acting(Role.API).dsn(), autocommit=True) as connection:
        return _plan(connection, span, kinds)


def republish(
    settings: Settings,
    span_from: datetime | None,
    span_to: datetime | None,
    kinds: Collection[Kind] | None = None,
    progress: Callable[[Progress], object] | None = None,
    *,
    actor: str = "system",
) -> Republished:
    """Publish again what was accepted from `span_from` up to, not including, `span_to`; None: without that bound.

    kinds: only these, and erasures, which always come along, of all times. actor: who the audit log says it was.
    Doing it twice changes nothing. Raises ValueError for a span that ends before it begins, StreamStandsStill,
    psycopg.Error, ClickHouseError.
    """
    span = _range(span_from, span_to)
    teller = _Teller(progress)
    with publishing(settings, teller.wait) as publisher:
        planned = _plan(publisher.connection, span, kinds)
        told = {"from": _text(span_from), "to": _text(span_to), "kinds": sorted(planned)}
        publisher.record(actor, "republish", settings.kafka.topic, told)
        result = Republished()
        for kind in ORDER:
            if kind in planned:
                teller.begin(kind, planned[kind])
                _publish(publisher, kind, planned[kind], span, result, teller)
        rows = {kind.value: number for kind, number in result.rows.items()}
        publisher.record(actor, "republished", settings.kafka.topic, told | {"rows": rows})
    return result


@contextmanager
def publishing(settings: Settings, waiting: Callable[[int], object]) -> Iterator[Publisher]:
    """What writes into the outbox, as the API's role."""
    with (
        psycopg.connect(settings.postgres.acting(Role.API).dsn(), autocommit=True) as connection,
        connect(settings.clickhouse) as clickhouse,
    ):
        connection.execute("SET TIME ZONE 'UTC'")
        pace = Pace.of(connection, settings)
        yield Publisher(connection, clickhouse, pace, settings.api.outbox_batches, waiting)


def _publish(
    publisher: Publisher,
    kind: Kind,
    counted: list[Counted],
    span: Range,
    result: Republished,
    teller: _Teller,
) -> None:
    if kind is Kind.ERASURES:
        found = erasures.publish(publisher.connection, publisher.clickhouse)
        result.rows[kind], result.restored, result.unknown = found.published, found.restored, found.unknown
    elif kind is Kind.ASSIGNMENTS:
        result.rows[kind], result.kept = publisher.assignments(span, teller.done)
    elif kind is Kind.EVENTS:
        result.rows[kind] = 0
        for day, first in go_on_from(counted):
            teller.go_on_from = first
            result.rows[kind] += publisher.events_of_day(day, span, teller.done)
    else:
        result.rows[kind] = publisher.rows(kind, span, teller.done)


def go_on_from(counted: Iterable[Counted]) -> list[tuple[date, datetime]]:
    """The stored days in their order, each with the first acceptance on it or any later one.

    Imported history was accepted long after the day it is stored under.
    """
    firsts: dict[date, datetime] = {}
    for one in counted:
        if one.partition is not None:
            firsts[one.partition] = min(one.first, firsts.get(one.partition, one.first))
    days: list[tuple[date, datetime]] = []
    for day in sorted(firsts, reverse=True):
        days.append((day, min(firsts[day], days[-1][1]) if days else firsts[day]))
    return days[::-1]


def _plan(connection: psycopg.Connection, span: Range, kinds: Collection[Kind] | None) -> Plan:
    wanted = set(ORDER) if not kinds else {*kinds, Kind.ERASURES}
    return {kind: stored.count(connection, kind, span.start, span.end) for kind in ORDER if kind in wanted}


def _range(span_from: datetime | None, span_to: datetime | None) -> Range:
    start, end = span_from or EPOCH, span_to or LATEST
    if start >= end:
        raise ValueError(f"the span ends, {format_instant(end)}, before it begins, {format_instant(start)}")
    return Range(start, end)


def _text(instant: datetime | None) -> str | None:
    return None if instant is None else format_instant(instant)


class _Teller:
    """Keeps count for whoever wants to see the progress."""

    def __init__(self, progress: Callable[[Progress], object] | None) -> None:
        self._progress = progress or (lambda _: None)
        self._kind, self._done, self._of = ORDER[0], 0, 0
        self.go_on_from: datetime | None = None

    def begin(self, kind: Kind, counted: list[Counted]) -> None:
        self._kind, self._done, self._of = kind, 0, sum(one.rows for one in counted)
        self._tell(0)

    def done(self, rows: int) -> None:
        self._done += rows
        self._tell(0)

    def wait(self, unread: int) -> None:
        self._tell(unread)

    def _tell(self, unread: int) -> None:
        self._progress(Progress(self._kind, self._done, max(self._of, self._done), unread, self.go_on_from))
