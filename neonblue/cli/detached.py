"""``neonblue up --detach``: the supervisor in the background, and what is told of a start."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import typer
from rich.markup import escape

from neonblue.cli.services_table import megabytes
from neonblue.cli.terminal import console, fail
from neonblue.settings import Settings
from neonblue.stack import catalogue
from neonblue.stack.supervisor import folder_lock, logs
from neonblue.stack.supervisor.overview import take
from neonblue.stack.supervisor.progress import Progress, describe
from neonblue.stack.supervisor.progress import of as progress_of
from neonblue.stack.supervisor.record import read

_REFRESH_SECONDS = 0.5


def detach_stack(settings: Settings, timeout: float, *, watched: bool = False) -> None:
    """Start this command again in the background, unless the stack runs, and wait until it is known how that went."""
    running = folder_lock.holder(settings.data_dir)
    if running is None:
        _follow(settings, timeout, _start(settings, timeout, ["--with", "monitoring"] if watched else []))
    elif watched and not {status.name for status in read(settings.data_dir)} & set(catalogue.MONITORING):
        fail(
            f"it runs already (process {running}), without monitoring: 'neonblue down' first, then this again"
        )
    elif (overview := take(settings.data_dir)).ready:
        console().print(
            f"already up (process {running}, {megabytes(overview.memory_bytes)}); 'neonblue down' stops it"
        )
    else:
        _follow(settings, timeout, None)


@dataclass(frozen=True, slots=True)
class _Background:
    """A supervisor that was just started, and what it says. That is ``up.log`` once the data folder is its own."""

    process: subprocess.Popen[bytes]
    said: Path
    log: Path

    def settle(self) -> None:
        if self.said.exists():
            self.said.replace(self.log)

    def explain(self) -> NoReturn:
        """Say why it has ended. A stack that runs here keeps its own ``up.log``."""
        sys.stderr.write(self.said.read_text(errors="replace") if self.said.exists() else "")
        self.said.unlink(missing_ok=True)
        raise typer.Exit(1)


def _start(settings: Settings, timeout: float, further: list[str]) -> _Background:
    log = logs.path(settings.data_dir, "up")
    said = log.with_name(f"{log.name}.{os.getpid()}")
    options = ["--data-dir", str(settings.data_dir), "--timeout", str(timeout), *further]
    with said.open("wb") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", "neonblue.cli.main", "up", *options],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    return _Background(child, said, log)


def _follow(settings: Settings, timeout: float, started: _Background | None) -> None:
    """Wait until all is ready, or it is known what is late: of the stack that was started, or of one that runs."""
    needed = catalogue.needed(catalogue.nodes(settings, lambda _: None))
    began = time.monotonic()
    with console(stderr=True).status("starting …") as spinner:
        while started is None or started.process.poll() is None:
            overview = take(settings.data_dir)
            if started is None and overview.supervisor is None:
                fail("the stack that was starting here has stopped meanwhile: see 'neonblue logs'")
            if started is None or overview.supervisor == started.process.pid:
                if started is not None:
                    started.settle()
                progress, seconds = progress_of(read(settings.data_dir), needed), time.monotonic() - began
                if progress.ready and overview.ready:
                    console().print(f"ready, {megabytes(overview.memory_bytes)}; 'neonblue down' stops it")
                    return
                if progress.broken is None and (progress.settled or seconds >= timeout):
                    _tell_late(progress, seconds, settings.api.address)
                spinner.update(f"starting … waiting for {', '.join(s.name for s in progress.late)}")
            time.sleep(_REFRESH_SECONDS)
    started.explain()


def _tell_late(progress: Progress, seconds: float, api: str) -> NoReturn:
    for line in late(progress, seconds, api):
        console(stderr=True).print(line)
    console(stderr=True).print("'neonblue status' shows it, 'neonblue down' stops it")
    raise typer.Exit(0 if progress.serves else 1)


def late(progress: Progress, seconds: float, api: str) -> list[str]:
    """What is not ready after so many seconds, and what that means for the rest."""
    lines = [f"[bold red]failed[/] {escape(describe(status))}" for status in progress.failed]
    lines += [f"[yellow]late[/] {escape(describe(status))}" for status in progress.late]
    if progress.serves:
        return [
            *lines,
            f"The API takes events at {api} (after {seconds:.0f} s); the rest serves, what is late goes on",
        ]
    return [*lines, f"Events are not taken yet, after {seconds:.0f} s; what is late goes on"]
