"""Whether every metric's test keeps its error rate."""

from dagster import AssetCheckResult, AssetCheckSeverity, asset_check

from orchestration.keys import RATES
from orchestration.resources import ClickHouse

_MISCALIBRATED = """
SELECT experiment_key, metric_key, rate, lower, upper
FROM randomization_rates
WHERE calibrated = false AND run_id = (SELECT argMax(run_id, computed_at) FROM randomization_rates)
ORDER BY experiment_key, metric_key
"""


@asset_check(
    asset=RATES,
    name="every_metric_keeps_its_error_rate",
    description="The bounds of each metric's rate of p < 0.05 between arms drawn at random reach 4 to 6 %.",
)
def error_rates_hold(clickhouse: ClickHouse) -> AssetCheckResult:
    """Warns with the names of the metrics whose p-values are not to be trusted."""
    with clickhouse.client() as client:
        found = client.query(_MISCALIBRATED).result_rows
    return AssetCheckResult(
        passed=not found,
        severity=AssetCheckSeverity.WARN,
        description="; ".join(
            f"{experiment} · {metric}: {rate:.1%} of p-values below 0.05 (bounds {low:.1%} to {high:.1%})"
            for experiment, metric, rate, low, high in found
        ),
        metadata={"metrics": [f"{experiment} · {metric}" for experiment, metric, *_ in found]},
    )
