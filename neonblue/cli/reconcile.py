"""``neonblue reconcile``: is everything that was accepted present, and nothing else?"""

from __future__ import annotations

import json
from datetime import date
from typing import Annotated, Any

import typer
from rich.table import Table

from neonblue.cli.number_options import A_DAY_OF_SECONDS
from neonblue.cli.republish import in_words
from neonblue.cli.terminal import AsJson, DataDir, console, fail
from neonblue.reconciliation import Counts, Reconciliation
from neonblue.reconciliation import reconcile as compare_stores
from neonblue.reconciliation.compare import Comparison
from neonblue.reconciliation.report import as_json
from neonblue.republication import Repaired, RepairUnderWay, StreamStandsStill
from neonblue.republication import repair as repair_stores
from neonblue.settings import Settings

SHOWN_DAYS = 31
REPAIR_SECONDS = 300.0


def reconcile(
    wait: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=A_DAY_OF_SECONDS,
            help=f"Seconds to wait for what is still on its way (default: 0; with --repair {REPAIR_SECONDS:.0f}).",
        ),
    ] = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Send what is missing or altered down the stream again.")
    ] = False,
    json_output: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Compare what PostgreSQL accepted with what ClickHouse holds. Exits 1 when they differ."""
    settings = Settings.load(data_dir)
    repaired = _repair(settings, REPAIR_SECONDS if wait is None else wait) if repair else None
    result = compare_stores(settings, wait or 0.0) if repaired is None else repaired.reconciliation
    if json_output:
        republished = {} if repaired is None else {"republished": repaired_json(repaired)}
        typer.echo(json.dumps(as_json(result) | republished, indent=2))
    else:
        show(result)
        if repaired is not None:
            show_repaired(repaired)
        elif not result.equal:
            console().print(
                "[dim]'neonblue reconcile --repair' sends what is missing down the stream again[/]"
            )
    if not result.agree:
        raise typer.Exit(1)


def _repair(settings: Settings, wait: float) -> Repaired:
    with console(stderr=True).status("looking what is missing …") as shown:
        try:
            return repair_stores(
                settings,
                wait_seconds=wait,
                progress=lambda kind, rows, unread: shown.update(in_words(kind, rows, None, unread)),
                actor="command",
            )
        except StreamStandsStill as error:
            fail(f"{error}: 'neonblue reconcile --repair' publishes what is missing then")
        except RepairUnderWay as error:
            fail(str(error))


def repaired_json(repaired: Repaired) -> dict[str, Any]:
    """For programs."""
    rows = {kind.value: number for kind, number in repaired.published.items()}
    return {"rows": rows, "restored": repaired.restored, "unknown": repaired.unknown}


def show_repaired(repaired: Repaired) -> None:
    """What was done, and what publishing can't repair."""
    out = console()
    kinds = ", ".join(f"{number:,} {kind}" for kind, number in repaired.published.items())
    out.print(f"published again: {kinds}" if kinds else "nothing was missing that could be published again")
    if repaired.restored:
        out.print(f"{repaired.restored:,} erasures were put back into ClickHouse")
    if repaired.unknown:
        out.print(
            f"[yellow]{repaired.unknown:,} erasures[/] can't be published: their people's ids are gone. Nothing of "
            "these people is in PostgreSQL, so nothing of them comes back"
        )
    for kind, number in repaired.unrepaired.items():
        out.print(
            f"[yellow]{number:,} unexpected {kind}[/] stay: PostgreSQL never accepted them, and no message removes any"
        )
    missing = sum(rows.total.missing + rows.total.altered for rows in repaired.reconciliation.rows.values())
    if missing:
        out.print(
            f"[yellow]{missing:,} rows[/] had not arrived when the time was over: see 'neonblue status', and "
            "'neonblue reconcile --wait 300'"
        )


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
    if result.resolved:
        out.print(f"[dim]{result.resolved:,} dead letters are resolved: what they tell of is present[/]")
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
