"""``neonblue up``: the supervisor, in the foreground or detached."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

import typer
from rich.console import Group
from rich.live import Live

from neonblue.cli.detached import detach_stack, late
from neonblue.cli.number_options import A_DAY_OF_SECONDS
from neonblue.cli.services_table import megabytes, problems, table
from neonblue.cli.terminal import DataDir, console, fail
from neonblue.settings import Settings, SettingsError
from neonblue.stack import Stack, checkup, folders, prerequisites
from neonblue.stack.catalogue import MONITORING, SERVICES, address
from neonblue.stack.errors import ServiceError, StackError
from neonblue.stack.services import monitoring
from neonblue.stack.supervisor import logs
from neonblue.stack.supervisor.board import State, Status
from neonblue.stack.supervisor.overview import Overview, take
from neonblue.stack.supervisor.supervisor_log import write_to_file

_STARTING_REFRESH_SECONDS = 0.5
_READY_REFRESH_SECONDS = 3.0
_LOG_LINES = 15


class Beside(StrEnum):
    """What can be started beside the platform."""

    MONITORING = "monitoring"


def up(
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return once everything is ready.")] = False,
    timeout: Annotated[
        float,
        typer.Option(
            min=0,
            max=A_DAY_OF_SECONDS,
            help="Seconds after which it is told what is late. What is ready serves.",
        ),
    ] = 300.0,
    beside: Annotated[
        list[Beside] | None,
        typer.Option(
            "--with",
            help=f"What to start beside {', '.join(SERVICES)}. Monitoring is {', '.join(MONITORING)}.",
        ),
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Start everything and keep it running until Ctrl-C (with --detach: until 'neonblue down').

    What is late or fails is told, and the rest serves. It ends with an error only when something that events need
    has failed for good. With --detach the exit code is 0 once events are taken, and 1 when they are not after
    --timeout seconds; what was started goes on.
    """
    settings = Settings.load(data_dir)
    folders.require(settings.data_dir)
    prerequisites.require_packages(settings)
    checkup.require_reachable_kafka(settings)
    watched = Beside.MONITORING in (beside or ())
    if watched:
        for sentence in monitoring.require():
            console(stderr=True).print(f"[yellow]warning[/]  {sentence}", soft_wrap=True)
    with folders.private_files():
        if detach:
            detach_stack(settings, timeout, watched=watched)
        else:
            _supervise(settings, timeout, watched=watched)


def _supervise(settings: Settings, timeout: float, *, watched: bool) -> None:
    interactive = console().is_terminal
    stack = Stack(
        settings,
        listener=None if interactive else _print_change,
        reload=lambda: _read_again(settings.data_dir),
        watched=watched,
    )
    write_to_file(stack.settings.data_dir)
    try:
        with _signals_interrupt(), stack:
            _stay(stack, timeout, interactive)
    except KeyboardInterrupt:
        console(stderr=True).print("stopped")
    except StackError as error:
        _explain(stack.settings.data_dir, error)


def _read_again(folder: Path) -> Settings:
    """The settings as ``neonblue.env`` has them now. Raises ``SettingsError``, on one that is misspelt too."""
    if wrong := [one.sentence for one in Settings.unknown(folder) if one.claims]:
        raise SettingsError("\n".join(wrong))
    return Settings.load(folder)


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
    names = {status.name for status in stack.status()}
    prometheus = f", Prometheus {address('prometheus', stack.settings)}" if "prometheus" in names else ""
    return (
        f"[bold green]ready[/] after {seconds:.1f} s, {memory}: API {stack.settings.api.address}/docs, "
        f"Dagster {stack.settings.dagster.address}{prometheus}; Ctrl-C stops it"
    )


@dataclass(frozen=True, slots=True)
class _Screen:
    """`refresh` redraws the table of services, where there is a terminal; `say` prints a line above it."""

    refresh: Callable[[], None]
    say: Callable[[str], None]


@contextmanager
def _live(stack: Stack, interactive: bool) -> Iterator[_Screen]:
    out = console()
    if not interactive:
        yield _Screen(refresh=lambda: None, say=_unless_unwritable(out.print))
        return
    with Live(console=out, auto_refresh=False, transient=True) as live:

        def refresh() -> None:
            live.update(_table(take(stack.settings.data_dir)), refresh=True)

        def say(line: str) -> None:
            refresh()  # what is said and what the table shows are of one moment
            out.print(line, soft_wrap=True)

        try:
            yield _Screen(_unless_unwritable(refresh), _unless_unwritable(say))
        finally:
            # At its end the frame is drawn whole, however low the terminal is, and could not be taken back.
            live.update("", refresh=True)


def _unless_unwritable(show: Callable[..., None]) -> Callable[..., None]:
    """Where nothing can be shown, as in a file on a full disk, the stack goes on all the same."""

    def shown(*what: str) -> None:
        with suppress(OSError):
            show(*what)

    return shown


def _table(overview: Overview) -> Group:
    return Group(
        table(overview),
        *problems(overview),
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
