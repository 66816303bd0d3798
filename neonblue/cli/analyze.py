"""``neonblue analyze``: the statistics engine on a file, with no server."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.markup import escape

from neonblue.cli.analyze_columns import Roles, columns_of, metrics_of, parse_weights
from neonblue.cli.analyze_report import ReportRequest, write_report
from neonblue.cli.report_view import as_json, comparison_grid, rows_of
from neonblue.cli.terminal import AsJson, console, fail
from neonblue.simulation import cells
from neonblue.simulation.mapping import UNIT_NAMES, VARIANT_NAMES
from neonblue.simulation.table import ImportFileError, Table
from neonblue.statistics import Experiment, Metric, Plan, Report
from neonblue.statistics import analyze as analyze_experiment
from neonblue.statistics.experiment import Deciding
from neonblue.statistics.tables import UnitTable, experiment_from_sums, experiment_from_units, kind_of_row

Repeated = list[str] | None


def analyze(
    file: Annotated[
        Path,
        typer.Argument(
            help="CSV with a header, plain or gzipped: a row per unit (or per event of a unit), "
            "or a row of sums per metric and arm.",
            exists=True,
            dir_okay=False,
        ),
    ],
    variant: Annotated[str | None, typer.Option(help="Column of the arms.")] = None,
    control: Annotated[str | None, typer.Option(help="Which arm is the control.")] = None,
    unit: Annotated[str | None, typer.Option(help="Column of the units; their rows are added up.")] = None,
    metric: Annotated[
        Repeated,
        typer.Option(
            help="COLUMN or NAME=COLUMN; then /COLUMN for a ratio, ~COLUMN for a covariate, and :proportion, "
            ":mean or :p90 for the kind; repeatable. Default: every column of numbers."
        ),
    ] = None,
    secondary: Annotated[
        Repeated, typer.Option(help="Metric that explains, not decides; repeatable.")
    ] = None,
    guardrail: Annotated[
        Repeated, typer.Option(help="Metric to protect, NAME or NAME=2% or NAME=0.5 (margin); repeatable.")
    ] = None,
    lower: Annotated[Repeated, typer.Option(help="Metric that is better when lower; repeatable.")] = None,
    weight: Annotated[
        Repeated, typer.Option(help="ARM=n: the planned split (default: equal); repeatable.")
    ] = None,
    alpha: Annotated[float, typer.Option(help="Error rate of the primary metrics together.")] = 0.05,
    deciding: Annotated[Deciding, typer.Option(help="Which test decides.")] = Deciding.FIXED,
    planned_units: Annotated[int | None, typer.Option(help="Planned units over all arms.")] = None,
    look: Annotated[
        list[float] | None,
        typer.Option(help="Share of the planned units at an earlier look, such as 0.5; repeatable."),
    ] = None,
    traffic: Annotated[float | None, typer.Option(help="New units per day: gives the time left.")] = None,
    winsorize: Annotated[
        float | None, typer.Option(help="Cap means at this pooled percentile, such as 99.9.")
    ] = None,
    report_file: Annotated[
        Path | None, typer.Option("--report", help="Also write a report to this HTML file.", dir_okay=False)
    ] = None,
    segment: Annotated[
        Repeated, typer.Option(help="Column whose values are segments in the report; repeatable.")
    ] = None,
    json_output: AsJson = False,
) -> None:
    """Analyse an experiment's file: health, every metric with its intervals, and the decision."""
    roles = Roles(tuple(secondary or ()), tuple(guardrail or ()), tuple(lower or ()))
    try:
        ended = deciding is Deciding.FIXED and planned_units is None
        plan = Plan(
            alpha=alpha,
            deciding=deciding,
            planned_units=planned_units,
            units_per_day=traffic,
            looks=tuple(sorted(look or ())),
            ended=ended,
        )
        table = Table.open(file)
        weights = parse_weights(weight or ())
        if {"metric", "n"} <= set(table.columns):
            experiment = _from_sums(table, variant, control, roles, weights)
        else:
            experiment = _from_units(table, variant, control, unit, metric or (), roles, weights, winsorize)
        report = analyze_experiment(experiment, plan)
    except (ImportFileError, cells.CellError, ValueError) as error:
        fail(str(error))
    if report_file is not None:
        columns = metric or [spec.name for spec in experiment.metrics]
        write_report(
            ReportRequest(
                report_file,
                table,
                experiment,
                plan,
                report,
                segment or (),
                lambda part: _from_units(part, variant, experiment.control, unit, columns, roles, None, None),
            )
        )
    if json_output:
        typer.echo(json.dumps(as_json(experiment, report), indent=2, allow_nan=False))
    else:
        _show(report)


