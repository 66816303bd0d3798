"""Whether the arms hold the shares the allocation gave them."""

from dagster import AssetCheckResult, AssetCheckSeverity, AssetKey, asset_check

from orchestration.resources import ClickHouse

_MISMATCHES = """
SELECT DISTINCT experiment_key, sample_ratio_p
FROM experiment_results
WHERE (experiment_id, computed_at) IN (
    SELECT experiment_id, max(computed_at) FROM experiment_results GROUP BY experiment_id
) AND sample_ratio_status = 'mismatch'
ORDER BY experiment_key
"""


@asset_check(
    asset=AssetKey("significance_tests"),
    name="sample_ratio",
    description="No experiment's arms differ from their weights with p < 0.001.",
)
def sample_ratio_holds(clickhouse: ClickHouse) -> AssetCheckResult:
    """Fails with the experiments whose sample ratio is broken: their results are not to be trusted."""
    with clickhouse.client() as client:
        mismatches = client.query(_MISMATCHES).result_rows
    return AssetCheckResult(
        passed=not mismatches,
        severity=AssetCheckSeverity.ERROR,
        metadata={"mismatches": {str(key): float(p) for key, p in mismatches}},
    )
