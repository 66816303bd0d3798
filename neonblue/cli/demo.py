"""``neonblue demo``: an experiment with a known truth, live, and what the platform makes of it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Annotated

import httpx
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from neonblue.cli.demo_report import show_links, show_verdicts
from neonblue.cli.number_options import A_DAY_OF_SECONDS, LARGEST_SEED
from neonblue.cli.reconcile import show as show_reconciliation
from neonblue.cli.terminal import DataDir, console, fail
from neonblue.clickhouse.client import connect
from neonblue.client import AsyncClient, ConflictError, Experiment
from neonblue.reconciliation import reconcile
from neonblue.settings import Settings
from neonblue.simulation.drive import Traffic, Visit, drive
from neonblue.simulation.probe import Latencies, probe
from neonblue.simulation.scenario import Scenario
from neonblue.simulation.verdict import verdicts

DRAIN_SECONDS = 120.0


def demo(
    seconds: Annotated[
        float, typer.Option(min=1, max=A_DAY_OF_SECONDS, help="How long traffic flows.")
    ] = 60.0,
    rate: Annotated[float, typer.Option(min=1, max=1e6, help="Events a second.")] = 3_000.0,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="The data depend on it alone.")] = 1,
    end: Annotated[
        bool,
        typer.Option(
            "--exit",
            help="Stop at the end what the demo started, no stack that ran before; exit 0 only if all is right.",
        ),
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Run a live experiment with known effects through the whole platform and compare the result."""
    settings = Settings.load(data_dir)
    out = console()
    with ExitStack() as closing:
        settings = _running(settings, closing, out)
        scenario = Scenario(seed)
        experiment, traffic, latencies = asyncio.run(_traffic(settings, scenario, seconds, rate, out))
        right = _judge(settings, scenario, experiment, traffic, latencies, out)
        show_links(out, settings, experiment.key)
        if end:
            raise typer.Exit(0 if right else 1)
        out.print("\n[dim]Everything stays up. Ctrl-C ends it.[/]")
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()


def _running(settings: Settings, closing: ExitStack, out: Console) -> Settings:
    """Settings of a stack that runs: the one that is up, or one started here and stopped at the end."""
    # Without a token this folder has no stack: what answers there is another folder's.
    if settings.api.token.get_secret_value():
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"{settings.api.address}/healthz", timeout=2).is_success:
                return settings
    from neonblue.stack import Stack, checkup, folders, prerequisites
    from neonblue.stack.errors import StackError
    from neonblue.stack.supervisor.supervisor_log import write_to_file

    folders.require(settings.data_dir)
    prerequisites.require_packages(settings)
    checkup.require_reachable_kafka(settings)
    write_to_file(settings.data_dir)
    started = time.monotonic()
    with out.status("Starting PostgreSQL, Kafka, Debezium, ClickHouse, Valkey, the API and Dagster …"):
        try:
            stack = closing.enter_context(Stack(settings))
            # As long as it takes: a start that will not succeed is given up by the supervisor.
            stack.wait_ready(timeout=None)
        except StackError as error:
            fail(str(error))
    out.print(f"[green]✓[/] the stack is up [dim]({time.monotonic() - started:.0f} s)[/]")
    return stack.settings


async def _traffic(
    settings: Settings, scenario: Scenario, seconds: float, rate: float, out: Console
) -> tuple[Experiment, Traffic, Latencies]:
    units_per_second = rate / scenario.events_per_unit
    units = round(units_per_second * seconds)
    async with AsyncClient(settings.api.address, settings.api.token.get_secret_value()) as client:
        experiment = await _create(client, scenario)
        out.print(f"[green]✓[/] experiment [bold]{experiment.key}[/] runs: {units:,} units will visit")
        stop = asyncio.Event()
        watching = asyncio.create_task(probe(client, settings.clickhouse, stop))
        with _progress(out, units) as update:
            traffic = await drive(client, scenario, Visit(experiment.key, units, units_per_second), update)
        stop.set()
        return experiment, traffic, await watching


async def _create(client: AsyncClient, scenario: Scenario) -> Experiment:
    """A running experiment under the first free key: the demo may be repeated on the same data."""
    for attempt in itertools.count(1):
        key = f"demo-{scenario.seed}" + (f"-{attempt}" if attempt > 1 else "")
        with contextlib.suppress(ConflictError):
            await client.create_experiment(scenario.experiment(key))
            return await client.start(key)
    raise AssertionError("unreachable: the count has no end")


@contextlib.contextmanager
def _progress(out: Console, units: int) -> Iterator[Callable[[Traffic], object]]:
    columns = (
        BarColumn(None),
        TextColumn("{task.completed:,.0f} units"),
        TextColumn("{task.fields[events]:,} events"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=out, disable=not out.is_terminal) as progress:
        task = progress.add_task("", total=units, events=0)
        yield lambda traffic: progress.update(task, completed=traffic.units, events=traffic.events)


def _judge(
    settings: Settings,
    scenario: Scenario,
    experiment: Experiment,
    traffic: Traffic,
    latencies: Latencies,
    out: Console,
) -> bool:
    """Reconcile, materialize, compare with the truth; whether all is right."""
    from orchestration.following import DagsterAwayError
    from orchestration.launch import launch

    out.print(
        f"[green]✓[/] {traffic.events:,} events of {traffic.units:,} units stored in "
        f"{traffic.seconds:.0f} s ({traffic.events / max(traffic.seconds, 1e-9):,.0f}/s); "
        f"{traffic.duplicates:,} duplicates recognized"
    )
    out.print(
        f"[green]✓[/] from acknowledgement to queryable: p50 {latencies.quantile(0.5):.2f} s, "
        f"p99 {latencies.quantile(0.99):.2f} s [dim]({len(latencies.seconds)} live probes)[/]"
    )
    with out.status("Comparing PostgreSQL with ClickHouse …"):
        reconciliation = reconcile(settings, DRAIN_SECONDS)
    show_reconciliation(reconciliation)
    started = time.monotonic()
    with out.status("Dagster materializes the marts and runs the tests …"):
        try:
            run = launch(settings, job="everything", timeout=None)
        except DagsterAwayError as error:
            fail(str(error))
    mark = "[green]✓[/]" if run.succeeded else "[red]✗[/]"
    out.print(
        f"{mark} Dagster's run: {run.status.value} [dim]({time.monotonic() - started:.0f} s, {run.url})[/]"
    )
    with connect(settings.clickhouse) as client:
        found = verdicts(client, scenario, experiment.id)
    show_verdicts(out, found)
    nothing_lost = reconciliation.agree and not latencies.lost and not traffic.rejected
    return nothing_lost and run.succeeded and all(verdict.holds for verdict in found)
