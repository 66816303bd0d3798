"""The significance tests of every experiment, as a table."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dagster import AssetExecutionContext, AssetKey, MaterializeResult, MetadataValue, asset

from orchestration.alone import Alone, check_spec
from orchestration.defs.significance.repository import read_experiments, read_looks, read_stamp, write_results
from orchestration.defs.sources.assets import OWNERS
from orchestration.keys import TESTS
from orchestration.resources import ClickHouse, Postgres

if TYPE_CHECKING:
    from orchestration.defs.significance.analysis import ResultRow

MOMENTS = [AssetKey("metric_moments"), AssetKey("first_exposures"), AssetKey("exposure_health")]


@asset(
    key=TESTS,
    deps=[*MOMENTS, AssetKey("unit_metric_values")],
    group_name="results",
    kinds={"python", "scipy", "clickhouse"},
    owners=OWNERS,
    code_version="3",
    check_specs=[check_spec(TESTS)],
    description=(
        "Every metric of every experiment, treatment against control, under the plan fixed at its start: proportions, "
        "means, ratios and quantiles, with the covariate where there is one, and families by role."
    ),
)
def significance_tests(
    context: AssetExecutionContext, clickhouse: ClickHouse, postgres: Postgres
) -> MaterializeResult:  # type: ignore[type-arg]
    """Reads `metric_moments` and the looks that are kept, tests each metric, appends to `experiment_results`."""
    from neonblue.analysis import shown
    from orchestration.defs.significance.analysis import result_rows
    from orchestration.defs.significance.figures import forest_plot

    alone = Alone()
    with clickhouse.client() as client:
        stamp = read_stamp(client, context.run.run_id)
        rows: list[ResultRow] = []
        experiments = read_experiments(client)
        with postgres.connection() as connection:
            looks = read_looks(connection, (one.newest.experiment_id for one in experiments))
        for experiment in experiments:
            with alone.of(experiment.newest.key):
                question = experiment.ask(looks.get(experiment.newest.experiment_id, ()))
                rows += result_rows(question, shown(question, question.answer()))
        write_results(client, rows, stamp)
    return MaterializeResult(
        check_results=[alone.check(TESTS)],
        metadata={
            "dagster/row_count": len(rows),
            "experiments": len({row.experiment_id for row in rows}),
            "without_test": sum(row.status != "ok" for row in rows),
            "watermark": stamp.watermark.isoformat(),
            "results": MetadataValue.md(_table(rows)),
            "lifts": MetadataValue.md(forest_plot(rows)),
        },
    )


def _table(rows: "Sequence[ResultRow]") -> str:
    lines = [
        "| experiment | metric | role | variant | control | treatment | p | adjusted p | verdict | status |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.experiment_key} | {row.metric_key} | {row.role} | {row.variant_key} "
        f"| {_number(row.mean_control)} | {_number(row.mean_variant)} | {_number(row.p_value)} "
        f"| {_number(row.adjusted_p)} | {row.verdict} | {row.status_reason or row.status} |"
        for row in rows
    ]
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.6g}"
