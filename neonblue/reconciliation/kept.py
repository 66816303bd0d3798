"""Which days PostgreSQL keeps: what ClickHouse has of others, retention let go here. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

_FOR_EVER = date(2149, 1, 1)
"""ClickHouse's type Date ends soon after."""


@dataclass(frozen=True, slots=True)
class KeptDays:
    """Spans of days in order, each from its first up to its end (exclusive). The last has no end: it holds today.

    Days may be gone between two that are kept: imported history, or a day that the stores do not agree on, stays longer
    than its neighbours.
    """

    spans: tuple[tuple[date, date], ...] = ()

    @classmethod
    def of(cls, partitions: Iterable[tuple[date, date]]) -> KeptDays:
        """Those that the partitions hold, and all after the newest of them; none without partitions."""
        spans: list[tuple[date, date]] = []
        for start, end in sorted(partitions):
            if spans and start <= spans[-1][1]:
                spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
            else:
                spans.append((start, end))
        if spans:
            spans[-1] = (spans[-1][0], _FOR_EVER)
        return cls(tuple(spans))

    def __contains__(self, day: date) -> bool:
        return any(start <= day < end for start, end in self.spans)
