"""What hangs is killed and started again; what is slow or busy is left alone."""

from __future__ import annotations

import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from neonblue.settings import Settings
from neonblue.stack import Stack
from neonblue.stack.processes.command import Command
from neonblue.stack.supervisor import probe
from neonblue.stack.supervisor.board import Board, State, Status
from neonblue.stack.supervisor.nodes import Service
from neonblue.stack.supervisor.restarts import How
from neonblue.stack.supervisor.service_runner import ServiceRunner
from tests.integration.stack.conftest import LIGHT
from tests.integration.warehouse import free_port
from tests.waiting import until

PROGRAM = Path(__file__).with_name("moody.py")


class Moody(Service):
    """A service that does what its file says, watched with little patience."""

    name = "moody"
    watch_seconds = 0.5
    start_seconds = 4.0
    idle_seconds = 5.0
    busy_seconds = 12.0
    stopped_seconds = 1.0

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.answers = 0
        self.fit = True
        self.nice = 0
        self.program = str(PROGRAM)

    def be(self, mood: str) -> None:
        staging = self.folder / "next"
        staging.write_text(mood)
        staging.replace(self.folder / "mood")

    def listen(self) -> None:
        (self.folder / "ready").touch()

    def command(self) -> Command:
        arguments = (sys.executable, self.program, str(self.port), str(self.folder / "mood"))
        return Command(arguments, {}, self.folder, nice=self.nice)

    def answer(self, seconds: float) -> None:
        probe.speaks("127.0.0.1", self.port, b"?", seconds)
        self.answers += 1

    def check(self) -> None:
        if not self.fit:
            raise ConnectionError("what it needs is away")
        with socket.create_connection(("127.0.0.1", self.port), timeout=probe.SECONDS):
            pass


class Supervised:
    """A moody service with the thread that keeps it alive."""

    def __init__(self, service: Moody) -> None:
        self.service = service
        self.told: list[Status] = []
        self.board = Board([Status("moody")], self.told.append)
        self.runner = ServiceRunner(service, self.board, (), (), service.folder / "log")

    @property
    def status(self) -> Status:
        return self.board["moody"]

    def become_ready(self) -> None:
        self.service.listen()
        until(lambda: self.status.state is State.READY, "it is ready")

    def processor_seconds(self) -> float:
        assert self.status.identity is not None
        times = psutil.Process(self.status.identity.pid).cpu_times()
        return float(times.user + times.system)


@pytest.fixture
def supervised(tmp_path: Path) -> Iterator[Supervised]:
    with supervising(tmp_path) as made:
        yield made


@contextmanager
def supervising(folder: Path, program: str = str(PROGRAM)) -> Iterator[Supervised]:
    service = Moody(folder)
    service.program = program
    service.be("answer")
    made = Supervised(service)
    made.runner.start()
    try:
        yield made
    finally:
        made.board.stop()
        made.runner.join()


@pytest.mark.parametrize("service", LIGHT)
def test_a_stopped_service_is_found_and_started_again(settings: Settings, service: str) -> None:
    with Stack(settings, services=LIGHT) as stack:
        stack.wait_ready()

        stack.wait_restarted(service, stack.kill(service, signal.SIGSTOP), timeout=60)

        assert stack.restart_counts()[service] == 1


def test_a_stopped_descendant_is_killed_and_its_parent_goes_on(settings: Settings) -> None:
    with Stack(settings, services={"postgres"}) as stack:
        stack.wait_ready()
        leader = psutil.Process(stack.pids()["postgres"])
        writer = next(child for child in leader.children() if "checkpointer" in " ".join(child.cmdline()))

        writer.suspend()

        until(lambda: not writer.is_running(), "the stopped process is gone")
        stack.wait_ready()
        assert stack.pids()["postgres"] == leader.pid


def test_a_start_that_uses_the_processor_is_waited_for(supervised: Supervised) -> None:
    supervised.service.be("churn")
    until(lambda: supervised.status.identity is not None, "it has a process")
    until(lambda: supervised.processor_seconds() > 3 * Moody.start_seconds, "it has worked for long")

    supervised.service.be("answer")
    supervised.become_ready()

    assert supervised.status.restarts == 0


def test_a_start_that_answers_and_waits_for_others_goes_on(supervised: Supervised) -> None:
    supervised.service.fit = False
    supervised.service.listen()
    # An answer a second: longer than its patience, and than use of the processor is measured over.
    until(lambda: supervised.service.answers > 12, "it has answered for long")

    supervised.service.fit = True
    supervised.become_ready()

    assert supervised.status.restarts == 0


def test_a_start_that_does_nothing_is_ended_and_begun_again(supervised: Supervised) -> None:
    until(lambda: supervised.status.restarts == 1, "it was started again")
    supervised.become_ready()


@pytest.mark.parametrize("mood", ["mute", "churn"])
def test_a_service_that_does_not_answer_is_started_again(supervised: Supervised, mood: str) -> None:
    supervised.become_ready()

    supervised.service.be(mood)
    until(lambda: supervised.status.state is State.UNREADY, "it is told")
    until(lambda: supervised.status.restarts == 1, "it was started again")
    assert any(status.detail.startswith("it hangs: no answer for") for status in supervised.told)

    supervised.service.be("answer")
    supervised.become_ready()


def test_a_service_that_yields_to_others_does_not_while_it_is_started_again(supervised: Supervised) -> None:
    service = supervised.service
    supervised.become_ready()
    first = supervised.status.identity
    assert first is not None
    service.nice = 4
    (service.folder / "ready").unlink()
    psutil.Process(first.pid).kill()
    until(lambda: supervised.status.identity not in (None, first), "it is started again")
    second = supervised.status.identity
    assert second is not None
    until(lambda: str(PROGRAM) in psutil.Process(second.pid).cmdline(), "it is the program")
    assert psutil.Process(second.pid).nice() == 0
    supervised.become_ready()
    until(lambda: psutil.Process(second.pid).nice() == 4, "it yields again")


@pytest.mark.parametrize("mood", ["work", "late"])
def test_a_service_that_answers_is_left_alone_however_busy_or_late(supervised: Supervised, mood: str) -> None:
    supervised.become_ready()
    supervised.service.be(mood)
    before = supervised.service.answers

    # A late one answers every three seconds, so that this is longer than any patience.
    until(lambda: supervised.service.answers >= before + 3, "it has answered")

    assert supervised.status.restarts == 0


def test_a_service_that_has_failed_for_good_is_started_again_when_it_is_asked_for(tmp_path: Path) -> None:
    settings = Settings.load(tmp_path)
    with supervising(tmp_path, program="absent.py") as supervised:
        until(lambda: supervised.status.state is State.FAILED, "it was given up")

        again = supervised.runner.restart(settings).wait()
        assert (again.how, "before it was ready" in again.detail) == (How.FAILED, True)
        until(lambda: supervised.status.state is State.FAILED, "it was given up again")

        supervised.service.program = str(PROGRAM)
        supervised.service.listen()
        assert supervised.runner.restart(settings).wait().how is How.RESTARTED
        assert supervised.status.state is State.READY
