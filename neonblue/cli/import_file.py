"""``neonblue import``: a data file becomes an experiment, through the public API."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table as Grid

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
    start_of,
)
from neonblue.cli.terminal import DataDir, console, fail
from neonblue.client import AsyncClient
from neonblue.settings import Settings
from neonblue.simulation.plan import Plan, make_plan
from neonblue.simulation.sending import ImportReport, prepare, send
from neonblue.tables.errors import FileError
from neonblue.tables.reading import Sheet
from neonblue.tables.rejected import write_rejected
from neonblue.tables.report import LINES_SHOWN
from neonblue.tables.roles import Options

LARGEST_WEIGHT = 1_000_000


def import_file(
    file: DataFile,
    key: Annotated[str, typer.Option(help="Key of the experiment to create, or to add to.")],
    unit: Annotated[str | None, typer.Option(help="Column of the units (default: the row's number).")] = None,
    variant: Variant = None,
    control: Control = None,
    time: Time = None,
    start: Annotated[str | None, typer.Option(help="Time of all rows where there is no such column.")] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            help="name=COLUMN, with :proportion or :mean where it is not clear; decides; repeatable. "
            "Default: every outcome, of which shares decide."
        ),
    ] = None,
    lower: Lower = None,
    weight: Annotated[
        list[str] | None, typer.Option(help="ARM=n: the planned split (default: equal); repeatable.")
    ] = None,
    missing: MissingPolicies = None,
    ignore: Ignore = None,
    skip_bad_rows: SkipBadRows = False,
    append: Annotated[bool, typer.Option(help="Add these rows to an experiment of other content.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Import a data file as an experiment. Safe to repeat: what was stored before stays as it is."""
    settings = Settings.load(data_dir)
    try:
        options = Options(
            *(unit, variant, control, time, start_of(start)),
            ignore=tuple(ignore or ()),
            skip_bad_rows=skip_bad_rows,
            metrics=tuple(metric or ()),
            asked=tuple(lower or ()),
            fewest_arms=1 if append else 2,
        )
        plan = make_plan(Sheet.open(file, options), missing or (), lower or ())
        weights = _weights(weight or ())
        if not append:
            plan.experiment(key, weights)
        _show_mapping(plan)
        report = asyncio.run(_run(settings, plan, key, weights, append))
    except FileError as error:
        fail(str(error))
    _show_report(plan, key, report)
    refused = report.rejected.keys() - plan.rejections.keys()
    if refused and not skip_bad_rows:
        raise typer.Exit(1)
    if len(report.rejected) == plan.rows:
        raise typer.Exit(1)


async def _run(
    settings: Settings, plan: Plan, key: str, weights: dict[str, int], append: bool
) -> ImportReport:
    token = settings.api.token.get_secret_value()
    async with AsyncClient(settings.api.address, token) as client:
        experiment = await prepare(client, plan, key, weights, append=append)
        columns = (BarColumn(None), MofNCompleteColumn(), TextColumn("rows"), TimeRemainingColumn())
        with Progress(*columns, console=console(stderr=True)) as progress:
            task = progress.add_task("rows", total=plan.rows)
            return await send(client, plan, experiment, lambda rows: progress.advance(task, rows))


def _show_mapping(plan: Plan) -> None:
    """Say what was understood, before anything is sent."""
    columns, sheet = plan.table.columns, plan.reading.sheet
    roles, out = sheet.roles, console(stderr=True)
    grid = Grid.grid(padding=(0, 2))
    grid.add_row("unit", columns[roles.unit] if roles.unit is not None else "the row's number")
    grid.add_row("variant", f"{columns[roles.variant]}: {', '.join(plan.variants)}")
    grid.add_row("time", columns[roles.time] if roles.time is not None else str(sheet.options.start))
    for metric in plan.metrics:
        blanks = ", blanks left out" if metric.excludes else ""
        less = ", lower is better" if metric.lower else ""
        role = "primary" if metric.decides else "secondary"
        grid.add_row(
            "metric", f"{metric.name} ({metric.column.kind} of {metric.column.name}, {role}{less}{blanks})"
        )
    out.print(grid)
    show_file(out, plan.reading.report())


def _show_report(plan: Plan, key: str, report: ImportReport) -> None:
    out = console()
    if report.changed:
        out.print(f"[bold]{key}[/] is experiment {report.experiment_id}: {report.rows:,} rows read")
    elif len(report.rejected) == plan.rows:
        out.print(f"[bold]{key}[/] holds nothing of this file: every row was refused")
    else:
        which = "that could be stored" if report.rejected else "of this file"
        out.print(f"[bold]{key}[/] is unchanged: every row {which} was stored before")
    out.print(f"  units   {report.units_new:,} new, {report.units_known:,} known")
    out.print(f"  events  {report.events_accepted:,} accepted, {report.events_duplicate:,} duplicates")
    for note in plan.notes():
        out.print(f"  blanks  {escape(note)}")
    if report.rejected:
        path = write_rejected(plan.reading.sheet, report.rejected)
        out.print(f"  [yellow]rows    {len(report.rejected):,} rejected, see {escape(str(path))}[/]")
        for row, reason in sorted(report.rejected.items())[:LINES_SHOWN]:
            out.print(f"  [yellow]        row {row}: {escape(reason)}[/]", soft_wrap=True)


def _weights(texts: Sequence[str]) -> dict[str, int]:
    weights = {}
    for text in texts:
        arm, _, number = text.rpartition("=")
        whole = (
            int(number)
            if number.isascii() and number.isdigit() and len(number) < len(str(LARGEST_WEIGHT)) + 1
            else 0
        )
        if not arm or not 1 <= whole <= LARGEST_WEIGHT:
            raise FileError(
                f"--weight: {text!r} is not of the form ARM=n with a whole n from 1 to {LARGEST_WEIGHT:,}"
            )
        if arm in weights:
            raise FileError(f"--weight: {arm!r} is given twice")
        weights[arm] = whole
    return weights
