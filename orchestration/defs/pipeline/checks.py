"""Whether the stream keeps up, and whether the marts are fresh and whole."""

from datetime import UTC, datetime, timedelta

from dagster import (
    AssetCheckExecutionContext,
    AssetCheckResult,
    AssetChecksDefinition,
    AssetCheckSeverity,
    AssetKey,
    asset_check,
)

from neonblue.consumer_lag import read_lag
from neonblue.settings import Settings
from orchestration.defs.pipeline.repository import read_day, read_freshness
from orchestration.defs.sources.assets import ingested_key
from orchestration.resources import ClickHouse, Postgres

_MOST_MESSAGES = 10_000
_LONGEST_WAIT = timedelta(seconds=60)
_LONGEST_AGE = timedelta(hours=2)
_MARTS = ("daily_metrics", "experiment_summary", "metric_moments")


@asset_check(
    asset=ingested_key("events_processed"),
    name="consumer_keeps_up",
    description=f"ClickHouse is at most {_MOST_MESSAGES:,} messages behind the topic.",
)
def consumer_keeps_up() -> AssetCheckResult:
    """Warns with the lag of each partition: nothing is lost, but numbers are late."""
    lags = read_lag(Settings.load(), "dagster")
    total = sum(lag.messages for lag in lags)
    return AssetCheckResult(
        passed=total <= _MOST_MESSAGES,
        severity=AssetCheckSeverity.WARN,
        description=f"{total:,} messages behind.",
        metadata={"messages": total, "by_partition": {str(lag.partition): lag.messages for lag in lags}},
    )


@asset_check(
    asset=ingested_key("events_processed"),
    name="newest_event_has_arrived",
    description="The newest accepted event has been waiting for ClickHouse for at most a minute.",
)
def newest_event_has_arrived(clickhouse: ClickHouse, postgres: Postgres) -> AssetCheckResult:
    """Fails with how long ClickHouse is behind."""
    with postgres.connection() as connection, clickhouse.client() as client:
        freshness = read_freshness(connection, client)
    return AssetCheckResult(
        passed=freshness.behind <= _LONGEST_WAIT,
        severity=AssetCheckSeverity.ERROR,
        description=f"{freshness.behind.total_seconds():.1f} s behind.",
        metadata={"seconds_behind": freshness.behind.total_seconds()},
    )


@asset_check(
    asset=AssetKey("daily_metrics"),
    name="yesterday_is_there",
    additional_deps=[AssetKey("first_exposures")],
    description="Yesterday has its rows, if any analysed unit was first exposed then.",
)
def yesterday_is_there(clickhouse: ClickHouse) -> AssetCheckResult:
    """Fails where units were first exposed yesterday and the mart has no row of that day."""
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    with clickhouse.client() as client:
        exposures, rows = read_day(client, yesterday)
    return AssetCheckResult(
        passed=rows > 0 or exposures == 0,
        severity=AssetCheckSeverity.ERROR,
        metadata={"day": yesterday.isoformat(), "exposures": exposures, "rows": rows},
    )


def _freshness(mart: str) -> AssetChecksDefinition:
    @asset_check(
        asset=AssetKey(mart),
        name="built_lately",
        description=f"Was built within the last {_LONGEST_AGE.total_seconds() / 3600:g} hours.",
    )
    def built_lately(context: AssetCheckExecutionContext) -> AssetCheckResult:
        event = context.instance.get_latest_materialization_event(AssetKey(mart))
        age = None if event is None else datetime.now(UTC) - datetime.fromtimestamp(event.timestamp, UTC)
        return AssetCheckResult(
            passed=age is not None and age <= _LONGEST_AGE,
            severity=AssetCheckSeverity.WARN,
            description="It was never built." if age is None else f"Built {age.total_seconds():.0f} s ago.",
        )

    return built_lately


marts_are_fresh = [_freshness(mart) for mart in _MARTS]
