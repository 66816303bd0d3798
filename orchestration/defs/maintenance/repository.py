"""Partitions and retention in PostgreSQL and ClickHouse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import psycopg
from clickhouse_connect.driver.client import Client

from neonblue.clickhouse import execute
from orchestration.defs.maintenance.partitions import Partition, parse

EVENTS = "events"
OUTBOX = "outbox_events"

# The lock under which the API makes and drops partitions.
_LOCK = 6_075_131_887_002
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
SELECT DISTINCT partition FROM system.parts
WHERE active AND database = currentDatabase() AND table = 'events_processed' AND partition < {month:String}
ORDER BY partition
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


def drop_partitions(connection: psycopg.Connection, partitions: Sequence[Partition]) -> None:
    """Drop them, under the lock that the API takes for the same."""
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
    for partition in partitions:
        connection.execute("SELECT drop_partition(%s)", (partition.name,))


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


def drop_months(client: Client, before: date) -> list[str]:
    """Drop the events' months before that day's; which they were."""
    months = [row[0] for row in client.query(_OLD_MONTHS, parameters={"month": f"{before:%Y%m}"}).result_rows]
    for month in months:
        execute(client, "ALTER TABLE events_processed DROP PARTITION {month:String}", {"month": month})
    return months
