"""What the demo prints at its end."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from neonblue.settings import Settings
from neonblue.simulation.verdict import Verdict
from neonblue.statistics import numbers

_DIGITS = 4


def show_verdicts(out: Console, verdicts: Sequence[Verdict]) -> None:
    """Each metric: control, treatment, the difference with its interval, the truth."""
    table = Table(title="Measured beside true", title_justify="left", header_style="dim")
    for name in ("metric", "control", "treatment", "difference", "99.99 % interval", "truth", ""):
        table.add_column(name, justify="left" if name in {"metric", ""} else "right")
    for verdict in verdicts:
        interval = numbers.NONE if verdict.interval is None else " to ".join(map(_signed, verdict.interval))
        table.add_row(
            f"[bold]{verdict.metric}[/]",
            _number(verdict.means[0]),
            _number(verdict.means[1]),
            _signed(verdict.difference),
            interval,
            f"[bold]{_signed(verdict.truth)}[/]",
            "[green]✓[/]" if verdict.holds else "[bold red]outside[/]",
        )
    out.print()
    out.print(table)
    if verdicts:
        control, treatment = verdicts[0].units
        out.print(
            f"[dim]{control:,} units in control, {treatment:,} in treatment. ✓: the interval holds the truth; at "
            "99.99 % it fails to in one demo of 10,000.[/]"
        )


def show_links(out: Console, settings: Settings, key: str) -> None:
    """Where to look next."""
    out.print()
    grid = Table.grid(padding=(0, 2))
    grid.add_row("the experiment's page", f"{settings.api.address}/experiments/{key}")
    grid.add_row("API and its docs", f"{settings.api.address}/docs")
    grid.add_row("Dagster", settings.dagster.address)
    grid.add_row("results again", f"neonblue results {key}")
    grid.add_row("a query", 'neonblue sql "SELECT * FROM experiment_summary"')
    out.print(grid)


def _number(value: float | None) -> str:
    return numbers.number(value, digits=_DIGITS)


def _signed(value: float | None) -> str:
    return numbers.number(value, sign=True, digits=_DIGITS)
