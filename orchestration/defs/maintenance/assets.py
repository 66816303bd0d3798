"""Retention, partitions, and the proof that erased people are gone."""

from datetime import UTC, date, datetime, timedelta
from functools import partial

import msgspec
from dagster import AssetExecutionContext, AssetKey, MaterializeResult, MetadataValue, asset

from neonblue.settings import Settings
from orchestration.defs.maintenance.erasures import Verification, troubles
from orchestration.defs.maintenance.history import delete_check_results, delete_folders, delete_runs
from orchestration.defs.maintenance.letting_go import (
    ANNOUNCED,
    announcements,
    droppable,
    finished_months,
    midnight,
)
from orchestration.defs.maintenance.partitions import Partition, expired, months_before, said_of_read
from orchestration.defs.maintenance.repository import (
    EVENTS,
    OUTBOX,
    cut_audit_log,
    drop_months,
    drop_partitions,
    note_dropped,
    prune_heartbeats,
    read_months,
    read_needed,
    read_partitions,
    read_tables,
    slot_lag,
)
from orchestration.defs.maintenance.retention import NOTICE, limits, said_of
from orchestration.defs.sources.assets import ingested_key
from orchestration.project import target_path
from orchestration.resources import Api, ClickHouse, Postgres

_GROUP = "maintenance"
_OWNERS = ["team:platform"]
EVENT_PARTITIONS = AssetKey("event_partitions")
OUTBOX_PARTITIONS = AssetKey("outbox_partitions")
ANALYSIS_STORAGE = AssetKey("analysis_storage")
ERASURES = AssetKey("erasure_verification")
AUDIT_LOG = AssetKey("audit_retention")
REPORTS = AssetKey("report_retention")
DAGSTER_HISTORY = AssetKey("dagster_history")
TROUBLES = "troubles"
HELD_BACK = "held_back"
_FILES_A_NIGHT = 5_000
_DBT_KEPT = timedelta(days=7)
"""Each dbt process leaves a folder with what it compiled."""


@asset(
    key=EVENT_PARTITIONS,
    deps=[AssetKey(["postgres", "events"])],
    group_name=_GROUP,
    kinds={"postgres"},
    owners=_OWNERS,
    description="The day partitions of accepted events. Those past NEONBLUE_RETENTION_EVENTS_DAYS go, where ClickHouse "
    "holds the same and no experiment under way needs them.",
)
def event_partitions(
    context: AssetExecutionContext, postgres: Postgres, clickhouse: ClickHouse
) -> MaterializeResult[None]:
    """Drops what retention lets go, and says what there is."""
    now, kept_days = datetime.now(UTC), Settings.load().retention.events_days
    with postgres.maintenance() as connection:
        present = read_partitions(connection, EVENTS)
        old: list[Partition] = []
        held_back: list[str] = []
        if kept_days:
            past = now.date() - timedelta(days=kept_days)
            reach = limits(
                past, read_needed(connection), announcements(context.instance, EVENT_PARTITIONS), now
            )
            with clickhouse.client() as client:
                old, held_back = droppable(connection, client, expired(present, reach.before), reach.before)
                stay = drop_partitions(connection, old, partial(note_dropped, client, "day"))
            if stay:
                old = [partition for partition in old if partition not in stay]
                held_back.append(said_of_read(stay))
            first = min((p.start for p in present if p not in old), default=None)
            held_back += said_of(reach, "events of the days", "NEONBLUE_RETENTION_EVENTS_DAYS", first)
    return MaterializeResult(
        metadata={
            "partitions": len(present) - len(old),
            "dropped": [partition.name for partition in old],
            "first_day": min((p.start.isoformat() for p in present if p not in old), default="none"),
            ANNOUNCED: (past + NOTICE if kept_days else date.min).isoformat(),
            HELD_BACK: held_back,
        }
    )


@asset(
    key=OUTBOX_PARTITIONS,
    deps=[AssetKey(["postgres", "outbox_events"])],
    group_name=_GROUP,
    kinds={"postgres"},
    owners=_OWNERS,
    description="The outbox's day partitions. The API drops them, when they are old and the stream has published them.",
)
def outbox_partitions(postgres: Postgres) -> MaterializeResult[None]:
    """Says what there is and what waits for the stream, and prunes the heartbeats."""
    settings = Settings.load()
    with postgres.maintenance() as connection:
        lag = slot_lag(connection, settings.connect.slot)
        present = read_partitions(connection, OUTBOX)
        old = expired(present, _today() - timedelta(days=settings.api.outbox_retention_days))
        heartbeats = prune_heartbeats(connection, settings.retention.heartbeat_hours)
    return MaterializeResult(
        metadata={
            "partitions": len(present),
            "waiting": [partition.name for partition in old],
            "slot_lag_bytes": -1 if lag is None else lag,
            "heartbeats_pruned": heartbeats,
        }
    )


