"""Which days PostgreSQL keeps: what ClickHouse has of others, retention let go here."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date

from clickhouse_connect.driver.client import Client

_DROPPED = "SELECT first_day FROM dropped_periods FINAL WHERE period = 'day'"

_FOR_EVER = date(2149, 1, 1)
"""ClickHouse's type Date ends soon after."""


@dataclass(frozen=True, slots=True)
class KeptDays:
    """Spans of whole days in order, each from its first up to its end (exclusive). The last has no end: it holds today.

    Days may be gone between two that are kept: imported history, or a day that the stores do not agree on, stays longer
    than its neighbours. A day that was dropped is not kept, though something came for it late and it is there again.
    """

    spans: tuple[tuple[date, date], ...] = ()

    @classmethod
    def of(cls, partitions: Iterable[tuple[date, date]], dropped: Collection[date] = ()) -> KeptDays:
        """Those that the partitions hold, and all after the newest of them; none without partitions.

        dropped: the first days of partitions that were dropped once.
        """
        spans: list[tuple[date, date]] = []
        for start, end in sorted(partition for partition in partitions if partition[0] not in dropped):
            if spans and start <= spans[-1][1]:
                spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
            else:
                spans.append((start, end))
        if spans:
            spans[-1] = (spans[-1][0], _FOR_EVER)
        return cls(tuple(spans))

    def __contains__(self, day: date) -> bool:
        return any(start <= day < end for start, end in self.spans)


def read_dropped(client: Client) -> set[date]:
    """The days of events that retention dropped in PostgreSQL."""
    return {day for (day,) in client.query(_DROPPED).result_rows}
