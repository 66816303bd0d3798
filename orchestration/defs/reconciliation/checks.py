"""What PostgreSQL accepted against what ClickHouse holds, and what could not be read."""

from datetime import UTC, datetime
from itertools import islice

from dagster import AssetCheckResult, AssetCheckSeverity, AssetKey, asset_check

from neonblue.reconciliation import letters
from neonblue.reconciliation.kept import KeptDays, read_dropped
from neonblue.reconciliation.present import EVENT_ROWS
from orchestration.defs.maintenance.repository import EVENTS, read_partitions
from orchestration.defs.sources.assets import ingested_key
from orchestration.resources import ClickHouse, Postgres

# The stream needs a moment: an event accepted later than this is not yet expected in ClickHouse.
_GRACE_SECONDS = 10
_ACCEPTED = (
    "SELECT count(*) FILTER (WHERE NOT day = ANY(%s)), max(received_at) FROM events "
    "WHERE received_at <= now() - make_interval(secs => %s)"
)
# What PostgreSQL keeps no more, by retention, is of no day of its own; nor is what came late for such a day.
_PRESENT = f"""
SELECT count() FROM ({EVENT_ROWS})
WHERE arrayExists((first, end) -> day >= first AND day < end, {{starts:Array(Date)}}, {{ends:Array(Date)}})
"""  # noqa: S608 - a constant
_NEVER = datetime(2199, 1, 1, tzinfo=UTC)


@asset_check(
    asset=ingested_key("events_processed"),
    name="every_accepted_event_is_present",
    description="As many events in ClickHouse as PostgreSQL accepted, save the last seconds.",
)
def accepted_events_are_present(clickhouse: ClickHouse, postgres: Postgres) -> AssetCheckResult:
    """Fails when events are missing or counted twice."""
    with clickhouse.client() as client:
        dropped = read_dropped(client)
    with postgres.connection() as connection:
        accepted, until = connection.execute(_ACCEPTED, [list(dropped), _GRACE_SECONDS]).fetchone() or (
            0,
            None,
        )
        kept = KeptDays.of(((day.start, day.end) for day in read_partitions(connection, EVENTS)), dropped)
    if until is None:
        return AssetCheckResult(passed=True, metadata={"accepted": 0})
    with clickhouse.client() as client:
        parameters = {
            "until": until,
            "ahead": _NEVER,
            "starts": [start for start, _ in kept.spans],
            "ends": [end for _, end in kept.spans],
        }
        present = client.query(_PRESENT, parameters=parameters).result_rows[0][0]
    return AssetCheckResult(
        passed=present == accepted,
        metadata={"accepted": accepted, "present": present, "until": until.isoformat()},
    )


@asset_check(
    asset=ingested_key("dead_letters"),
    name="no_message_is_unreadable",
    description="Messages that could not be read; each is kept with its reason.",
)
def no_dead_letters(clickhouse: ClickHouse) -> AssetCheckResult:
    """Warns: such messages are kept, and no number is wrong that could be right. Those resolved are no trouble."""
    with clickhouse.client() as client:
        found = letters.read(client)
    return AssetCheckResult(
        passed=not found.unresolved,
        severity=AssetCheckSeverity.WARN,
        metadata={"reasons": dict(islice(found.unresolved.items(), 20)), "resolved": found.resolved},
    )


@asset_check(
    asset=AssetKey("set_aside"),
    name="no_event_is_set_aside",
    description="Accepted events that no model counts; each is kept in set_aside with its rule.",
)
def nothing_set_aside(clickhouse: ClickHouse) -> AssetCheckResult:
    """Warns: every other event counts."""
    with clickhouse.client() as client:
        rules = client.query("SELECT rule, count() FROM set_aside GROUP BY rule ORDER BY rule").result_rows
    return AssetCheckResult(
        passed=not rules,
        severity=AssetCheckSeverity.WARN,
        description="; ".join(f"{rule}: {count}" for rule, count in rules),
        metadata={"rules": {str(rule): int(count) for rule, count in rules}},
    )
