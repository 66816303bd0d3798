"""``neonblue import``: a data file becomes an experiment, through the public API."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table as Grid

from neonblue.cli.terminal import DataDir, console, fail
from neonblue.client import AsyncClient, ClientError
from neonblue.settings import Settings
from neonblue.simulation.mapping import Options, map_columns
from neonblue.simulation.plan import Plan, make_plan
from neonblue.simulation.rejected import write_rejected
from neonblue.simulation.sending import ImportReport, prepare, send
from neonblue.simulation.table import ImportFileError, Table


def import_file(
    file: Annotated[
        Path, typer.Argument(help="CSV with a header, plain or gzipped.", exists=True, dir_okay=False)
    ],
    key: Annotated[str, typer.Option(help="Key of the experiment to create, or to add to.")],
    unit: Annotated[str | None, typer.Option(help="Column of the units (default: the row's number).")] = None,
    variant: Annotated[str | None, typer.Option(help="Column of the arms.")] = None,
    control: Annotated[str | None, typer.Option(help="Which arm is the control.")] = None,
    time: Annotated[str | None, typer.Option(help="Column of the times (ISO 8601 or Unix seconds).")] = None,
    start: Annotated[str | None, typer.Option(help="Time of all rows where there is no such column.")] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(help="name=COLUMN, with :proportion or :mean where it is not clear; repeatable."),
    ] = None,
    weight: Annotated[
        list[str] | None, typer.Option(help="ARM=n: the planned split (default: equal); repeatable.")
    ] = None,
    missing: Annotated[
        list[str] | None,
        typer.Option(
            help="What blank cells count as: zero or exclude (their units are left out) for all metrics, or NAME=zero, "
            "NAME=exclude; repeatable. Asked for where there are any."
        ),
    ] = None,
    append: Annotated[bool, typer.Option(help="Add these rows to an experiment of other content.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Import a data file as an experiment. Safe to repeat: what was stored before stays as it is."""
    settings = Settings.load(data_dir)
    try:
        names = tuple(metric or ())
        options = Options(unit, variant, control, time, _moment(start), names, tuple(missing or ()))
        table = Table.open(file)
        plan = make_plan(table, map_columns(table, options))
        _show_mapping(plan)
        report = asyncio.run(_run(settings, plan, key, control, _weights(weight or ()), append))
    except (ImportFileError, ClientError) as error:
        fail(str(error))
    except ExceptionGroup as group:
        fail(str(group.exceptions[0]))
    _show_report(plan, key, report)
    if report.rejected and len(report.rejected) == plan.rows:
        raise typer.Exit(1)


async def _run(
    settings: Settings, plan: Plan, key: str, control: str | None, weights: dict[str, int], append: bool
) -> ImportReport:
    token = settings.api.token.get_secret_value()
    async with AsyncClient(settings.api.address, token) as client:
        experiment = await prepare(client, plan, key, control, weights, append=append)
        columns = (BarColumn(None), MofNCompleteColumn(), TextColumn("rows"), TimeRemainingColumn())
        with Progress(*columns, console=console(stderr=True)) as progress:
            task = progress.add_task("rows", total=plan.rows)
            return await send(client, plan, experiment, lambda rows: progress.advance(task, rows))


def _show_mapping(plan: Plan) -> None:
    """Say what was understood, before anything is sent."""
    columns, mapping = plan.table.columns, plan.mapping
    grid = Grid.grid(padding=(0, 2))
    grid.add_row("unit", columns[mapping.unit] if mapping.unit is not None else "the row's number")
    grid.add_row("variant", f"{columns[mapping.variant]}: {', '.join(plan.variants)}")
    grid.add_row("time", columns[mapping.time] if mapping.time is not None else str(mapping.start))
    for metric in mapping.metrics:
        blanks = ", blanks left out" if metric.excludes else ""
        grid.add_row("metric", f"{metric.name} ({metric.kind} of {metric.column}{blanks})")
    console(stderr=True).print(grid)


def _show_report(plan: Plan, key: str, report: ImportReport) -> None:
    out = console()
    if report.changed:
        out.print(f"[bold]{key}[/] is experiment {report.experiment_id}: {report.rows:,} rows read")
    else:
        out.print(f"[bold]{key}[/] is unchanged: every row of this file was stored before")
    out.print(f"  units   {report.units_new:,} new, {report.units_known:,} known")
    out.print(f"  events  {report.events_accepted:,} accepted, {report.events_duplicate:,} duplicates")
    for note in plan.notes():
        out.print(f"  blanks  {escape(note)}")
    if report.rejected:
        path = write_rejected(plan.table, report.rejected)
        out.print(f"  [yellow]rows    {len(report.rejected):,} rejected, see {path}[/]")


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ImportFileError(f"--start: {text!r} is not a time such as 2025-07-01T12:00:00Z") from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _weights(texts: Sequence[str]) -> dict[str, int]:
    weights = {}
    for text in texts:
        arm, _, number = text.rpartition("=")
        if not arm or not number.isdecimal() or int(number) < 1:
            raise ImportFileError(f"--weight: {text!r} is not of the form ARM=n with a whole n above 0")
        weights[arm] = int(number)
    return weights
