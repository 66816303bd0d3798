"""``neonblue power``: plan a sample size, a detectable effect or a power, with no server."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table as Grid

from neonblue.cli.number_options import LARGEST, MOST_LOOKS, MOST_UNITS, amount, share
from neonblue.cli.number_options import correlation as of_covariate
from neonblue.cli.power_plan import Effect, Metric, PlanError, Planned, plan
from neonblue.cli.terminal import AsJson, DataDir, console, fail
from neonblue.settings import Settings
from neonblue.statistics import numbers
from neonblue.statistics.planning.means import Design
from neonblue.statistics.planning.sequential import (
    always_valid_inflation,
    at_any_time,
    equal_looks,
    group_sequential_inflation,
)
from neonblue.statistics.sequential.spending import Spending, SpendingFamily
from neonblue.statistics.status import Status


def power(
    baseline: Annotated[
        float | None,
        typer.Option(min=-LARGEST, max=LARGEST, help="The control's success rate, or its mean with --sd."),
    ] = None,
    sd: Annotated[
        float | None, typer.Option(callback=amount, help="Standard deviation per unit: the metric is a mean.")
    ] = None,
    mde: Annotated[
        str | None, typer.Option(help="Effect to detect: 5% of the baseline, or 0.01 in its unit.")
    ] = None,
    units: Annotated[
        int | None,
        typer.Option(min=1, max=MOST_UNITS, help="Units over all arms; without --mde: what they can detect."),
    ] = None,
    margin: Annotated[
        str | None, typer.Option(help="Non-inferiority margin in place of --mde, such as -1% or -0.005.")
    ] = None,
    alpha: Annotated[
        float, typer.Option(callback=share, help="Error rate of the comparisons together.")
    ] = 0.05,
    target: Annotated[
        float, typer.Option("--power", callback=share, help="Wished probability to detect the effect.")
    ] = 0.8,
    one_sided: Annotated[bool, typer.Option("--one-sided", help="Test in one direction only.")] = False,
    arms: Annotated[int, typer.Option(help="Arms with the control.", min=2, max=1000)] = 2,
    ratio: Annotated[
        float, typer.Option(min=0.001, max=1000, help="Units of a treatment arm per control unit.")
    ] = 1.0,
    correlation: Annotated[
        float,
        typer.Option(callback=of_covariate, help="Of the metric with its covariate before exposure (CUPED)."),
    ] = 0.0,
    history: Annotated[
        str | None,
        typer.Option(help="EXPERIMENT/METRIC: baseline, spread and traffic of its control, from ClickHouse."),
    ] = None,
    looks: Annotated[
        int, typer.Option(help="Equally spaced looks of a group-sequential test.", min=1, max=MOST_LOOKS)
    ] = 1,
    any_time: Annotated[
        bool, typer.Option("--any-time", help="Decide at any look, by a confidence sequence.")
    ] = False,
    spending: Annotated[
        SpendingFamily, typer.Option(help="How the looks spend alpha.")
    ] = SpendingFamily.OBRIEN_FLEMING,
    traffic: Annotated[
        float | None, typer.Option(callback=amount, help="New units per day: gives the duration.")
    ] = None,
    json_output: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Plan an experiment: its sample size for an effect, or the effect or power of a sample size."""
    sided = 1 if one_sided or margin is not None else 2
    design = Design(alpha, target, sided, ratio, arms - 1)
    try:
        known = _known(baseline, sd, traffic, history, data_dir)
        metric = Metric(known.baseline, known.sd, correlation, students_t=not any_time)
        effect = _effect(mde, margin, known.baseline)
        metric.require_possible(effect)
        design = _inflated(design, looks, spending)
        deciding = _at_any_time(metric, effect, units, design, looks) if any_time else design
        planned = plan(metric, effect, units, deciding, known.units_per_day)
        design = dataclasses.replace(design, inflation=deciding.inflation)
    except (PlanError, ValueError) as error:
        fail(str(error))
    if json_output:
        fields = {"design": dataclasses.asdict(design), "looks": looks, **dataclasses.asdict(planned)}
        typer.echo(json.dumps(fields, indent=2, allow_nan=False))
    else:
        _show(planned, design, looks, of_shares=metric.sd is None)


