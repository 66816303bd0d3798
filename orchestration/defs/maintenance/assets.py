"""Retention, partitions, and the proof that erased people are gone."""

from datetime import UTC, date, datetime, timedelta

import msgspec
from dagster import AssetKey, MaterializeResult, MetadataValue, asset

from neonblue.settings import Settings
from orchestration.defs.maintenance.erasures import Verification, troubles
from orchestration.defs.maintenance.partitions import expired, months_before
from orchestration.defs.maintenance.repository import (
    EVENTS,
    OUTBOX,
    drop_months,
    drop_partitions,
    prune_heartbeats,
    read_partitions,
    read_tables,
    slot_lag,
)
from orchestration.defs.sources.assets import ingested_key
from orchestration.resources import Api, ClickHouse, Postgres

_GROUP = "maintenance"
_OWNERS = ["team:platform"]
EVENT_PARTITIONS = AssetKey("event_partitions")
OUTBOX_PARTITIONS = AssetKey("outbox_partitions")
ANALYSIS_STORAGE = AssetKey("analysis_storage")
ERASURES = AssetKey("erasure_verification")
TROUBLES = "troubles"


@asset(
    key=EVENT_PARTITIONS,
    deps=[AssetKey(["postgres", "events"])],
    group_name=_GROUP,
    kinds={"postgres"},
    owners=_OWNERS,
    description="The day partitions of accepted events, without those past NEONBLUE_RETENTION_EVENTS_DAYS.",
)
def event_partitions(postgres: Postgres) -> MaterializeResult[None]:
    """Drops what retention lets go, and says what there is."""
    kept_days = Settings.load().retention.events_days
    with postgres.maintenance() as connection:
        present = read_partitions(connection, EVENTS)
        old = [] if kept_days is None else expired(present, _today() - timedelta(days=kept_days))
        drop_partitions(connection, old)
    return MaterializeResult(
        metadata={
            "partitions": len(present) - len(old),
            "dropped": [partition.name for partition in old],
            "first_day": min((p.start.isoformat() for p in present if p not in old), default="none"),
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
    deps=[ingested_key("events_processed")],
    group_name=_GROUP,
    kinds={"clickhouse"},
    owners=_OWNERS,
    description="What each table takes on ClickHouse's disk; months past NEONBLUE_RETENTION_ANALYSIS_MONTHS go.",
)
def analysis_storage(clickhouse: ClickHouse) -> MaterializeResult[None]:
    """Drops what retention lets go, and says what there is."""
    months = Settings.load().retention.analysis_months
    with clickhouse.client() as client:
        dropped = [] if months is None else drop_months(client, months_before(_today(), months))
        tables = read_tables(client)
    lines = ["| table | rows | bytes | partitions |", "|---|---|---|---|"]
    lines += [f"| {t.table} | {t.rows:,} | {t.bytes:,} | {t.partitions} |" for t in tables]
    return MaterializeResult(
        metadata={
            "bytes": sum(table.bytes for table in tables),
            "dropped_months": dropped,
            "tables": MetadataValue.md("\n".join(lines)),
        }
    )


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
