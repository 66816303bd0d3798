"""``neonblue bench sizing``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from neonblue.bench import sizing as measuring
from neonblue.bench.sizing import Cost, SizingReport
from neonblue.cli.bench_options import ratio
from neonblue.cli.terminal import AsJson, DataDir, console, fail
from neonblue.settings import Settings

PROMISED = 10
A_DAY = (1_000_000, 10_000_000, 100_000_000)
MACHINES = ((2, 100), (4, 500), (8, 2_000), (16, 4_000))
"""Processors, and GB of disk."""
_MEGA, _GIGA, _MEBI = 1e6, 1e9, 1024**2


def sizing(
    events: Annotated[int, typer.Option(min=1_000, max=10**9, help="Events to store.")] = 1_000_000,
    users: Annotated[
        int, typer.Option(min=0, max=10**8, help="Users to assign for the first time; 0: none.")
    ] = 50_000,
    json_output: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Store events and assign users over HTTP, and say what a million of each takes: disk, log, processors, memory.

    They stay in the stack, as events of no experiment and users of an archived one: use a stack of its own
    (`neonblue up --data-dir`). Loads without waiting in between, so memory is that of a stack at its limit.
    """
    settings = Settings.load(data_dir)
    try:
        report = measuring.measure(settings, events, users, lambda step: typer.echo(step, err=True))
    except RuntimeError as error:
        fail(str(error))
    if json_output:
        typer.echo(json.dumps(report.as_json(), indent=2))
        return
    _show(report, settings)


def _show(report: SizingReport, settings: Settings) -> None:
    out = console()
    out.print(f"{report.events:,} events, {report.users:,} users with their first assignment and exposure")
    out.print(_disk(report))
    out.print(_services(report))
    out.print(
        f"compression: {report.compression:.1f} : 1, from messages of {report.message_bytes:.0f} bytes an event, as "
        f"ClickHouse reads them, to the bytes on disk of events_processed [dim](promised {PROMISED} : 1)[/]"
    )
    out.print(f"its columns by themselves (system.columns): {ratio(report.columns)}")
    out.print(_days(report, settings))
    out.print(_machines(report, settings))
    out.print(
        "[dim]derived, not measured: half the processors for events, one at most for each service; the disk at a tenth "
        "of that rate on average, a quarter of it free[/]"
    )
    out.print("[dim]marts and their bytes: 'neonblue bench queries'[/]")


def _disk(report: SizingReport) -> Table:
    table = _table("a million of these takes", "events MB", "users MB")
    of_users = dict(_parts(report.of_users))
    of_events = dict(_parts(report.of_events))
    for name in {**of_events, **of_users}:
        table.add_row(name, *(_in(found.get(name), _MEGA) for found in (of_events, of_users)))
    return table


def _parts(cost: Cost | None) -> Iterator[tuple[str, float]]:
    if cost is None:
        return
    for name, size in cost.postgres.items():
        yield f"PostgreSQL {name}", size
    yield "PostgreSQL's log, written", cost.written
    if cost.topic is not None:
        yield "Kafka, the topic", cost.topic
    for name, size in cost.clickhouse.items():
        yield f"ClickHouse {name}", size


def _services(report: SizingReport) -> Table:
    table = _table("service", "CPU s a million events", "CPU s a million users", "MiB before", "MiB at most")
    costs = (report.of_events, report.of_users)
    for name, (first, most) in report.memory.items():
        seconds = (None if cost is None else cost.cpu_seconds.get(name) for cost in costs)
        table.add_row(name, *(_in(one, 1) for one in seconds), _in(first, _MEBI), _in(most, _MEBI))
    totals = (None if cost is None else cost.cpu for cost in costs)
    memory = (sum(one[at] for one in report.memory.values()) for at in (0, 1))
    table.add_row("together", *(_in(one, 1) for one in totals), *(_in(one, _MEBI) for one in memory))
    return table


def _days(report: SizingReport, settings: Settings) -> Table:
    table = _table("events a day", "GB a day", "GB a year", "and at any time GB", "processors busy")
    for count in A_DAY:
        need = measuring.need(report, settings, count)
        sizes = (need.grows, 365 * need.grows, need.stands)
        table.add_row(f"{count:,}", *(f"{size / _GIGA:,.1f}" for size in sizes), f"{need.processors:.2f}")
    return table


def _machines(report: SizingReport, settings: Settings) -> Table:
    table = _table("a machine of", "events a second", "short of", "days until the disk is full")
    for processors, disk in MACHINES:
        found = measuring.capacity(report, settings, processors, disk * _GIGA)
        name = f"{processors} processors, {disk:,} GB"
        table.add_row(name, f"{found.rate:,.0f}", found.limit, f"{max(0.0, found.days):,.0f}")
    return table


def _table(first: str, *others: str) -> Table:
    table = Table(header_style="dim", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(first)
    for name in others:
        table.add_column(name, justify="right")
    return table


def _in(value: float | None, unit: float) -> str:
    return "-" if value is None else f"{value / unit:,.0f}"
