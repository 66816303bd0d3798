"""Which partitions retention lets go. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

_BOUNDS = re.compile(r"FROM \('(\d{4}-\d\d-\d\d)[^']*'\) TO \('(\d{4}-\d\d-\d\d)[^']*'\)")


@dataclass(frozen=True, slots=True)
class Partition:
    """A partition of a PostgreSQL table: the days from `start` up to, not including, `end`."""

    name: str
    start: date
    end: date


def parse(name: str, bounds: str) -> Partition | None:
    """A partition from the words PostgreSQL describes it with; None where it is no range of days."""
    found = _BOUNDS.search(bounds)
    if found is None:
        return None
    return Partition(name, date.fromisoformat(found[1]), date.fromisoformat(found[2]))


def expired(partitions: Iterable[Partition], before: date) -> list[Partition]:
    """The partitions that lie wholly before a day, oldest first."""
    return sorted((p for p in partitions if p.end <= before), key=lambda partition: partition.start)


def said_of_read(staying: Sequence[Partition]) -> str:
    """What the keeper should know of events that could not be dropped for somebody who reads. In order, not empty."""
    last = staying[-1].end - timedelta(days=1)
    days = f"events of the days from {staying[0].start} to {last}"
    return f"{days} stay until the next night: somebody reads 'events' for long"


def missing_days(partitions: Iterable[Partition], wanted: Iterable[date]) -> list[date]:
    """The days that no partition holds."""
    known = list(partitions)
    return [day for day in wanted if not any(p.start <= day < p.end for p in known)]


def months_before(today: date, months: int) -> date:
    """The first day of the month so many months before today's."""
    count = today.year * 12 + today.month - 1 - months
    return date(count // 12, count % 12 + 1, 1)
