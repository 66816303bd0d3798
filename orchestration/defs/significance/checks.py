"""Whether the arms hold their shares, and whether the numbers are what the raw events give."""

from datetime import UTC, datetime

from dagster import (
    AssetCheckExecutionContext,
    AssetCheckResult,
    AssetCheckSeverity,
    AssetKey,
    DagsterInstance,
    asset_check,
)

from orchestration.defs.significance.sampling import differences, sample_metric
from orchestration.keys import TESTS
from orchestration.resources import ClickHouse

_MISMATCHES = """
SELECT DISTINCT experiment_key, sample_ratio_p
FROM experiment_results
WHERE (experiment_id, computed_at) IN (
    SELECT experiment_id, max(computed_at) FROM experiment_results GROUP BY experiment_id
) AND sample_ratio_status = 'mismatch'
ORDER BY experiment_key
"""
_VALUES = AssetKey("unit_metric_values")
_SHOWN = 20


@asset_check(
    asset=TESTS,
    name="sample_ratio",
    description="No experiment's arms differ from their weights with p < 0.001.",
)
def sample_ratio_holds(clickhouse: ClickHouse) -> AssetCheckResult:
    """Warns with the experiments whose sample ratio is broken: their results are not to be trusted."""
    with clickhouse.client() as client:
        mismatches = client.query(_MISMATCHES).result_rows
    return AssetCheckResult(
        passed=not mismatches,
        severity=AssetCheckSeverity.WARN,
        description="; ".join(f"{key} (p = {p:.3g})" for key, p in mismatches if p is not None),
        metadata={"mismatches": {str(key): p for key, p in mismatches}},
    )


@asset_check(
    asset=AssetKey("metric_moments"),
    name="recomputed_from_raw_events",
    blocking=True,
    additional_deps=[_VALUES],
    description="The values of 200 units of one metric, drawn anew at each run, are those their raw events give.",
)
def recomputed_from_raw_events(
    context: AssetCheckExecutionContext, clickhouse: ClickHouse
) -> AssetCheckResult:
    """Fails with the units that differ, and keeps the significance tests from using such values."""
    built = _built_at(context.instance)
    with clickhouse.client() as client:
        sample = sample_metric(client, context.run.run_id)
        if sample is None or built is None:
            return AssetCheckResult(passed=True, description="There is nothing to recompute yet.")
        experiment, metric = sample
        units, found = differences(client, experiment, metric, built, context.run.run_id)
    return AssetCheckResult(
        passed=not found,
        severity=AssetCheckSeverity.ERROR,
        description=f"{len(found)} of {units} units of {experiment.key} · {metric.key} differ.",
        metadata={
            "units": units,
            "differences": {d.user_id: f"{d.stored} ≠ {d.recomputed}" for d in found[:_SHOWN]},
        },
    )


def _built_at(instance: DagsterInstance) -> datetime | None:
    """When the run began that last built the units' values: what came in later may be missing in them."""
    event = instance.get_latest_materialization_event(_VALUES)
    if event is None:
        return None
    started = instance.get_run_stats(event.run_id).start_time
    return datetime.fromtimestamp(started or event.timestamp, UTC)
