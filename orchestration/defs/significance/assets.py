"""The significance tests of every experiment, as a table."""

from collections.abc import Sequence

from dagster import AssetExecutionContext, AssetKey, MaterializeResult, MetadataValue, asset

from orchestration.defs.significance.analysis import ResultRow, analyze_experiment
from orchestration.defs.significance.repository import read_experiments, read_stamp, write_results
from orchestration.resources import ClickHouse


@asset(
    deps=[AssetKey("metric_moments"), AssetKey("first_exposures")],
    group_name="results",
    kinds={"python", "scipy", "clickhouse"},
    description="Every metric of every experiment, treatment against control, with the sample-ratio test.",
)
def significance_tests(context: AssetExecutionContext, clickhouse: ClickHouse) -> MaterializeResult[None]:
    """Reads `metric_moments`, tests each metric, appends to `experiment_results`."""
    with clickhouse.client() as client:
        stamp = read_stamp(client, context.run_id)
        rows = [
            row
            for experiment in read_experiments(client)
            for row in analyze_experiment(experiment.configurations, experiment.metrics, experiment.units)
        ]
        write_results(client, rows, stamp)
    return MaterializeResult(
        metadata={
            "dagster/row_count": len(rows),
            "watermark": stamp.watermark.isoformat(),
            "results": MetadataValue.md(_table(rows)),
        }
    )


def _table(rows: Sequence[ResultRow]) -> str:
    lines = [
        "| experiment | metric | variant | control | treatment | p | status |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.experiment_key} | {row.metric_key} | {row.variant_key} | {_number(row.mean_control)} "
        f"| {_number(row.mean_variant)} | {_number(row.p_value)} | {row.status_reason or row.status} |"
        for row in rows
    ]
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.6g}"