def _from_units(
    table: Table,
    variant: str | None,
    control: str | None,
    unit: str | None,
    metric: Sequence[str],
    roles: Roles,
    weights: dict[str, float] | None,
    winsorize: float | None,
) -> Experiment:
    arm_column = _column(table, variant, "--variant", VARIANT_NAMES)
    if arm_column is None:
        raise ImportFileError(f"--variant: name the column of the arms; there are {', '.join(table.columns)}")
    unit_column = _column(table, unit, "--unit", UNIT_NAMES)
    rows = list(zip(*(row.cells for row in table.rows()), strict=True))
    if not rows:
        raise ImportFileError(f"{table.path}: there are no rows below the header")
    cells_of = dict(zip(table.columns, rows, strict=True))
    numbers = {name: values for name, values in cells_of.items() if name not in (arm_column, unit_column)}
    specs = columns_of(numbers, metric, roles)
    used = {name for spec in specs for name in (spec.column, spec.denominator, spec.covariate) if name}
    units = UnitTable(
        arms=np.array(cells_of[arm_column], dtype=np.str_),
        columns={name: np.array([float(cells.number(cell)) for cell in numbers[name]]) for name in used},
        units=None if unit_column is None else np.array(cells_of[unit_column], dtype=np.str_),
    )
    base = _control(sorted(set(cells_of[arm_column])), control)
    return experiment_from_units(units, specs, base, weights, None if winsorize is None else winsorize / 100)


def _from_sums(
    table: Table, variant: str | None, control: str | None, roles: Roles, weights: dict[str, float] | None
) -> Experiment:
    arm_column = _column(table, variant, "--variant", VARIANT_NAMES)
    if arm_column is None:
        raise ImportFileError(f"--variant: name the column of the arms; there are {', '.join(table.columns)}")
    rows = [dict(zip(table.columns, row.cells, strict=False)) for row in table.rows()]
    rows = [row | {"variant": row[arm_column]} for row in rows]
    metrics: dict[str, Metric] = metrics_of({row["metric"]: kind_of_row(row) for row in rows}, roles)
    base = _control(sorted({row["variant"] for row in rows}), control)
    return experiment_from_sums(rows, metrics, base, weights)


def _column(table: Table, given: str | None, option: str, known: Sequence[str]) -> str | None:
    if given is not None:
        return table.columns[table.index(given, option)]
    lowered = {column.lower().replace(" ", "_"): column for column in table.columns}
    return next((lowered[name] for name in known if name in lowered), None)


def _control(arms: Sequence[str], given: str | None) -> str:
    """The named control, else the arm called so, else the first of two in the alphabet."""
    if given is not None:
        return given
    named = [arm for arm in arms if arm.lower() in ("control", "a", "baseline")]
    if not named and len(arms) != 2:
        raise ImportFileError(f"--control: say which of {', '.join(arms)} is the control")
    return (named or list(arms))[0]


def _show(report: Report) -> None:
    out = console()
    for check in report.health:
        mark = (
            "[green]ok[/]  " if check.passed else "[bold red]fail[/]" if check.blocking else "[yellow]warn[/]"
        )
        out.print(f"{mark} {escape(check.name)}: {escape(check.message)}", soft_wrap=True)
    out.print(comparison_grid(rows_of(report)))
    action = report.decision.action.replace("_", " ")
    out.print(f"[bold]{action}[/]  {escape(report.decision.sentence)}", soft_wrap=True)