@dataclasses.dataclass(frozen=True, slots=True)
class _Known:
    baseline: float
    sd: float | None
    units_per_day: float | None


def _known(
    baseline: float | None,
    sd: float | None,
    traffic: float | None,
    history: str | None,
    data_dir: Path | None,
) -> _Known:
    """What is given, and from the history what is not."""
    if history is None:
        if baseline is None:
            raise PlanError("--baseline, --history: give one of them")
        return _Known(baseline, sd, traffic)
    experiment, slash, name = history.partition("/")
    if not slash:
        raise PlanError(f"--history: give EXPERIMENT/METRIC, not {history!r}")
    # Only a history needs ClickHouse's client.
    from neonblue.cli.power_history import read_history
    from neonblue.clickhouse.client import connect

    with connect(Settings.load(data_dir).clickhouse) as client:
        found = read_history(client, experiment, name)
    return _Known(
        found.baseline if baseline is None else baseline,
        found.sd if sd is None else sd,
        found.units_per_day if traffic is None else traffic,
    )


def _at_any_time(
    metric: Metric, effect: Effect | None, units: int | None, design: Design, looks: int
) -> Design:
    if looks > 1:
        raise PlanError("--looks, --any-time: give one of them")
    # The sequence runs on the units of the control and one treatment.
    if units is not None:
        return at_any_time(design, units * (1 + design.ratio) / (1 + design.comparisons * design.ratio))
    fixed = plan(metric, effect, None, design, None)
    inflation = always_valid_inflation(design, fixed.control_units + fixed.treatment_units)
    if isinstance(inflation, Status):
        raise PlanError(inflation.message)
    return dataclasses.replace(design, inflation=inflation)


def _inflated(design: Design, looks: int, spending: SpendingFamily) -> Design:
    if looks == 1:
        return design
    inflation = group_sequential_inflation(design, equal_looks(looks), Spending(spending))
    if isinstance(inflation, Status):
        raise PlanError(inflation.message)
    return dataclasses.replace(design, inflation=inflation)


def _effect(mde: str | None, margin: str | None, baseline: float) -> Effect | None:
    if mde is not None and margin is not None:
        raise PlanError("--mde, --margin: give one of them")
    if margin is not None:
        return Effect(_size(margin, "--margin", baseline), is_margin=True)
    return None if mde is None else Effect(_size(mde, "--mde", baseline))


def _size(text: str, option: str, baseline: float) -> float:
    try:
        size = float(text[:-1]) / 100 * abs(baseline) if text.endswith("%") else float(text)
    except ValueError:
        size = math.nan
    if not abs(size) <= LARGEST:
        raise PlanError(f"{option}: give a number such as 0.01 or a share such as 5%, not {text!r}")
    if not size:
        raise PlanError(f"{option}: {text} is no difference: no sample can show it")
    return size


def _show(planned: Planned, design: Design, looks: int, *, of_shares: bool) -> None:
    grid = Grid("plan", "value")
    grid.add_row("units of the control", f"{planned.control_units:,}")
    grid.add_row("units of each treatment", f"{planned.treatment_units:,}")
    grid.add_row("units over all arms", f"{planned.total_units:,}")
    grid.add_row("difference", _difference(planned.effect, of_shares=of_shares))
    if planned.relative_effect is not None:
        grid.add_row("change", numbers.change(planned.relative_effect))
    grid.add_row("power", numbers.share(planned.power))
    grid.add_row("alpha", f"{design.alpha:g}, {'one' if design.sided == 1 else 'two'}-sided")
    if design.inflation != 1:
        plan = f"{looks} looks" if looks > 1 else "looks at any time"
        grid.add_row(f"more units for {plan}", numbers.share(design.inflation - 1))
    if planned.days is not None:
        grid.add_row("days", f"{planned.days:,.1f}")
    console().print(grid)


def _difference(effect: float, *, of_shares: bool) -> str:
    if of_shares:
        return numbers.points(effect, digits=numbers.share_places(None, None, effect))
    return numbers.number(effect, sign=True)
