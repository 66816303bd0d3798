"""``neonblue reconcile``: is everything that was accepted present, and nothing else?"""

from __future__ import annotations

import json
from datetime import date
from typing import Annotated

import typer
from rich.table import Table

from neonblue.cli.number_options import A_DAY_OF_SECONDS
from neonblue.cli.terminal import AsJson, DataDir, console
from neonblue.reconciliation import Counts, Reconciliation
from neonblue.reconciliation import reconcile as compare_stores
from neonblue.reconciliation.compare import Comparison
from neonblue.reconciliation.report import as_json
from neonblue.settings import Settings

SHOWN_DAYS = 31


def reconcile(
    wait: Annotated[
        float, typer.Option(min=0, max=A_DAY_OF_SECONDS, help="Seconds to wait for what is still on its way.")
    ] = 0.0,
    json_output: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Compare what PostgreSQL accepted with what ClickHouse holds. Exits 1 when they differ."""
    settings = Settings.load(data_dir)
    result = compare_stores(settings, wait)
    if json_output:
        typer.echo(json.dumps(as_json(result), indent=2))
    else:
        show(result)
    if not result.agree:
        raise typer.Exit(1)


def show(result: Reconciliation) -> None:
    """The totals, the days, and where they differ the ids."""
    out = console()
    table = Table("", "accepted", "present", "missing", "unexpected", box=None, header_style="dim")
    for column in table.columns[1:]:
        column.justify = "right"
    for kind, comparison in result.rows.items():
        table.add_row(f"[bold]{kind}[/]", *_cells(comparison.total))
        for day, counts in _days(comparison):
            table.add_row(f"  {day}", *_cells(counts))
    out.print(table)
    for kind, comparison in result.rows.items():
        _show_differences(kind.removesuffix("s"), comparison)
    for error, count in result.dead_letters.items():
        out.print(f"[red]dead letters[/]  {count:,}  {error}")
    for rule, count in result.set_aside.items():
        out.print(f"[yellow]set aside[/]  {count:,} event(s) that no model counts  {rule}")
    out.print("[green]equal[/]: nothing lost, nothing twice" if result.agree else "[bold red]they differ[/]")


def _days(comparison: Comparison) -> list[tuple[date, Counts]]:
    """The newest days, and every one that differs."""
    days = sorted(comparison.days.items())
    return [(day, counts) for day, counts in days if not counts.agree or (day, counts) in days[-SHOWN_DAYS:]]


def _show_differences(name: str, comparison: Comparison) -> None:
    out = console()
    for word, ids in (("missing", comparison.missing_ids), ("unexpected", comparison.unexpected_ids)):
        for identifier in ids[:10]:
            out.print(f"[red]{word}[/] {name} {identifier}")
    if comparison.total.altered:
        out.print(f"[red]altered[/] {comparison.total.altered} group(s) of {name}s: same ids, other values")
    if comparison.retired:
        out.print(f"[dim]{comparison.retired:,} {name}s are older than what PostgreSQL keeps[/]")


def _cells(counts: Counts) -> tuple[str, ...]:
    return (
        f"{counts.accepted:,}",
        f"{counts.present:,}",
        _difference(counts.missing),
        _difference(counts.unexpected),
    )


def _difference(number: int) -> str:
    return f"[bold red]{number:,}[/]" if number else "0"
