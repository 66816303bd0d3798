"""``neonblue faults``: a stack of its own is broken in every way, and an oracle says what became of the data."""

from __future__ import annotations

import json
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

import typer
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from neonblue.cli.number_options import LARGEST_SEED
from neonblue.cli.terminal import AsJson, console, fail
from neonblue.faults import kept, report
from neonblue.faults.kinds import CORE, DAGSTER, NATURES, chosen
from neonblue.faults.outcome import RunOutcome, rows
from neonblue.faults.own_stack import holds_a_stack, without_settings
from neonblue.faults.plan import Plan, make
from neonblue.faults.run import Options, run

_MOST_SEEDS = 1_000
_LONGEST_MINUTES = 24 * 60
_INTERRUPTED = 130


def faults(
    seed: Annotated[
        int, typer.Option(min=0, max=LARGEST_SEED, help="The faults and the load depend on it alone.")
    ] = 1,
    minutes: Annotated[
        float, typer.Option(min=0.1, max=_LONGEST_MINUTES, help="How long faults strike, about.")
    ] = 5.0,
    seeds: Annotated[
        int, typer.Option(min=1, max=_MOST_SEEDS, help="So many runs, of this seed and the next ones.")
    ] = 1,
    kinds: Annotated[
        list[str] | None,
        typer.Option("--faults", metavar="KINDS", help="Only these, separated by commas (see --list)."),
    ] = None,
    rate: Annotated[float, typer.Option(min=1, max=2_000, help="Events a second meanwhile.")] = 60.0,
    marts: Annotated[
        bool, typer.Option("--marts", help="Compare the models at the end with a build from nothing.")
    ] = False,
    dagster: Annotated[
        bool, typer.Option("--with-dagster/--without-dagster", help="Whether the stack has Dagster.")
    ] = False,
    recovery: Annotated[
        float, typer.Option(min=10, max=3_600, help="Seconds that a recovery may take.")
    ] = 120.0,
    listed: Annotated[bool, typer.Option("--list", help="Print the kinds of faults, and end.")] = False,
    planned: Annotated[bool, typer.Option("--plan", help="Print the plan of the seed, and end.")] = False,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the table of docs/reliability.md.")
    ] = False,
    json_output: AsJson = False,
    data_dir: Annotated[
        Path | None,
        typer.Option("--data-dir", help="A new or empty folder for the stack; default: a temporary one."),
    ] = None,
    results: Annotated[
        Path | None,
        typer.Option(
            "--results",
            dir_okay=False,
            help="Keep each run's outcome in this file. Runs that are there are not done again, and are shown too.",
        ),
    ] = None,
) -> None:
    """Break a stack of its own under load, in an order that a seed gives, and compare what was told with what is there.

    It starts a stack in a temporary folder on free ports and touches no other one. Exit code 0: nothing was lost,
    doubled, stuck, or untold. The folder of a run that was not good is kept.
    """
    if listed:
        _show_kinds(as_json=json_output)
        return
    services = (*CORE, *DAGSTER) if dagster else CORE
    try:
        wanted = chosen(kinds)
        plans = [make(seed + turn, minutes, wanted, services) for turn in range(seeds)]
    except ValueError as error:
        fail(f"--faults: {error}")
    if planned:
        _show_plans(plans, as_json=json_output)
        return
    if data_dir is not None and holds_a_stack(data_dir):
        fail(f"--data-dir: {data_dir} is not empty: name a new folder, which the run may break")
    try:
        before = kept.read(results) if results is not None else {}
        plans = [plan for plan in plans if plan not in before]
        outcomes = _run_all(plans, services, data_dir, rate, recovery, marts=marts, results=results)
    except kept.KeptError as error:
        fail(f"--results: {error}")
    outcomes = sorted([*before.values(), *outcomes], key=lambda outcome: outcome.plan.seed)
    _show(outcomes, as_json=json_output, markdown=markdown)
    if any(outcome.interrupted for outcome in outcomes):
        raise typer.Exit(_INTERRUPTED)
    if not all(outcome.good for outcome in outcomes):
        raise typer.Exit(1)


