"""The table of services that ``up`` and ``status`` show."""

from __future__ import annotations

from collections.abc import Iterable

from rich.markup import escape
from rich.table import Table

from neonblue.stack.supervisor import troubles
from neonblue.stack.supervisor.overview import Overview, ServiceView
from neonblue.stack.supervisor.troubles import Trouble

_COLOURS = {
    "ready": "green",
    "failed": "bold red",
    "unready": "yellow",
    "restarting": "yellow",
    "stopped": "dim",
}


def table(overview: Overview) -> Table:
    made = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("service", "state", "pid", "address"):
        made.add_column(heading)
    for heading in ("memory", "CPU", "up", "restarts"):
        made.add_column(heading, justify="right")
    for view in overview.services:
        made.add_row(*_cells(view))
    return made


def _cells(view: ServiceView) -> Iterable[str]:
    colour = _COLOURS.get(view.state, "cyan")
    lives = view.pid is not None
    yield view.name if view.kind != "step" else f"[dim]{view.name}[/]"
    yield f"[{colour}]{view.state}[/]"
    yield str(view.pid) if lives else ""
    yield view.address
    yield megabytes(view.memory_bytes) if lives else ""
    yield f"{view.cpu_seconds:.1f} s" if lives else ""
    yield duration(view.uptime_seconds) if view.uptime_seconds is not None else ""
    yield str(view.restarts) if view.restarts else ""


def problems(overview: Overview) -> list[str]:
    """What the services that are not ready, or soon won't be, say, and the command for each, as markup."""
    return [
        problem(trouble) for trouble in troubles.of_parts(view for view in overview.services if view.detail)
    ]


def problem(trouble: Trouble) -> str:
    """A trouble and its command, as markup."""
    return f"[yellow]{escape(trouble.what)}[/]  [dim]→[/] {escape(trouble.command)}"


def megabytes(count: int) -> str:
    return f"{count / 1024**2:,.0f} MB"


def duration(seconds: float) -> str:
    """Two units at most: 42 s, 3 min 5 s, 2 h 10 min, 4 d 3 h."""
    whole = int(seconds)
    for size, unit, smaller, smaller_unit in (
        (86400, "d", 3600, "h"),
        (3600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // smaller} {smaller_unit}"
    return f"{whole} s"
