"""``neonblue logs``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from neonblue.cli.terminal import DataDir, fail
from neonblue.settings import Settings
from neonblue.stack import logs as log_files

_POLL_SECONDS = 0.3


def logs(
    service: Annotated[str | None, typer.Argument(help="One service (default: all).")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as lines arrive.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many of the last lines.")] = 50,
    data_dir: DataDir = None,
) -> None:
    """Show the services' logs."""
    folder = Settings.load(data_dir).data_dir
    files = _files(folder, service)
    prefix = len(files) > 1
    for file in files:
        for line in log_files.tail(file, lines):
            _print(file, line, prefix)
    if follow:
        _follow(files, prefix)


def _files(folder: Path, service: str | None) -> list[Path]:
    present = sorted((folder / "logs").glob("*.log"))
    if not present:
        fail(f"there are no logs in {folder}: was the stack ever started there?")
    if service is None:
        return present
    chosen = [file for file in present if file.stem == service]
    if not chosen:
        fail(f"no log of {service}; there are: {', '.join(file.stem for file in present)}")
    return chosen


def _follow(files: list[Path], prefix: bool) -> None:
    positions = {file: file.stat().st_size for file in files}
    try:
        while True:
            for file in files:
                positions[file] = _print_new(file, positions[file], prefix)
            time.sleep(_POLL_SECONDS)
    except KeyboardInterrupt:
        return


def _print_new(file: Path, position: int, prefix: bool) -> int:
    """Print the whole lines after `position`; returns the new position."""
    size = file.stat().st_size
    start = position if size >= position else 0
    with file.open("rb") as stream:
        stream.seek(start)
        whole, newline, _ = stream.read().rpartition(b"\n")
    if newline:
        for line in whole.decode(errors="replace").split("\n"):
            _print(file, line, prefix)
    return start + len(whole) + len(newline)


def _print(file: Path, line: str, prefix: bool) -> None:
    print(f"{file.stem:15} {line}" if prefix else line, flush=True)
