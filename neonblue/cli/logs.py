"""``neonblue logs``."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from neonblue.cli.log_view import Show, Shown, as_written
from neonblue.cli.terminal import DataDir, console, fail
from neonblue.log_lines import read
from neonblue.settings import Settings
from neonblue.stack.catalogue import LOGS, STEPS
from neonblue.stack.supervisor import logs as log_files
from neonblue.stack.supervisor.log_times import merged
from neonblue.stack.supervisor.names import SUPERVISOR

_POLL_SECONDS = 0.3
_STEPS_LINES = 100_000
"""So many of the supervisor's last lines are searched for a step's."""


def logs(
    service: Annotated[
        str | None,
        typer.Argument(
            help=f"One of {', '.join(LOGS)}; or a step: {', '.join(STEPS)} (default: all, in the order of time)."
        ),
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as lines arrive.")] = False,
    lines: Annotated[
        int, typer.Option("--lines", "-n", min=0, max=10**6, help="How many of each service's last lines.")
    ] = 50,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json", help="As they are in the files, for programs; other programs' lines as JSON too."
        ),
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Show the services' logs: time, level, service, event, fields."""
    folder = Settings.load(data_dir).data_dir
    show = as_written if as_json else Shown(named=service is None, coloured=_coloured())
    if service in STEPS:
        _show_step(folder, service, lines, show)
        return
    files = _files(folder, service)
    positions = {file: file.stat().st_size for file in files}
    _print({file: log_files.tail(file, lines) for file in files}, show)
    if follow:
        _follow(folder, service, positions, show)


def _coloured() -> bool:
    out = console()
    return out.is_terminal and not out.no_color


def _show_step(folder: Path, step: str, lines: int, show: Show) -> None:
    """What became of a step: the supervisor's lines about it."""
    log = log_files.path(folder, SUPERVISOR)
    found = [
        line
        for line in log_files.tail(log, _STEPS_LINES)
        if ((known := read(line)) is not None and known.about(step)) or f" step={step} " in f"{line} "
    ]
    if not found:
        fail(
            f"{step} is a step, without a log of its own, and nothing went wrong with it: see 'neonblue status'"
        )
    for line in found[len(found) - lines :] if lines < len(found) else found:
        print(show(SUPERVISOR, line))


def _files(folder: Path, service: str | None) -> list[Path]:
    present = sorted((folder / "logs").glob("*.log"))
    if not present:
        fail(f"there are no logs in {folder}: was the stack ever started there?")
    if service is None:
        return present
    chosen = [file for file in present if file.stem == service]
    if not chosen:
        fail(f"there is no log of {service}; there are: {', '.join(file.stem for file in present)}")
    return chosen


def _follow(folder: Path, service: str | None, positions: dict[Path, int], show: Show) -> None:
    try:
        while True:
            files = _files(folder, service)
            _print({file: _new_lines(file, positions) for file in files}, show)
            time.sleep(_POLL_SECONDS)
    except KeyboardInterrupt:
        return


def _new_lines(file: Path, positions: dict[Path, int]) -> list[str]:
    """The whole lines after the file's position, which is moved behind them."""
    size, position = file.stat().st_size, positions.get(file, 0)
    start = position if size >= position else 0
    with file.open("rb") as stream:
        stream.seek(start)
        whole, newline, _ = stream.read().rpartition(b"\n")
    positions[file] = start + len(whole) + len(newline)
    return whole.decode(errors="replace").split("\n") if newline else []


def _print(lines: Mapping[Path, list[str]], show: Show) -> None:
    changed = {file.stem: datetime.fromtimestamp(file.stat().st_mtime, UTC) for file in lines}
    for name, line in merged({file.stem: found for file, found in lines.items()}, changed):
        print(show(name, line), flush=True)
