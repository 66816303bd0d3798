"""Single days of events in both stores: whether ClickHouse holds what PostgreSQL is about to forget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

import psycopg
from clickhouse_connect.driver.client import Client

from neonblue.reconciliation.compare import NOTHING, Digest
from neonblue.reconciliation.present import EVENT_ROWS

_ACCEPTED = """
SELECT day, count(*), bit_xor(('x' || substr(md5(uuid_send(id)), 1, 16))::bit(64)::bigint),
       coalesce(sum(value), 0), max(received_at)
FROM events WHERE day >= %s AND day < %s GROUP BY day
"""
_PRESENT = f"""
SELECT day, count(), groupBitXor(reinterpretAsInt64(reverse(substring(hash, 1, 8)))), sum(value)
FROM ({EVENT_ROWS})
WHERE day >= {{first:Date}} AND day < {{end:Date}} GROUP BY day
"""  # noqa: S608 - both are constants
_ALL = {
    "until": datetime(2199, 1, 1, tzinfo=UTC),
    "ahead": datetime(2199, 1, 1, tzinfo=UTC),
}


@dataclass(frozen=True, slots=True)
class Held:
    """One UTC day's events. newest: when the last of them was accepted."""

    day: date
    accepted: Digest
    present: Digest
    newest: datetime

    @property
    def agrees(self) -> bool:
        """Whether ClickHouse holds exactly what PostgreSQL does."""
        return self.accepted == self.present


def held(
    postgres: psycopg.Connection, clickhouse: Client, spans: Sequence[tuple[date, date]]
) -> dict[date, Held]:
    """The days that have events in PostgreSQL, of these spans: each from its first day up to its end (exclusive)."""
    if not spans:
        return {}
    bounds = {"first": min(first for first, _ in spans), "end": max(end for _, end in spans)}
    found = clickhouse.query(_PRESENT, parameters=_ALL | bounds).result_rows
    present = {day: Digest(count, checksum, total) for day, count, checksum, total in found}
    days: dict[date, Held] = {}
    for span in spans:
        for day, count, checksum, total, newest in postgres.execute(_ACCEPTED, span):
            days[day] = Held(day, Digest(count, checksum, total), present.get(day, NOTHING), newest)
    return days
