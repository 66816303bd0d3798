"""``neonblue up``: the supervisor, in the foreground or detached."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

import typer
from rich.console import Group
from rich.live import Live

from neonblue.cli.services_table import megabytes, problems, table
from neonblue.cli.terminal import DataDir, console, fail
from neonblue.settings import Settings
from neonblue.stack import Stack, logs
from neonblue.stack.board import State, Status
from neonblue.stack.errors import NotReadyError, ServiceError, StackError
from neonblue.stack.overview import Overview, take
from neonblue.stack.supervisor_log import write_to_file

_STARTING_REFRESH_SECONDS = 0.5
_READY_REFRESH_SECONDS = 3.0
_LOG_LINES = 15


def up(
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return once everything is ready.")] = False,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for readiness.")] = 300.0,
    data_dir: DataDir = None,
) -> None:
    """Start everything and keep it running until Ctrl-C (with --detach: until 'neonblue down')."""
    settings = Settings.load(data_dir)
    if detach:
        _detach(settings.data_dir, timeout)
    else:
        _supervise(settings, timeout)


def _supervise(settings: Settings, timeout: float) -> None:
    interactive = console().is_terminal
    stack = Stack(settings, listener=None if interactive else _print_change)
    write_to_file(stack.settings.data_dir)
    try:
        with _signals_interrupt(), stack:
            _start(stack, timeout, interactive)
            _stay(stack, interactive)
    except KeyboardInterrupt:
        console(stderr=True).print("stopped")
    except StackError as error:
        _explain(stack.settings.data_dir, error)


def _start(stack: Stack, timeout: float, interactive: bool) -> None:
    began = time.monotonic()
    with _live(stack, interactive) as refresh:
        while True:
            try:
                stack.wait_ready(timeout=_STARTING_REFRESH_SECONDS)
                break
            except NotReadyError:
                if time.monotonic() - began > timeout:
                    raise
            refresh()
        refresh()
    overview = take(stack.settings.data_dir)
    console().print(
        f"[bold green]ready[/] after {time.monotonic() - began:.1f} s, {megabytes(overview.memory_bytes)}: "
        f"API {stack.settings.api.address}/docs, Dagster {stack.settings.dagster.address}; Ctrl-C stops it"
    )


def _stay(stack: Stack, interactive: bool) -> None:
    with _live(stack, interactive) as refresh:
        while not stack.stopping.wait(_READY_REFRESH_SECONDS):
            refresh()


@contextmanager
def _live(stack: Stack, interactive: bool) -> Iterator[Callable[[], None]]:
    """Gives a function that redraws the table of services; one that does nothing without a terminal."""
    if not interactive:
        yield lambda: None
        return
    with Live(console=console(), auto_refresh=False, transient=True) as live:
        yield lambda: live.update(_screen(take(stack.settings.data_dir)), refresh=True)


def _screen(overview: Overview) -> Group:
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


def _detach(data_dir: Path, timeout: float) -> None:
    """Start this command again in the background, and wait until it says that all is ready."""
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
    with console(stderr=True).status("starting …") as spinner:
        while child.poll() is None:
            overview = take(data_dir)
            if overview.supervisor == child.pid and overview.ready:
                console().print(f"ready, {megabytes(overview.memory_bytes)}; 'neonblue down' stops it")
                return
            waiting = [view.name for view in overview.services if view.state != State.READY]
            spinner.update(f"starting … waiting for {', '.join(waiting)}")
            time.sleep(_STARTING_REFRESH_SECONDS)
    sys.stderr.write(said.read_text())
    raise typer.Exit(1)
