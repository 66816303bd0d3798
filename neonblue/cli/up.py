"""``neonblue up``: the supervisor, in the foreground or detached."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

import typer
from rich.console import Group
from rich.live import Live
from rich.markup import escape

from neonblue.cli.services_table import megabytes, problems, table
from neonblue.cli.terminal import DataDir, console, fail
from neonblue.settings import Settings
from neonblue.stack import Stack, catalogue, logs
from neonblue.stack.board import State, Status
from neonblue.stack.errors import ServiceError, StackError
from neonblue.stack.overview import Overview, take
from neonblue.stack.progress import Progress, describe
from neonblue.stack.progress import of as progress_of
from neonblue.stack.record import read
from neonblue.stack.supervisor_log import write_to_file

_STARTING_REFRESH_SECONDS = 0.5
_READY_REFRESH_SECONDS = 3.0
_LOG_LINES = 15


def up(
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return once everything is ready.")] = False,
    timeout: Annotated[
        float, typer.Option(min=0, help="Seconds after which it is told what is late. What is ready serves.")
    ] = 300.0,
    data_dir: DataDir = None,
) -> None:
    """Start everything and keep it running until Ctrl-C (with --detach: until 'neonblue down').

    What is late or fails is told, and the rest serves. It ends with an error only when something that events need
    has failed for good. With --detach the exit code is 0 once events are taken, and 1 when they are not after
    --timeout seconds; what was started goes on.
    """
    settings = Settings.load(data_dir)
    if detach:
        _detach(settings, timeout)
    else:
        _supervise(settings, timeout)


def _supervise(settings: Settings, timeout: float) -> None:
    interactive = console().is_terminal
    stack = Stack(settings, listener=None if interactive else _print_change)
    write_to_file(stack.settings.data_dir)
    try:
        with _signals_interrupt(), stack:
            _stay(stack, timeout, interactive)
    except KeyboardInterrupt:
        console(stderr=True).print("stopped")
    except StackError as error:
        _explain(stack.settings.data_dir, error)


def _stay(stack: Stack, timeout: float, interactive: bool) -> None:
    """Watch until the stack stops; say once when all is ready, and before that, once, what is late."""
    began, told, ready = time.monotonic(), False, False
    with _live(stack, interactive) as screen:
        while not stack.stopping.wait(_READY_REFRESH_SECONDS if ready else _STARTING_REFRESH_SECONDS):
            screen.refresh()
            progress, seconds = stack.progress(), time.monotonic() - began
            if progress.broken is not None:
                raise ServiceError(progress.broken.name, progress.broken.detail)
            if progress.ready and not ready:
                ready = told = True
                screen.say(_greeting(stack, seconds))
            elif not told and (progress.settled or seconds >= timeout):
                told = True
                for line in late(progress, seconds, stack.settings.api.address):
                    screen.say(line)


def _greeting(stack: Stack, seconds: float) -> str:
    memory = megabytes(take(stack.settings.data_dir).memory_bytes)
    return (
        f"[bold green]ready[/] after {seconds:.1f} s, {memory}: "
        f"API {stack.settings.api.address}/docs, Dagster {stack.settings.dagster.address}; Ctrl-C stops it"
    )


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


@dataclass(frozen=True, slots=True)
class _Screen:
    """`refresh` redraws the table of services, where there is a terminal; `say` prints a line above it."""

    refresh: Callable[[], None]
    say: Callable[[str], None]


@contextmanager
def _live(stack: Stack, interactive: bool) -> Iterator[_Screen]:
    out = console()
    if not interactive:
        yield _Screen(refresh=lambda: None, say=out.print)
        return
    with Live(console=out, auto_refresh=False, transient=True) as live:
        yield _Screen(
            refresh=lambda: live.update(_table(take(stack.settings.data_dir)), refresh=True), say=out.print
        )


def _table(overview: Overview) -> Group:
    return Group(
        table(overview),
        *(f"[yellow]{problem}[/]" for problem in problems(overview)),
        f"memory of everything: {megabytes(overview.memory_bytes)}",
    )


def _print_change(status: Status) -> None:
    if status.state in (State.READY, State.RESTARTING, State.UNREADY, State.FAILED):
        print(
            f"{status.name}: {status.state}{' (' + status.detail + ')' if status.detail else ''}", flush=True
        )


@contextmanager
def _signals_interrupt() -> Iterator[None]:
    """Lets SIGTERM and a closed terminal end the command as Ctrl-C does."""

    def interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
        # Once: the services then take the time that a clean stop needs.
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    previous = {
        number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
    }
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _explain(data_dir: Path, error: StackError) -> NoReturn:
    if isinstance(error, ServiceError):
        for line in logs.tail(logs.path(data_dir, error.service), _LOG_LINES):
            print(f"  {line}", file=sys.stderr)
    fail(str(error))


def _detach(settings: Settings, timeout: float) -> None:
    """Start this command again in the background, and wait until all is ready, or it is known what is late."""
    data_dir = settings.data_dir
    needed = catalogue.needed(catalogue.nodes(settings, lambda _: None))
    (data_dir / "logs").mkdir(parents=True, exist_ok=True)
    said = logs.path(data_dir, "up")
    command = [
        sys.executable,
        "-m",
        "neonblue.cli.main",
        "up",
        "--data-dir",
        str(data_dir),
        "--timeout",
        str(timeout),
    ]
    with said.open("wb") as output:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    began = time.monotonic()
    with console(stderr=True).status("starting …") as spinner:
        while child.poll() is None:
            overview = take(data_dir)
            if overview.supervisor == child.pid:
                progress = progress_of(read(data_dir), needed)
                seconds = time.monotonic() - began
                if progress.ready and overview.ready:
                    console().print(f"ready, {megabytes(overview.memory_bytes)}; 'neonblue down' stops it")
                    return
                if progress.broken is None and (progress.settled or seconds >= timeout):
                    _tell_late(progress, seconds, settings.api.address)
                spinner.update(f"starting … waiting for {', '.join(s.name for s in progress.late)}")
            time.sleep(_STARTING_REFRESH_SECONDS)
    sys.stderr.write(said.read_text())
    raise typer.Exit(1)


def _tell_late(progress: Progress, seconds: float, api: str) -> NoReturn:
    for line in late(progress, seconds, api):
        console(stderr=True).print(line)
    console(stderr=True).print("'neonblue status' shows it, 'neonblue down' stops it")
    raise typer.Exit(0 if progress.serves else 1)
