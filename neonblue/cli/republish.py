"""``neonblue republish``: what PostgreSQL accepted goes down the stream again."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Annotated

import typer
from rich.table import Table

from neonblue.cli.terminal import AsJson, DataDir, console, fail
from neonblue.contract.instants import format_instant
from neonblue.reconciliation.compare import Kind
from neonblue.republication import Plan, Progress, Republished, StreamStandsStill
from neonblue.republication import plan as plan_republication
from neonblue.republication import republish as republish_rows
from neonblue.settings import Settings

INTERRUPTED = 130
"""The exit code that shells give a command that Ctrl-C ended."""


def instant(text: str) -> datetime:
    """A time with a zone, or in UTC; a day is its beginning. Raises BadParameter."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is neither a day nor a time such as 2026-03-01 or 2026-03-01T09:30:00Z"
        ) from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def republish(
    span_from: Annotated[
        datetime | None,
        typer.Option(
            "--from",
            parser=instant,
            metavar="TIME",
            help="What was accepted from then on (UTC; default: everything).",
        ),
    ] = None,
    span_to: Annotated[
        datetime | None,
        typer.Option("--to", parser=instant, metavar="TIME", help="Up to, not including, then (UTC)."),
    ] = None,
    kinds: Annotated[
        list[Kind] | None,
        typer.Option(
            "--kind", help="Only this kind of row (repeatable), and erasures, which always come along."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count by kind and day, and publish nothing.")
    ] = False,
    json_output: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Make the outbox's rows anew from what PostgreSQL keeps, for the stream to carry them to ClickHouse.

    Doing it twice changes nothing: what is present already stays as it is. Live events go first: while much waits for
    the stream, this waits too. Exits with 0 when everything is in the outbox, with 2 for a span that ends before it
    begins.
    """
    settings = Settings.load(data_dir)
    if span_from is not None and span_to is not None and span_from >= span_to:
        fail(f"--to {format_instant(span_to)} must be later than --from {format_instant(span_from)}", code=2)
    if dry_run:
        _show_plan(plan_republication(settings, span_from, span_to, kinds), json_output)
        return
    result = _republish(settings, span_from, span_to, kinds or [])
    if json_output:
        typer.echo(json.dumps(_as_json(result), indent=2))
    else:
        _show(result)


def in_words(kind: Kind, done: int, of: int | None, unread: int) -> str:
    """How far it is, for a line on a terminal."""
    share = f"{done:,}" if of is None else f"{done:,} of {of:,}"
    waits = f"; waits until the stream has read {unread / 1024**2:,.0f} MiB" if unread else ""
    return f"publishing {share} {kind}{waits} …"


def command(go_on_from: datetime | None, span_to: datetime | None, kinds: Iterable[Kind]) -> str:
    """What goes on where this was ended."""
    words = ["neonblue", "republish"]
    for option, value in (("--from", go_on_from), ("--to", span_to)):
        if value is not None:
            words += [option, format_instant(value)]
    for kind in kinds:
        words += ["--kind", kind.value]
    return shlex.join(words)


def _republish(
    settings: Settings, span_from: datetime | None, span_to: datetime | None, kinds: list[Kind]
) -> Republished:
    begin = span_from

    def see(progress: Progress) -> None:
        nonlocal begin
        begin = progress.go_on_from or span_from
        shown.update(in_words(progress.kind, progress.done, progress.of, progress.unread))

    try:
        with console(stderr=True).status("counting …") as shown:
            return republish_rows(settings, span_from, span_to, kinds, see, actor="command")
    except KeyboardInterrupt:
        fail(f"interrupted; to go on: {command(begin, span_to, kinds)}", code=INTERRUPTED)
    except StreamStandsStill as error:
        fail(f"{error}: {command(begin, span_to, kinds)}")
    except Exception:
        console(stderr=True).print(
            f"not everything was published; to go on: {command(begin, span_to, kinds)}", soft_wrap=True
        )
        raise


def _show_plan(planned: Plan, json_output: bool) -> None:
    days: Counter[tuple[Kind, date]] = Counter()
    for kind, counted in planned.items():
        for one in counted:
            days[kind, one.accepted] += one.rows
    if json_output:
        totals = {
            kind.value: {day.isoformat(): rows for (of, day), rows in days.items() if of is kind}
            for kind in planned
        }
        typer.echo(json.dumps(totals, indent=2))
        return
    table = Table("", "rows", box=None, header_style="dim")
    table.columns[1].justify = "right"
    for kind in planned:
        of_kind = {day: rows for (of, day), rows in sorted(days.items()) if of is kind}
        table.add_row(f"[bold]{kind}[/]", f"{sum(of_kind.values()):,}")
        for day, rows in of_kind.items():
            table.add_row(f"  {day}", f"{rows:,}")
    console().print(table)


def _as_json(result: Republished) -> dict[str, object]:
    rows = {kind.value: number for kind, number in result.rows.items()}
    return {"rows": rows, "restored": result.restored, "unknown": result.unknown, "kept": result.kept}


def _show(result: Republished) -> None:
    out = console()
    table = Table("", "published", box=None, header_style="dim")
    table.columns[1].justify = "right"
    for kind, number in result.rows.items():
        table.add_row(f"[bold]{kind}[/]", f"{number:,}")
    out.print(table)
    if result.restored:
        out.print(f"{result.restored:,} erasures were put back into ClickHouse")
    if result.unknown:
        out.print(f"[yellow]{result.unknown:,} erasures[/] can't be published: their people's ids are gone")
    if result.kept:
        out.print(
            f"{result.kept:,} assignments of an older version are in ClickHouse and were left as they are there"
        )
    out.print("It is on its way: 'neonblue reconcile --wait 300' says when everything is present")
