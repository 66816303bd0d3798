"""Partitions and retention in PostgreSQL and ClickHouse."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Literal

import psycopg
from clickhouse_connect.driver.client import Client

from neonblue.clickhouse.client import execute
from orchestration.defs.maintenance.partitions import Partition, parse
from orchestration.defs.maintenance.retention import Needed

EVENTS = "events"
OUTBOX = "outbox_events"

# The lock under which the API makes and drops partitions.
_LOCK = 6_075_131_887_002
_AUDIT_ROWS = 200_000
_PARTITIONS = """
SELECT child.relname, pg_get_expr(child.relpartbound, child.oid)
FROM pg_inherits JOIN pg_class AS child ON child.oid = inhrelid
WHERE inhparent = %s::regclass
"""
_SLOT_LAG = """
SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn)::bigint
FROM pg_replication_slots WHERE slot_name = %s
"""
_TABLES = """
SELECT table, sum(rows), sum(bytes_on_disk), uniqExact(partition)
FROM system.parts WHERE active AND database = currentDatabase()
GROUP BY table ORDER BY sum(bytes_on_disk) DESC
"""
_OLD_MONTHS = """
SELECT toYYYYMM(timestamp) AS month, max(received_at) FROM events_processed
WHERE timestamp < {before:DateTime('UTC')} GROUP BY month ORDER BY month
"""
# Under way, or ended and nothing said about it yet.
_NEEDED = """
SELECT experiments.key, least(
    coalesce(experiments.started_at, experiments.created_at),
    (SELECT min(assigned_at) FROM assignments WHERE experiment_id = experiments.id)
)
FROM experiments
WHERE status IN ('running', 'paused') OR (status = 'concluded' AND decision IS NULL)
"""


@dataclass(frozen=True, slots=True)
class TableSize:
    """What a ClickHouse table takes on the disk."""

    table: str
    rows: int
    bytes: int
    partitions: int


def read_partitions(connection: psycopg.Connection, table: str) -> list[Partition]:
    """The table's partitions that are ranges of days."""
    found = [parse(name, bounds) for name, bounds in connection.execute(_PARTITIONS, (table,))]
    return [partition for partition in found if partition is not None]


def drop_partitions(
    connection: psycopg.Connection,
    partitions: Sequence[Partition],
    note: Callable[[date], None] = lambda _: None,
) -> list[Partition]:
    """Drop them one by one, under the lock that the API takes for the same; those that stay. note: called before each.

    Commits. It ends at the first that somebody reads: whoever writes would wait as long again for each of the others.
    """
    connection.commit()
    for number, partition in enumerate(partitions):
        note(partition.start)
        try:
            with connection.transaction():
                connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
                connection.execute("SELECT drop_partition(%s)", (partition.name,))
        except psycopg.errors.LockNotAvailable:
            return list(partitions[number:])
    return []


def cut_audit_log(connection: psycopg.Connection, days: int) -> int:
    """Let the audit log's oldest rows go, as many as a night has time for; how many."""
    row = connection.execute("SELECT cut_audit_log(%s, %s)", (days, _AUDIT_ROWS)).fetchone()
    return 0 if row is None else int(row[0])


def prune_heartbeats(connection: psycopg.Connection, hours: int) -> int:
    """Delete the heartbeats that are older; how many there were."""
    return connection.execute(
        "DELETE FROM heartbeat WHERE beat_at < now() - make_interval(hours => %s)", (hours,)
    ).rowcount


def slot_lag(connection: psycopg.Connection, slot: str) -> int | None:
    """Bytes of WAL that the stream has not confirmed; None where the slot is missing."""
    row = connection.execute(_SLOT_LAG, (slot,)).fetchone()
    return None if row is None or row[0] is None else int(row[0])


def read_tables(client: Client) -> list[TableSize]:
    """Every table of ours in ClickHouse, largest first."""
    return [TableSize(str(t), int(r), int(b), int(p)) for t, r, b, p in client.query(_TABLES).result_rows]


def read_needed(connection: psycopg.Connection) -> list[Needed]:
    """The experiments that may still be judged anew, and since when there are units in them."""
    return [Needed(key, since.astimezone(UTC).date()) for key, since in connection.execute(_NEEDED)]


def read_months(client: Client, before: date) -> dict[date, datetime]:
    """The months of events that end before the day, by their first; when the last of each was accepted."""
    parameters = {"before": datetime(before.year, before.month, 1, tzinfo=UTC)}
    found = client.query(_OLD_MONTHS, parameters=parameters).result_rows
    return {date(month // 100, month % 100, 1): _utc(newest) for month, newest in found}


def drop_months(client: Client, months: Iterable[date]) -> None:
    """Drop the events of these months. Each is noted first, so that no model is built of what is left of it."""
    for month in months:
        note_dropped(client, "month", month)
        execute(
            client, "ALTER TABLE events_processed DROP PARTITION {month:String}", {"month": f"{month:%Y%m}"}
        )


def note_dropped(client: Client, period: Literal["month", "day"], first_day: date) -> None:
    """Say in ClickHouse that a month of its events, or a day of PostgreSQL's, goes."""
    client.insert("dropped_periods", [[period, first_day]], column_names=["period", "first_day"])


def _utc(instant: datetime) -> datetime:
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
