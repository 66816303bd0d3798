"""Which of the days and months past their retention can go: what was announced, and what the stores hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

import psycopg
from clickhouse_connect.driver.client import Client
from dagster import AssetKey, DagsterInstance

from neonblue.reconciliation.days import Held, held
from orchestration.defs.maintenance.partitions import Partition
from orchestration.defs.maintenance.retention import Announcement

ANNOUNCED = "announced_before"
"""The metadata of a run by which it announces what will go."""
_RUNS = 400
_AT_ONCE = 100


def announcements(instance: DagsterInstance, asset: AssetKey) -> list[Announcement]:
    """What the asset's runs have announced."""
    found = []
    for record in instance.fetch_materializations(asset, limit=_RUNS).records:
        materialization = record.asset_materialization
        said = materialization.metadata.get(ANNOUNCED) if materialization else None
        if said is not None:
            made_at = datetime.fromtimestamp(record.timestamp, UTC)
            found.append(Announcement(made_at, date.fromisoformat(str(said.value))))
    return found


def droppable(
    postgres: psycopg.Connection, clickhouse: Client, old: Sequence[Partition], before: date
) -> tuple[list[Partition], list[str]]:
    """Of the partitions that retention lets go, oldest first, those that nothing keeps; why others stay.

    One stays where ClickHouse does not hold exactly its events, or where some were accepted later than `before`:
    history that was imported is as old as its import.
    """
    looked_at = old[:_AT_ONCE]
    days = held(postgres, clickhouse, [(partition.start, partition.end) for partition in looked_at])
    going, reasons = [], []
    for partition in looked_at:
        own = [day for day in days.values() if partition.start <= day.day < partition.end]
        differing = [day for day in own if not day.agrees]
        reasons += [_differs(day) for day in differing]
        if not differing and all(day.newest < midnight(before) for day in own):
            going.append(partition)
    return going, reasons


def finished_months(months: Mapping[date, datetime], until: date, before: date) -> list[date]:
    """Of the months, with the time that the last of their events was accepted, those that end by `until` and were
    accepted before `before`."""
    return sorted(
        month
        for month, newest in months.items()
        if (month + timedelta(days=31)).replace(day=1) <= until and newest < midnight(before)
    )


def _differs(day: Held) -> str:
    return (
        f"events of {day.day} stay in PostgreSQL: it has {day.accepted.count}, ClickHouse {day.present.count}; "
        "'neonblue reconcile' names those that differ"
    )


def midnight(day: date) -> datetime:
    """When the UTC day begins."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