def _run_all(
    plans: list[Plan],
    services: tuple[str, ...],
    data_dir: Path | None,
    rate: float,
    recovery: float,
    *,
    marts: bool,
    results: Path | None,
) -> list[RunOutcome]:
    from neonblue.stack.errors import StackError

    told = console(stderr=True)
    outcomes = []
    for plan in plans:
        folder = _folder(data_dir, plan, len(plans))
        told.print(f"seed {plan.seed}: {len(plan.faults)} faults, in {escape(str(folder))}", soft_wrap=True)
        options = Options(folder, services, rate=rate, recovery_seconds=recovery, marts=marts)
        try:
            with without_settings(), _stopping() as stop:
                outcome = run(
                    plan, options, stop, lambda line: told.print(f"  {escape(line)}", soft_wrap=True)
                )
        except StackError as error:
            fail(f"{error}; the folder is left: {folder}")
        if outcome.good:
            shutil.rmtree(folder, ignore_errors=True)
        outcomes.append(outcome)
        if outcome.interrupted:
            break
        if results is not None:
            kept.keep(results, outcome)
    return outcomes


def _folder(data_dir: Path | None, plan: Plan, runs: int) -> Path:
    """A new folder for one run. PostgreSQL's user must be able to enter it."""
    if data_dir is None:
        made = Path(tempfile.mkdtemp(prefix=f"neonblue-faults-{plan.seed}-"))
        made.chmod(0o755)
        return made
    folder = data_dir.absolute() if runs == 1 else data_dir.absolute() / str(plan.seed)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def _stopping() -> Iterator[threading.Event]:
    """Lets Ctrl-C and SIGTERM end the run once; its cleaning up is not interrupted."""
    stop = threading.Event()

    def interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        stop.set()
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        stop.set()
        for number, handler in before.items():
            signal.signal(number, handler)


def _show_kinds(*, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({kind: nature.what for kind, nature in NATURES.items()}, indent=2))
        return
    table = Table("fault", "what it does", box=None, header_style="dim")
    for kind, nature in NATURES.items():
        table.add_row(kind, nature.what)
    console().print(table)


def _show_plans(plans: list[Plan], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps([report.plan_as_json(plan) for plan in plans], indent=2))
        return
    table = Table("seed", "at s", "fault", "for s", box=None, header_style="dim")
    for plan in plans:
        for group in plan.groups:
            for place, fault in enumerate(group):
                held = f"{fault.seconds:.1f}" if fault.seconds else ""
                table.add_row(str(plan.seed), f"{fault.at:.1f}", ("+ " if place else "") + fault.title, held)
    console().print(table)


def _show(outcomes: list[RunOutcome], *, as_json: bool, markdown: bool) -> None:
    if as_json:
        typer.echo(json.dumps([report.as_json(outcome) for outcome in outcomes], indent=2))
    elif markdown:
        typer.echo(report.markdown(outcomes))
    else:
        _show_table(outcomes)
    for outcome in outcomes:
        told = console(stderr=True)
        for complaint in report.complaints(outcome):
            told.print(f"[red]seed {outcome.plan.seed}[/]  {escape(complaint)}", soft_wrap=True)
        if not outcome.good:
            told.print(
                f"seed {outcome.plan.seed}: its folder is kept: {escape(outcome.folder)}", soft_wrap=True
            )


def _show_table(outcomes: list[RunOutcome]) -> None:
    table = Table(header_style="dim", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name, _ in report.COLUMNS:
        table.add_column(name, justify="left" if name == "fault" else "right")
    for row in rows(outcomes):
        table.add_row(*(escape(show(row)) for _, show in report.COLUMNS))
    out = console()
    out.print(table)
    out.print(report.summary(outcomes), soft_wrap=True)
    if not any(outcome.repair_available for outcome in outcomes):
        out.print("[dim]neonblue reconcile --repair: not available[/]")
    good = all(outcome.good for outcome in outcomes)
    out.print("[green]good[/]" if good else "[bold red]not good[/]")
