"""Writes chunks of rebuilt messages into the outbox: each in a short transaction, none faster than the stream reads.

What is read in a transaction is published in it, so that whoever is erased meanwhile was there before the erasure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime

import psycopg
from clickhouse_connect.driver.client import Client
from psycopg.types.json import Jsonb

from neonblue.reconciliation.compare import Kind
from neonblue.republication import outbox, rebuilt, stored, warehouse
from neonblue.republication.pace import Pace
from neonblue.republication.rebuilt import AssignmentRow, Rebuilt
from neonblue.republication.stored import PAGE_ROWS, Key

_SHORT = "SET LOCAL statement_timeout = '20s'; SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off"
"""The transactions of a chunk must be over before an erasure counts as settled. Where ids are no times, a look at all
rows may seem cheaper than the way by the key, and would be taken for each page."""
_RECORD = """
INSERT INTO audit_log (actor, action, object_type, object_id, after) VALUES (%s, %s, 'stream', %s, %s)
"""


@dataclass(frozen=True, slots=True)
class Range:
    """Instants of acceptance from `start` up to, not including, `end`."""

    start: datetime
    end: datetime

    def holds(self, instant: datetime) -> bool:
        return self.start <= instant < self.end


Done = Callable[[int], object]
"""Told the rows of a chunk, once it is committed."""


@dataclass(slots=True)
class Publisher:
    """waiting: told the bytes that the stream has not read, while they are too many."""

    connection: psycopg.Connection
    clickhouse: Client
    pace: Pace
    batch: bool
    waiting: Callable[[int], object]

    def events_of_day(self, day: date, span: Range, done: Done) -> int:
        """Publish a stored day's events of the range."""
        total, last = 0, None
        while True:
            self.pace.wait(self.waiting)
            with self._short():
                page, last = stored.events_after(self.connection, day, last)
                written = self._write(Kind.EVENTS, page, span)
            total += written
            done(written)
            if last is None:
                return total

    def assignments(self, span: Range, done: Done) -> tuple[int, int]:
        """Publish the assignments of the range; how many, and how many were left as they are.

        One that an older version stored is published only where ClickHouse has none: there it may have attributes.
        """
        total, kept, key = 0, 0, None
        while True:
            self.pace.wait(self.waiting)
            with self._short():
                rows, key = stored.assignments_after(self.connection, key)
                known = self._known([row for row in rows if row.received_at is None])
                page = [rebuilt.assignment(row) for row in rows if row not in known]
                written = self._write(Kind.ASSIGNMENTS, page, span)
            total += written
            kept += sum(span.holds(row.assigned_at) for row in known)
            done(written)
            if key is None:
                return total, kept

    def rows(self, kind: Kind, span: Range, done: Done) -> int:
        """Publish the experiments' versions, or the links, of the range; with the versions, deleted drafts."""
        total, key = 0, None
        while True:
            self.pace.wait(self.waiting)
            with self._short():
                page, key = stored.rows_after(self.connection, kind, key)
                written = self._write(kind, page, span)
            total += written
            done(written)
            if key is None:
                break
        if kind is Kind.EXPERIMENTS:
            with self._short():
                written = self._write(kind, stored.deleted_drafts(self.connection), span)
            total += written
            done(written)
        return total

    def found_events(self, day: date, ids: Sequence[str]) -> int:
        """Publish events of a stored day by their ids."""
        total = 0
        size = PAGE_ROWS[Kind.EVENTS]
        for start in range(0, len(ids), size):
            self.pace.wait(self.waiting)
            with self._short():
                page = stored.find_events(self.connection, day, ids[start : start + size])
                total += self._write(Kind.EVENTS, page)
        return total

    def found_rows(self, kind: Kind, keys: Sequence[Key]) -> int:
        """Publish assignments, versions or links by their keys."""
        total = 0
        size = PAGE_ROWS[kind]
        for start in range(0, len(keys), size):
            self.pace.wait(self.waiting)
            with self._short():
                page = stored.find_rows(self.connection, kind, keys[start : start + size])
                total += self._write(kind, page)
        return total

    def found_drafts(self, ids: Sequence[int]) -> int:
        """Publish the last message on each of these drafts that was deleted."""
        with self._short():
            return self._write(Kind.EXPERIMENTS, stored.deleted_drafts(self.connection, ids))

    def record(self, actor: str, action: str, topic: str, told: Mapping[str, object]) -> None:
        """An entry in the audit log."""
        with self.connection.transaction():
            self.connection.execute(_RECORD, (actor, action, topic, Jsonb(told)))

    def _write(self, kind: Kind, page: Sequence[Rebuilt], span: Range | None = None) -> int:
        wanted = [one for one in page if span is None or span.holds(one.accepted_at)]
        if wanted:
            outbox.write(self.connection, rebuilt.packed(kind, wanted, batch=self.batch))
        return len(wanted)

    def _known(self, rows: Sequence[AssignmentRow]) -> set[AssignmentRow]:
        units = {(row.experiment_id, row.unit_type, row.user_id): row for row in rows}
        return {units[unit] for unit in warehouse.assigned(self.clickhouse, units.keys())}

    @contextmanager
    def _short(self) -> Iterator[None]:
        with self.connection.transaction():
            self.connection.execute(_SHORT, prepare=False)  # several statements
            yield
