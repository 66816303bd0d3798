"""``neonblue analyze``: the statistics engine on a file, with no server."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from neonblue.analysis.why import State
from neonblue.cli.analyze_columns import Roles, parse_weights
from neonblue.cli.analyze_data import FileData, Options, read_experiment
from neonblue.cli.analyze_decision import with_aim_asked
from neonblue.cli.analyze_report import ReportRequest, write_report
from neonblue.cli.file_options import (
    Control,
    DataFile,
    Ignore,
    Lower,
    MissingPolicies,
    SkipBadRows,
    Time,
    Variant,
    show_file,
)
from neonblue.cli.number_options import MOST_UNITS, amount, earlier_looks, level, share
from neonblue.cli.report_view import as_json, print_comparison, rows_of
from neonblue.cli.results import print_heading
from neonblue.cli.terminal import AsJson, console, fail
from neonblue.cli.written_files import require_replaceable
from neonblue.findings.heading import heading_of
from neonblue.findings.said import said_of
from neonblue.statistics import Finding, Plan, Report
from neonblue.statistics import analyze as analyze_experiment
from neonblue.statistics.experiment.experiment import Inference
from neonblue.statistics.experiment.wording import check_name
from neonblue.tables.blanks import Policies
from neonblue.tables.errors import FileError
from neonblue.tables.roles import Options as FileOptions

Repeated = list[str] | None
_MARKS = {
    Finding.FINE: "[green]ok[/]  ",
    Finding.UNTOLD: "[dim]?[/]   ",
    Finding.WARNED: "[yellow]warn[/]",
    Finding.FAILED: "[bold red]fail[/]",
}


def analyze(
    file: DataFile,
    variant: Variant = None,
    control: Control = None,
    unit: Annotated[str | None, typer.Option(help="Column of the units; their rows are added up.")] = None,
    metric: Annotated[
        Repeated,
        typer.Option(
            help="COLUMN or NAME=COLUMN; then /COLUMN for a ratio, ~COLUMN for a covariate, and :proportion, "
            ":mean or :p90 for the kind; decides; repeatable. Default: every outcome is shown, and none decides."
        ),
    ] = None,
    secondary: Annotated[
        Repeated, typer.Option(help="Metric that explains, not decides; repeatable.")
    ] = None,
    guardrail: Annotated[
        Repeated, typer.Option(help="Metric to protect, NAME or NAME=2% or NAME=0.5 (margin); repeatable.")
    ] = None,
    lower: Lower = None,
    weight: Annotated[
        Repeated, typer.Option(help="ARM=n: the planned split (default: equal); repeatable.")
    ] = None,
    alpha: Annotated[
        float, typer.Option(callback=share, help="Error rate of the primary metrics together.")
    ] = 0.05,
    deciding: Annotated[Inference, typer.Option(help="Which test decides.")] = Inference.FIXED,
    planned_units: Annotated[
        int | None, typer.Option(min=1, max=MOST_UNITS, help="Planned units over all arms.")
    ] = None,
    look: Annotated[
        list[float] | None,
        typer.Option(
            callback=earlier_looks,
            help="Share of the planned units at an earlier look, such as 0.5; repeatable.",
        ),
    ] = None,
    traffic: Annotated[
        float | None, typer.Option(callback=amount, help="New units per day: gives the time left.")
    ] = None,
    winsorize: Annotated[
        float | None, typer.Option(callback=level, help="Cap means at this pooled percentile, such as 99.9.")
    ] = None,
    missing: MissingPolicies = None,
    time: Time = None,
    ignore: Ignore = None,
    skip_bad_rows: SkipBadRows = False,
    report_file: Annotated[
        Path | None, typer.Option("--report", help="Also write a report to this HTML file.", dir_okay=False)
    ] = None,
    segment: Annotated[
        Repeated, typer.Option(help="Column whose values are segments in the report; repeatable.")
    ] = None,
    json_output: AsJson = False,
) -> None:
    """Analyse an experiment's file, a row per unit or event, or sums: health, metrics, intervals, the decision."""
    if report_file is not None:
        require_replaceable(report_file, "--report", read=file)
    try:
        options = Options(
            file=FileOptions(
                *(unit, variant, control, time),
                ignore=tuple(ignore or ()),
                skip_bad_rows=skip_bad_rows,
                metrics=tuple(metric or ()),
                asked=(
                    *(secondary or ()),
                    *(text.rpartition("=")[0] or text for text in guardrail or ()),
                    *(lower or ()),
                ),
            ),
            roles=Roles(tuple(secondary or ()), tuple(guardrail or ()), tuple(lower or ())),
            weights=parse_weights(weight or ()),
            winsorize=winsorize,
            missing=Policies.parse(missing or ()),
            segments=tuple(segment or ()),
        )
        plan = Plan(
            alpha=alpha,
            inference=deciding,
            planned_units=planned_units,
            units_per_day=traffic,
            looks=tuple(sorted(look or ())),
            ended=deciding is Inference.FIXED and planned_units is None,
        )
        data = read_experiment(file, options)
        report = with_aim_asked(data.experiment, analyze_experiment(data.experiment, plan))
    except (FileError, ValueError) as error:
        fail(str(error))
    if report_file is not None:
        write_report(ReportRequest(report_file, data, plan, report))
    if json_output:
        shown = as_json(data.experiment, report) | {
            "missing": [asdict(note) for note in data.notes],
            "caps": [asdict(note) for note in data.caps],
            "file": asdict(data.file),
        }
        typer.echo(json.dumps(shown, indent=2, allow_nan=False))
    else:
        _show(report, data)


def _show(report: Report, data: FileData) -> None:
    out = console()
    show_file(out, data.file)
    for sentence in data.told:
        out.print(f"[yellow]note[/] {escape(sentence)}", soft_wrap=True)
    for check in report.health:
        message = f"{escape(check_name(check.name))}: {escape(check.message)}"
        out.print(f"{_MARKS[check.finding]} {message}", soft_wrap=True)
    print_comparison(out, rows_of(report))
    decision = report.decision
    print_heading(
        out, heading_of(None, said_of(State.OK, "", decision.action, decision.sentence, decision.arm))
    )
