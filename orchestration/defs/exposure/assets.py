"""The units at each stage between the assignment and the analysis, of every running experiment."""

from typing import TYPE_CHECKING

from dagster import AssetExecutionContext, AssetKey, MaterializeResult, MetadataValue, asset

from orchestration.alone import Alone, check_spec
from orchestration.defs.experiments.changes import LIVE
from orchestration.defs.exposure.repository import read_stages, write_stages
from orchestration.defs.significance.repository import read_configurations, read_stamp
from orchestration.defs.sources.assets import OWNERS
from orchestration.keys import STAGES
from orchestration.resources import ClickHouse, Postgres

if TYPE_CHECKING:
    from neonblue.analysis.stages import StageRatio


@asset(
    key=STAGES,
    deps=[
        AssetKey(["postgres", "assignments"]),
        AssetKey(["postgres", "user_links"]),
        AssetKey("assigned_units"),
        AssetKey("exposed_units"),
        AssetKey("first_exposures"),
    ],
    group_name="results",
    kinds={"python", "postgres", "clickhouse"},
    owners=OWNERS,
    code_version="2",
    check_specs=[check_spec(STAGES)],
    description="Units at each stage (assigned, exposed, ingested, analysed), and where the arms' ratio breaks.",
)
def sample_ratio_stages(
    context: AssetExecutionContext, clickhouse: ClickHouse, postgres: Postgres
) -> MaterializeResult:  # type: ignore[type-arg]
    """Counts the stages, tests each one's sample ratio, appends to `sample_ratio_stages`."""
    from neonblue.analysis.stages import stage_ratios

    alone = Alone()
    lines = ["| experiment | stage | units by arm | p | |", "|---|---|---|---|---|"]
    with clickhouse.client() as client, postgres.connection() as connection:
        stamp = read_stamp(client, context.run.run_id)
        running = {
            number: versions
            for number, versions in read_configurations(client).items()
            if versions[max(versions)].status in LIVE
        }
        newest = [versions[max(versions)] for versions in running.values()]
        units = read_stages(connection, client, newest)
        for number, versions in running.items():
            key = versions[max(versions)].key
            with alone.of(key):
                ratios = stage_ratios(versions, units[number])
                write_stages(client, versions, units[number], ratios, stamp)
                lines += [_line(key, ratio) for ratio in ratios]
    return MaterializeResult(
        check_results=[alone.check(STAGES)],
        metadata={"experiments": len(newest), "stages": MetadataValue.md("\n".join(lines))},
    )


def _line(key: str, ratio: "StageRatio") -> str:
    arms = ", ".join(f"{arm} {count}" for arm, count in ratio.units.items())
    p_value = getattr(ratio.test, "p_value", None)
    shown = "–" if p_value is None else f"{p_value:.3g}"
    mark = "**breaks here**" if ratio.broken else ""
    return f"| {key} | {ratio.stage} | {arms} | {shown} | {mark} |"
