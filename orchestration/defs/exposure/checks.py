"""Whether the arms keep their ratio from the assignment to the analysis."""

from dagster import AssetCheckResult, AssetCheckSeverity, asset_check

from orchestration.keys import STAGES
from orchestration.resources import ClickHouse

_BROKEN = """
SELECT experiment_key, stage, any(p_value)
FROM sample_ratio_stages
WHERE broken AND (experiment_id, computed_at) IN (
    SELECT experiment_id, max(computed_at) FROM sample_ratio_stages GROUP BY experiment_id
)
GROUP BY experiment_key, stage
ORDER BY experiment_key
"""


@asset_check(
    asset=STAGES,
    name="every_stage_keeps_the_sample_ratio",
    description="No stage between the assignment and the analysis loses units of one arm more than of another.",
)
def stages_keep_the_ratio(clickhouse: ClickHouse) -> AssetCheckResult:
    """Warns with the stage where each broken experiment's ratio breaks first."""
    with clickhouse.client() as client:
        broken = client.query(_BROKEN).result_rows
    return AssetCheckResult(
        passed=not broken,
        severity=AssetCheckSeverity.WARN,
        description="; ".join(f"{key} breaks at the stage {stage} (p = {p:.3g})" for key, stage, p in broken),
        metadata={"broken": {str(key): str(stage) for key, stage, _ in broken}},
    )
