"""Publishing again what is missing, and nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg
from clickhouse_connect.driver.client import Client

from neonblue.clickhouse.client import connect
from neonblue.reconciliation import Reconciliation, reconcile
from neonblue.reconciliation.accepted import Accepted
from neonblue.reconciliation.compare import NOTHING, Bucket, Digest, Kind, Span, unequal
from neonblue.reconciliation.present import Present
from neonblue.reconciliation.service import span_of_now
from neonblue.republication import erasures
from neonblue.republication.publisher import Publisher
from neonblue.republication.republish import ORDER, publishing
from neonblue.republication.stored import Key
from neonblue.settings import Role, Settings

UNDER_WAY_SECONDS = 15.0
"""What the stream carries in this time is not missing."""
TURN = 7_301_885_412
"""Of PostgreSQL's advisory locks: the supervisor and a person repair one after the other."""


class RepairUnderWay(Exception):  # noqa: N818 - names a state
    """Another repair did not end in the time that there was."""


@dataclass(slots=True)
class Repaired:
    """What was published, by kind, and how the stores compare afterwards.

    restored: erasures put back into ClickHouse without a message. unknown: erasures that could not be.
    """

    reconciliation: Reconciliation
    published: dict[Kind, int] = field(default_factory=dict)
    restored: int = 0
    unknown: int = 0

    @property
    def rows(self) -> int:
        """How many rows were published again."""
        return sum(self.published.values()) + self.restored

    @property
    def equal(self) -> bool:
        """Whether no row is missing, unexpected or altered."""
        return self.reconciliation.equal

    @property
    def unrepaired(self) -> dict[Kind, int]:
        """Rows that are there and were never accepted: publishing removes none."""
        totals = {kind: rows.total.unexpected for kind, rows in self.reconciliation.rows.items()}
        return {kind: number for kind, number in totals.items() if number}


def repair(
    settings: Settings,
    *,
    wait_seconds: float,
    progress: Callable[[Kind, int, int], object] | None = None,
    actor: str = "system",
) -> Repaired:
    """Publish again what is missing or altered, and wait until the stores agree, or `wait_seconds` are over.

    One at a time: a second waits for the first, up to `wait_seconds`, and publishes what that has left. progress: told
    kind, rows published of it, and bytes that the stream must read first. actor: who the audit log says it was. Raises
    RepairUnderWay, StreamStandsStill, psycopg.Error, ClickHouseError.
    """
    with _turn(settings, wait_seconds):
        return _repair(settings, time.monotonic() + wait_seconds, progress or (lambda *_: None), actor)


@contextmanager
def _turn(settings: Settings, wait_seconds: float) -> Iterator[None]:
    """Two at once would each publish what is missing; the second finds what the first has left."""
    deadline = time.monotonic() + wait_seconds
    with psycopg.connect(settings.postgres.acting(Role.API).dsn(), autocommit=True) as connection:
        # Asked again and again: the role's statements end after a minute, also those that wait.
        while connection.execute("SELECT pg_try_advisory_lock(%s)", (TURN,)).fetchone() != (True,):
            if time.monotonic() >= deadline:
                raise RepairUnderWay(
                    f"another repair has been under way for {wait_seconds:g} s: the supervisor's stands in "
                    "'neonblue status', one of a person in the audit log"
                )
            time.sleep(min(1.0, wait_seconds))
        yield


def _repair(
    settings: Settings, deadline: float, progress: Callable[[Kind, int, int], object], actor: str
) -> Repaired:
    result = Repaired(reconcile(settings, min(UNDER_WAY_SECONDS, max(0.0, deadline - time.monotonic()))))
    if result.equal:
        return result
    telling = _Telling(result, progress)
    with (
        psycopg.connect(settings.postgres.acting(Role.READER).dsn(), autocommit=True) as postgres,
        connect(settings.clickhouse) as clickhouse,
        publishing(settings, telling.wait) as publisher,
    ):
        publisher.record(actor, "repair", settings.kafka.topic, {"missing": _missing(result.reconciliation)})
        found = erasures.publish(publisher.connection, clickhouse)
        result.restored, result.unknown = found.restored, found.unknown
        telling.done(Kind.ERASURES, found.published)
        stores = _Stores(postgres, clickhouse, span_of_now(postgres))
        for kind in ORDER:
            if kind is not Kind.ERASURES:
                _publish(stores, publisher, kind, telling)
        rows = {kind.value: number for kind, number in result.published.items()}
        publisher.record(actor, "repaired", settings.kafka.topic, {"rows": rows, "restored": result.restored})
    result.reconciliation = reconcile(settings, max(0.0, deadline - time.monotonic()))
    return result


@dataclass(frozen=True, slots=True)
class _Gap:
    """Rows of one day. missing: in PostgreSQL alone, or there with another value. unexpected: in ClickHouse alone."""

    buckets: list[Bucket]
    missing: set[str]
    unexpected: set[str]


@dataclass(frozen=True, slots=True)
class _Stores:
    """Both, read group by group: no more ids are held at once than a group has."""

    postgres: psycopg.Connection
    clickhouse: Client
    span: Span

    def gaps(self, kind: Kind) -> Iterator[_Gap]:
        present = Present(self.clickhouse, self.span)
        found = present.digests(kind)  # first: what it holds was committed before PostgreSQL is read
        with self._accepted() as accepted:
            digests = accepted.digests(kind)
        for group in unequal(digests, found, unexpected=kind is Kind.EXPERIMENTS):
            there = present.ids(kind, group)
            with self._accepted() as accepted:
                here = accepted.ids(kind, group)
            altered = [
                bucket
                for bucket in group
                if _ids(digests.get(bucket, NOTHING)) == _ids(found.get(bucket, NOTHING))
            ]
            with self._accepted() as accepted:
                differing = accepted.ids(kind, altered) if altered else set()
            yield _Gap(group, (here - there) | differing, there - here)

    def keys(self, kind: Kind, gap: _Gap) -> list[Key]:
        with self._accepted() as accepted:
            return accepted.keys(kind, gap.buckets, gap.missing)

    @contextmanager
    def _accepted(self) -> Iterator[Accepted]:
        with self.postgres.transaction():
            yield Accepted(self.postgres, self.span)


class _Telling:
    def __init__(self, result: Repaired, progress: Callable[[Kind, int, int], object]) -> None:
        self._result = result
        self._progress = progress
        self._kind = ORDER[0]

    def done(self, kind: Kind, rows: int) -> None:
        self._kind = kind
        if rows:
            self._result.published[kind] = self._result.published.get(kind, 0) + rows
        self.wait(0)

    def wait(self, unread: int) -> None:
        self._progress(self._kind, self._result.published.get(self._kind, 0), unread)


def _publish(stores: _Stores, publisher: Publisher, kind: Kind, telling: _Telling) -> None:
    for gap in stores.gaps(kind):
        if kind is Kind.EVENTS:
            done = publisher.found_events(gap.buckets[0].day, sorted(gap.missing))
        else:
            done = publisher.found_rows(kind, stores.keys(kind, gap))
        if kind is Kind.EXPERIMENTS:
            done += publisher.found_drafts([int(name.partition("/")[0]) for name in gap.unexpected])
        telling.done(kind, done)


def _missing(found: Reconciliation) -> dict[str, int]:
    return {kind.value: rows.total.missing for kind, rows in found.rows.items()}


def _ids(digest: Digest) -> tuple[int, int]:
    return digest.count, digest.checksum
