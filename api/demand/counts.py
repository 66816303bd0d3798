"""Counts answers in memory: an increment each, swept into rows by hour now and then, and taken to be written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from neonblue.bucketing import Reason
from neonblue.contract.answers import AssignmentAnswer

MOST_ROWS = 100_000
"""How many rows wait for PostgreSQL, about 30 MB: what finds no place among them is lost, and counted."""

EXPOSURE = "exposure"
"""The reason of what was not asked for here: an exposure came as an event."""

_NONE = ""
"""The variant of an answer without one: part of a primary key, so not null."""

Kind = tuple[int, str | None, str | None]
"""Experiment, variant, reason."""
Place = tuple[int, datetime, str, str]
"""Experiment, hour, variant, reason."""


@dataclass(frozen=True, slots=True)
class Row:
    """How often a key was asked for within one hour and answered so. first_at, last_at: no answer lies outside."""

    experiment_id: int
    hour: datetime
    variant_key: str
    reason: str
    count: int
    first_at: datetime
    last_at: datetime

    @property
    def place(self) -> Place:
        return (self.experiment_id, self.hour, self.variant_key, self.reason)

    def with_more(self, other: Row) -> Row:
        """Both, of the same place, as one."""
        return replace(
            self,
            count=self.count + other.count,
            first_at=min(self.first_at, other.first_at),
            last_at=max(self.last_at, other.last_at),
        )


class Counts:
    """What one process answered and has not stored yet. Of one event loop.

    lost: how many answers found no place.
    """

    def __init__(self, most_rows: int = MOST_ROWS) -> None:
        self.lost = 0
        self._most_rows = most_rows
        self._fresh: dict[Kind, int] = {}
        self._swept_at: datetime | None = None
        self._waiting: dict[Place, Row] = {}
        self._taken: list[Row] = []

    def __bool__(self) -> bool:
        """Whether anything is to be stored."""
        return bool(self._fresh or self._waiting or self._taken)

    @property
    def total(self) -> int:
        """How many answers are not stored yet."""
        return sum(self._fresh.values()) + sum(row.count for row in (*self._waiting.values(), *self._taken))

    def answered(self, answer: AssignmentAnswer) -> None:
        """Count a finished answer to who asked for this experiment. One that broke a rule is none."""
        if answer.experiment_id is None or answer.code is not None:
            return
        kind = (answer.experiment_id, answer.variant_key, answer.reason)
        fresh = self._fresh
        fresh[kind] = fresh.get(kind, 0) + 1

    def exposed(self, experiment_id: int, variant_key: str | None) -> None:
        """Count an exposure that came as an event."""
        kind = (experiment_id, variant_key, EXPOSURE)
        self._fresh[kind] = self._fresh.get(kind, 0) + 1

    def held(self, experiment_id: int) -> int:
        """How many of this experiment are not known to be stored."""
        fresh = sum(count for kind, count in self._fresh.items() if kind[0] == experiment_id)
        rows = (*self._waiting.values(), *self._taken)
        return fresh + sum(row.count for row in rows if row.experiment_id == experiment_id)

    def sweep(self, now: datetime) -> None:
        """Put what was counted since the last sweep into the hour in which the middle of that time lies."""
        since = min(self._swept_at or now, now)
        self._swept_at = now
        fresh, self._fresh = self._fresh, {}
        hour = (since + (now - since) / 2).replace(minute=0, second=0, microsecond=0)
        self._keep(
            Row(number, hour, variant or _NONE, str(reason or Reason.ASSIGNED), count, since, now)
            for (number, variant, reason), count in fresh.items()
        )

    def take(self, most: int) -> list[Row]:
        """At most so many rows to write, in the order of their places, the same in every process."""
        places = sorted(self._waiting)[:most]
        self._taken = [self._waiting.pop(place) for place in places]
        return self._taken

    def settle(self, *, written: bool) -> None:
        """Say what became of the rows that were taken."""
        taken, self._taken = self._taken, []
        if not written:
            self._keep(taken)

    def _keep(self, rows: Iterable[Row]) -> None:
        for row in rows:
            known = self._waiting.get(row.place)
            if known is not None:
                self._waiting[row.place] = known.with_more(row)
            elif len(self._waiting) < self._most_rows:
                self._waiting[row.place] = row
            else:
                self.lost += row.count
