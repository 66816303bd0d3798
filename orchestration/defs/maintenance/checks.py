"""Whether the coming days have their partitions, and whether erased people are gone."""

from datetime import UTC, datetime, timedelta

from dagster import (
    AssetCheckExecutionContext,
    AssetCheckResult,
    AssetCheckSeverity,
    AssetKey,
    asset_check,
)

from orchestration.defs.maintenance.assets import (
    ANALYSIS_STORAGE,
    ERASURES,
    EVENT_PARTITIONS,
    HELD_BACK,
    OUTBOX_PARTITIONS,
    TROUBLES,
)
from orchestration.defs.maintenance.partitions import missing_days
from orchestration.defs.maintenance.repository import EVENTS, OUTBOX, read_partitions
from orchestration.resources import Postgres

_DAYS_AHEAD = 3


@asset_check(
    asset=EVENT_PARTITIONS,
    name="coming_days_have_a_partition",
    description="Today and the next three days can be written.",
)
def events_can_be_written(postgres: Postgres) -> AssetCheckResult:
    """Fails with the days whose events would be refused."""
    return _coming_days(postgres, EVENTS)


@asset_check(
    asset=OUTBOX_PARTITIONS,
    name="coming_days_have_a_partition",
    description="Today and the next three days can be written.",
)
def outbox_can_be_written(postgres: Postgres) -> AssetCheckResult:
    """Fails with the days on which nothing could be accepted."""
    return _coming_days(postgres, OUTBOX)


@asset_check(
    asset=ERASURES,
    name="erasures_are_on_time",
    description="No store holds a row of an erased person beyond its time.",
)
def erasures_are_on_time(context: AssetCheckExecutionContext) -> AssetCheckResult:
    """Fails with what the API found."""
    found = _told(context, ERASURES, TROUBLES)
    if found is None:
        return AssetCheckResult(passed=True, description="Nobody has looked yet.")
    return AssetCheckResult(
        passed=not found,
        severity=AssetCheckSeverity.ERROR,
        description="; ".join(found),
        metadata={"troubles": found},
    )


@asset_check(
    asset=EVENT_PARTITIONS,
    name="retention_is_as_set",
    description="No day is kept beyond its retention, and none goes that nobody was told of.",
)
def event_retention_is_as_set(context: AssetCheckExecutionContext) -> AssetCheckResult:
    """Warns of what is kept, why, and of what will go."""
    return _held_back(context, EVENT_PARTITIONS)


@asset_check(
    asset=ANALYSIS_STORAGE,
    name="retention_is_as_set",
    description="No month is kept beyond its retention, and none goes that nobody was told of.",
)
def analysis_retention_is_as_set(context: AssetCheckExecutionContext) -> AssetCheckResult:
    """Warns of what is kept, why, and of what will go."""
    return _held_back(context, ANALYSIS_STORAGE)


def _held_back(context: AssetCheckExecutionContext, asset: AssetKey) -> AssetCheckResult:
    lines = _told(context, asset, HELD_BACK) or []
    return AssetCheckResult(
        passed=not lines,
        severity=AssetCheckSeverity.WARN,
        description="; ".join(lines),
        metadata={HELD_BACK: lines},
    )


def _told(context: AssetCheckExecutionContext, asset: AssetKey, name: str) -> list[str] | None:
    """The lines that an asset's newest materialization has under this name; None where there is none."""
    event = context.instance.get_latest_materialization_event(asset)
    materialization = None if event is None else event.asset_materialization
    if materialization is None:
        return None
    told = materialization.metadata.get(name)
    return [str(line) for line in (told.value or [])] if told is not None else []


def _coming_days(postgres: Postgres, table: str) -> AssetCheckResult:
    today = datetime.now(UTC).date()
    with postgres.connection() as connection:
        present = read_partitions(connection, table)
    missing = missing_days(present, [today + timedelta(days=more) for more in range(_DAYS_AHEAD + 1)])
    return AssetCheckResult(
        passed=not missing,
        severity=AssetCheckSeverity.ERROR,
        metadata={"missing": [day.isoformat() for day in missing]},
    )
