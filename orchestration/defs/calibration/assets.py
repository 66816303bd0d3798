"""Continuous A/A: whether each metric's test keeps its error rate on this installation's own history."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dagster import AssetExecutionContext, AssetKey, Config, MaterializeResult, MetadataValue, asset

from orchestration.defs.calibration.repository import Measured, read_history, read_metrics, write_rates
from orchestration.defs.significance.repository import read_stamp
from orchestration.defs.sources.assets import OWNERS
from orchestration.keys import RATES
from orchestration.resources import ClickHouse

if TYPE_CHECKING:
    from orchestration.defs.calibration.randomization import Rate


class Drawings(Config):
    """How many times the history is divided, and from which seed."""

    repetitions: int = 1000
    seed: int = 20_260_101


@asset(
    key=RATES,
    deps=[AssetKey("unit_metric_values"), AssetKey("metric_caps")],
    group_name="calibration",
    kinds={"python", "numpy", "clickhouse"},
    owners=OWNERS,
    code_version="2",
    description=(
        "Each metric's real history divided into two arms at random, 1,000 times: how often p < 0.05, with bounds. "
        "A metric whose variance is wrongly estimated lies outside of them."
    ),
)
def randomization_rates(
    context: AssetExecutionContext, config: Drawings, clickhouse: ClickHouse
) -> MaterializeResult[None]:
    """Draws for every metric, appends to `randomization_rates`."""
    from orchestration.defs.calibration.figures import rates_plot
    from orchestration.defs.calibration.randomization import false_positive_rate

    rates: list[tuple[Measured, int, Rate | str]] = []
    with clickhouse.client() as client:
        stamp = read_stamp(client, context.run.run_id)
        for measured in read_metrics(client):
            history = read_history(client, measured)
            rate = false_positive_rate(history, config.repetitions, config.seed)
            rates.append((measured, history.drawn, rate))
        write_rates(client, rates, config.seed, stamp)
    found = {measured.name: rate for measured, _, rate in rates if not isinstance(rate, str)}
    return MaterializeResult(
        metadata={
            "dagster/row_count": len(rates),
            "miscalibrated": [name for name, rate in found.items() if not rate.calibrated],
            "rates": MetadataValue.md(_table(rates)),
            "picture": MetadataValue.md(rates_plot(found)),
        }
    )


def _table(rates: "Sequence[tuple[Measured, int, Rate | str]]") -> str:
    lines = ["| metric | units | rate of p < 0.05 | bounds | |", "|---|---|---|---|---|"]
    for measured, units, rate in rates:
        if isinstance(rate, str):
            lines.append(f"| {measured.name} | {units} | – | – | {rate} |")
        else:
            mark = "" if rate.calibrated else "**not 5 %**"
            bounds = f"{rate.lower:.3f} … {rate.upper:.3f}"
            lines.append(f"| {measured.name} | {units} | {rate.value:.3f} | {bounds} | {mark} |")
    return "\n".join(lines)
