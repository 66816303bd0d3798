"""Whatever dies, hangs or comes in between while a service is started anew, who asked is told and it is ready again."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from neonblue.settings import Settings
from neonblue.stack.errors import StackError
from neonblue.stack.processes.command import Command
from neonblue.stack.processes.listeners import Address
from neonblue.stack.processes.ports import PortUse, free_ports
from neonblue.stack.processes.process import Identity, alive
from neonblue.stack.supervisor.board import Board, State, Status
from neonblue.stack.supervisor.nodes import Service
from neonblue.stack.supervisor.restarts import How, Outcome, Request
from neonblue.stack.supervisor.service_runner import ServiceRunner
from tests.waiting import until

SERVES = "os.write(ready, b'1')\ntime.sleep(600)"
NEVER_READY = "time.sleep(600)"
STAYS = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SERVES
LEAVES_SOON = "os.write(ready, b'1')\ntime.sleep(0.5)\nsys.exit(3)"
_BEGIN = """
import os, signal, sys, time
ready = 3 + os.environ["LISTEN_FDNAMES"].split(":").index("ready")
"""


class Held(Service):
    """A service with a port of its own. Its processes do what `starts` has, one after the other, the last one for ever.

    None: it can't be started.
    """

    name = "held"
    watch_seconds = 0.2
    stop_seconds = 1.0
    stopped_seconds = 0.5

    def __init__(self, folder: Path, *starts: str | None, beside: str | None = None) -> None:
        self.folder = folder
        self.starts = list(starts)
        self.beside = beside
        self.use = PortUse(free_ports(1)[0], self.name, "HELD_PORT")

    def listens(self) -> Address:
        return Address("127.0.0.1", self.use)

    def command(self) -> Command:
        code = self.starts.pop(0) if len(self.starts) > 1 else self.starts[0]
        if code is None:
            raise StackError("its file is missing")
        return self._command(code)

    def successor(self, settings: Settings) -> Command | None:
        return None if self.beside is None else self._command(self.beside)

    def _command(self, code: str) -> Command:
        return Command((sys.executable, "-c", _BEGIN + code), dict(os.environ), self.folder)

    def answer(self, seconds: float) -> None:
        return

    def check(self) -> None:
        return


class Kept:
    """A service with the thread that keeps it alive."""

    def __init__(self, service: Held) -> None:
        self.heard: Callable[[Status], None] = lambda status: None
        self.board = Board([Status("held")], lambda status: self.heard(status))
        self.runner = ServiceRunner(service, self.board, (), (), service.folder / "log")
        self.settings = Settings(data_dir=service.folder)

    @property
    def identity(self) -> Identity:
        found = self.board["held"].identity
        assert found is not None
        return found

    def ask(self) -> Request:
        return self.runner.restart(self.settings)

    def ready(self, *, instead_of: Identity | None = None) -> None:
        def met(statuses: dict[str, Status]) -> bool:
            status = statuses["held"]
            return status.state is State.READY and status.identity not in (None, instead_of)

        assert self.board.wait(met, 20)


@contextmanager
def keeping(service: Held) -> Iterator[Kept]:
    kept = Kept(service)
    kept.runner.start()
    try:
        yield kept
    finally:
        kept.board.stop()
        kept.runner.join(30)


def outcome(request: Request, seconds: float = 20) -> Outcome:
    executor = ThreadPoolExecutor(1)
    try:
        return executor.submit(request.wait).result(seconds)
    finally:
        executor.shutdown(wait=False)


@pytest.mark.parametrize(
    ("end", "reason"),
    [(signal.SIGKILL, "ended by signal 9"), (signal.SIGSTOP, "it hangs: it was stopped by a signal")],
)
def test_one_that_serves_and_goes_before_its_successor_is_ready_is_started_again(
    tmp_path: Path, end: signal.Signals, reason: str
) -> None:
    with keeping(Held(tmp_path, SERVES, beside=NEVER_READY)) as kept:
        kept.ready()
        first, request = kept.identity, kept.ask()
        until(lambda: kept.board["held"].beside is not None, "its successor starts")
        successor = kept.board["held"].beside
        assert successor is not None

        os.kill(first.pid, end)

        kept.ready(instead_of=first)
        told = outcome(request)
        assert (told.how, reason in told.detail) == (How.FAILED, True)
        assert (alive(first), alive(successor), kept.board["held"].beside) == (False, False, None)
        assert kept.board["held"].restarts == 1


@pytest.mark.parametrize("next_start", [NEVER_READY, None])
def test_one_that_leaves_is_killed_in_time_whatever_becomes_of_its_successor(
    tmp_path: Path, next_start: str | None
) -> None:
    with keeping(Held(tmp_path, STAYS, next_start, beside=LEAVES_SOON)) as kept:
        kept.ready()
        first, request = kept.identity, kept.ask()

        told = outcome(request)
        assert (told.how, told.detail) == (How.FAILED, "its successor ended with exit code 3")
        until(lambda: not alive(first), "the old process is gone")
        until(lambda: kept.board["held"].beside is None, "it is not told any longer")


def test_a_restart_that_is_asked_for_as_another_one_ends_is_done_too(tmp_path: Path) -> None:
    with keeping(Held(tmp_path, SERVES)) as kept:
        kept.ready()
        first, second = kept.identity, list[Request]()

        def heard(status: Status) -> None:
            if status.state is State.READY and status.identity != first and not second:
                second.append(kept.ask())
                between.append(kept.identity)

        between = list[Identity]()
        kept.heard = heard

        assert outcome(kept.ask()).how is How.RESTARTED
        assert outcome(second[0]).how is How.RESTARTED
        assert kept.identity not in (first, between[0])


class _StopsAfterALook(threading.Event):
    """Set, and all has ended, right after whoever `looks` saw that it was not."""

    def __init__(self) -> None:
        super().__init__()
        self.looks: threading.Thread | None = None
        self.then: Callable[[], None] = lambda: None

    def is_set(self) -> bool:
        seen = super().is_set()
        if threading.current_thread() is self.looks and not seen:
            self.set()
            self.then()
        return seen


def test_a_restart_that_is_asked_for_as_the_stack_stops_is_answered(tmp_path: Path) -> None:
    kept = Kept(Held(tmp_path, SERVES))
    stopping = _StopsAfterALook()
    kept.board.stopping = stopping
    kept.runner.start()
    kept.ready()
    stopping.looks, stopping.then = threading.current_thread(), lambda: kept.runner.join(30)

    request = kept.ask()

    assert not kept.runner.is_alive()
    told = outcome(request, 5)
    assert (told.how, told.detail) == (How.FAILED, "the stack stops")