@asset(
    key=ANALYSIS_STORAGE,
    deps=[ingested_key("events_processed"), EVENT_PARTITIONS],
    group_name=_GROUP,
    kinds={"clickhouse"},
    owners=_OWNERS,
    description="What each table takes on ClickHouse's disk. Months past NEONBLUE_RETENTION_ANALYSIS_MONTHS go, after "
    "PostgreSQL's days of them, where no experiment under way needs them.",
)
def analysis_storage(
    context: AssetExecutionContext, postgres: Postgres, clickhouse: ClickHouse
) -> MaterializeResult[None]:
    """Drops what retention lets go, and says what there is."""
    now, settings = datetime.now(UTC), Settings.load()
    months = settings.retention.analysis_months
    dropped: list[date] = []
    held_back: list[str] = []
    announced = date.min
    with clickhouse.client() as client:
        if months:
            past = months_before(now.date(), months)
            announced = months_before((now + NOTICE).date(), months)
            with postgres.connection() as connection:
                needed = read_needed(connection)
                kept = min((day.start for day in read_partitions(connection, EVENTS)), default=date.max)
            # An event may have happened so long before the day of its id, which is its day in PostgreSQL; by a client's
            # clock that is a day ahead its time was set back by one more.
            free = kept - timedelta(days=settings.api.max_event_age_days + 2)
            reach = limits(past, needed, announcements(context.instance, ANALYSIS_STORAGE), now)
            found = read_months(client, past)
            dropped = finished_months(found, min(reach.before, free), reach.before)
            drop_months(client, dropped)
            first = min(found.keys() - set(dropped), default=None)
            held_back = said_of(reach, "events of the months", "NEONBLUE_RETENTION_ANALYSIS_MONTHS", first)
            if first is not None and free < min(past, reach.before):
                held_back.append(
                    f"events from {first} on are kept beyond NEONBLUE_RETENTION_ANALYSIS_MONTHS: PostgreSQL keeps them "
                    "(NEONBLUE_RETENTION_EVENTS_DAYS)"
                )
        tables = read_tables(client)
    lines = ["| table | rows | bytes | partitions |", "|---|---|---|---|"]
    lines += [f"| {t.table} | {t.rows:,} | {t.bytes:,} | {t.partitions} |" for t in tables]
    return MaterializeResult(
        metadata={
            "bytes": sum(table.bytes for table in tables),
            "dropped_months": [f"{month:%Y%m}" for month in dropped],
            ANNOUNCED: announced.isoformat(),
            HELD_BACK: held_back,
            "tables": MetadataValue.md("\n".join(lines)),
        }
    )


@asset(
    key=AUDIT_LOG,
    group_name=_GROUP,
    kinds={"postgres"},
    owners=_OWNERS,
    description="The audit log: rows past NEONBLUE_RETENTION_AUDIT_DAYS go, and the hash stays that the rest follows.",
)
def audit_retention(context: AssetExecutionContext, postgres: Postgres) -> MaterializeResult[None]:
    """Cuts what is old off the beginning, when that was announced."""
    days, cut = Settings.load().retention.audit_days, 0
    before = _announced(context, AUDIT_LOG, days)
    if before is not None:
        with postgres.maintenance() as connection:
            cut = cut_audit_log(connection, (_today() - before).days)
    return MaterializeResult(metadata={"rows": cut, ANNOUNCED: _announcement(days)})


@asset(
    key=DAGSTER_HISTORY,
    group_name=_GROUP,
    kinds={"dagster"},
    owners=_OWNERS,
    description="Dagster's finished runs, their events, checks and output. Those past NEONBLUE_RETENTION_RUNS_DAYS go.",
)
def dagster_history(context: AssetExecutionContext) -> MaterializeResult[None]:
    """Deletes what is old, as much as a night has time for."""
    settings, now = Settings.load(), datetime.now(UTC)
    before = now - timedelta(days=settings.retention.runs_days)
    runs = delete_runs(context.instance, before)
    checks = delete_check_results(context.instance, before)
    folders = delete_folders(target_path(settings), now - _DBT_KEPT)
    return MaterializeResult(metadata={"runs": runs, "check_results": checks, "dbt_folders": folders})


@asset(
    key=REPORTS,
    group_name=_GROUP,
    kinds={"clickhouse", "html"},
    owners=_OWNERS,
    description="Rendered reports. Those past NEONBLUE_RETENTION_REPORTS_DAYS go, but for each experiment's newest.",
)
def report_retention(context: AssetExecutionContext, clickhouse: ClickHouse) -> MaterializeResult[None]:
    """Deletes the old files, and their lines in `reports`, when that was announced."""
    from neonblue.results.publish import delete_old
    from neonblue.results.store import ReportStore

    settings, deleted = Settings.load(), 0
    days = settings.retention.reports_days
    before = _announced(context, REPORTS, days)
    if before is not None:
        with clickhouse.client() as client:
            deleted = delete_old(client, ReportStore.of(settings), midnight(before), _FILES_A_NIGHT)
    return MaterializeResult(metadata={"files": deleted, ANNOUNCED: _announcement(days)})


@asset(
    key=ERASURES,
    deps=[ingested_key("erased_users"), AssetKey("unit_metric_values")],
    group_name=_GROUP,
    kinds={"http"},
    owners=_OWNERS,
    description="Whether anything is left of erased people, in any store: the API looks.",
)
def erasure_verification(api: Api) -> MaterializeResult[None]:
    """Asks the API to look; the check of this asset reads what it found."""
    found = msgspec.json.decode(api.verify_erasures(), type=Verification)
    return MaterializeResult(
        metadata={
            "checked": found.checked,
            "closed": len(found.closed),
            "pending": len(found.pending),
            TROUBLES: troubles(found, datetime.now(UTC)),
        }
    )


def _today() -> date:
    return datetime.now(UTC).date()


def _announced(context: AssetExecutionContext, asset: AssetKey, days: int) -> date | None:
    """Up to where the asset may let go what is kept for so many days, 0: for ever; None: nothing."""
    if not days:
        return None
    past = _today() - timedelta(days=days)
    before = limits(past, [], announcements(context.instance, asset), datetime.now(UTC)).before
    return None if before == date.min else before


def _announcement(days: int) -> str:
    return (_today() - timedelta(days=days) + NOTICE if days else date.min).isoformat()
