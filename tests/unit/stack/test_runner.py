"""The threads that run nodes end where they should, and nowhere else."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from neonblue.settings import ApiSettings, Settings
from neonblue.stack.errors import StackError
from neonblue.stack.processes.command import Command
from neonblue.stack.services.api import Api
from neonblue.stack.services.disk_step import Disk
from neonblue.stack.supervisor import record
from neonblue.stack.supervisor.board import Board, State, Status
from neonblue.stack.supervisor.nodes import Service, Step
from neonblue.stack.supervisor.runner import StepRunner
from neonblue.stack.supervisor.service_runner import GIVE_UP_AFTER, ServiceRunner
from tests.waiting import until


class Unfit(Step):
    """A step that can be neither watched nor ended."""

    name = "unfit"
    attempts = 1
    watch_seconds = 0.01

    def run(self) -> None:
        return

    def check(self) -> None:
        raise OSError(28, "No space left on device")

    def close(self) -> None:
        raise OSError(28, "No space left on device")


def test_a_node_that_can_not_be_ended_well_holds_up_nobody() -> None:
    board = Board([Status("unfit", kind="step"), Status("before", kind="step")])
    before = StepRunner(Unfit(), board, (), ())
    before._node = type("Before", (Unfit,), {"name": "before", "watch_seconds": None})()
    runners = [StepRunner(Unfit(), board, ("before",), ()), before]
    before._after = ("unfit",)
    for runner in runners:
        runner.start()
    until(lambda: board["unfit"].state is State.UNREADY, "it is told")

    board.stop()
    for runner in runners:
        runner.join(30)

    assert {status.state for status in board.all()} == {State.STOPPED}


class Cramped(Step):
    """A step that fails for want of room."""

    name = "cramped"
    attempts = 2
    free = False
    tried = 0

    def run(self) -> None:
        self.tried += 1
        if not self.free:
            raise OSError(28, "No space left on device")

    def check(self) -> None:
        return


@pytest.mark.parametrize("full", [True, False])
def test_a_step_is_tried_for_as_long_as_the_disk_has_no_room(full: bool) -> None:
    board = Board([Status("cramped", kind="step"), Status("disk", kind="step")])
    board.update("disk", state=State.UNREADY if full else State.READY)
    step = Cramped()
    runner = StepRunner(step, board, (), ())
    runner.start()
    until(lambda: step.tried > step.attempts or board["cramped"].state is State.FAILED, "it is tried")

    step.free = True
    until(lambda: board["cramped"].state in (State.READY, State.FAILED), "it ends")

    assert board["cramped"].state is (State.READY if full else State.FAILED)
    board.stop()
    runner.join(30)


def test_a_listener_that_fails_ends_nothing() -> None:
    def listener(_: Status) -> None:
        raise OSError(28, "No space left on device")

    board = Board([Status("unfit")], listener)

    board.update("unfit", state=State.READY)

    assert board["unfit"].state is State.READY


class Sleeper(Service):
    """A process that does nothing and is well."""

    name = "sleeper"
    watch_seconds = 0.05

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def command(self) -> Command:
        return Command((sys.executable, "-c", "import time; time.sleep(600)"), {}, self.folder)

    def answer(self, seconds: float) -> None:
        return

    def check(self) -> None:
        return


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[Board]:
    (tmp_path / "logs").mkdir()
    board = Board([Status("sleeper")])
    runner = ServiceRunner(Sleeper(tmp_path), board, (), (), tmp_path / "logs" / "sleeper.log")
    runner.start()
    until(lambda: board["sleeper"].state is State.READY, "it is ready")
    yield board
    board.stop()
    runner.join(30)
    assert board["sleeper"].state is State.STOPPED


def test_a_service_that_was_ready_is_started_for_as_long_as_it_takes(sleeper: Board, tmp_path: Path) -> None:
    identity = sleeper["sleeper"].identity
    assert identity is not None
    shutil.rmtree(tmp_path / "logs")  # its log can't be opened

    os.kill(identity.pid, signal.SIGKILL)
    until(
        lambda: sleeper["sleeper"].restarts > GIVE_UP_AFTER, "it was tried more often than a first start is"
    )
    assert sleeper["sleeper"].state is not State.FAILED

    (tmp_path / "logs").mkdir()
    until(lambda: sleeper["sleeper"].state is State.READY, "it is ready again")


def test_a_service_that_can_not_be_watched_is_started_anew(
    sleeper: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = sleeper["sleeper"].identity

    with monkeypatch.context() as patch:
        patch.setattr(ServiceRunner, "_see", _out_of_memory)
        until(lambda: sleeper["sleeper"].restarts, "it was noticed")

    until(lambda: sleeper["sleeper"].state is State.READY, "it is ready again")
    assert sleeper["sleeper"].identity != first


def _out_of_memory(*_: object, **__: object) -> None:
    raise MemoryError


def test_a_record_that_could_not_be_written_is_written_later(tmp_path: Path) -> None:
    statuses = [Status("kafka", State.STARTING)]
    recorder = record.Recorder(tmp_path, lambda: tuple(statuses))
    recorder.write()
    in_the_way = tmp_path / f"{record.RECORD_FILE}.tmp"
    in_the_way.mkdir()

    statuses[0] = Status("kafka", State.READY)
    recorder.write()
    assert record.read(tmp_path)[0].state is State.STARTING

    in_the_way.rmdir()
    until(lambda: record.read(tmp_path)[0].state is State.READY, "it is written")
    recorder.close()


def test_room_is_a_node_with_a_note_before_it_is_not_ready(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free // 1024**2

    def disk(**marks: int) -> Disk:
        return Disk(Settings(data_dir=tmp_path, disk=marks))  # type: ignore[arg-type]

    well = disk(warn_mebibytes=0, refuse_mebibytes=0)
    well.check()
    assert well.note() == ""

    low = disk(warn_mebibytes=free * 2, refuse_mebibytes=0)
    low.check()
    assert low.note().startswith("low: ")

    full = disk(refuse_mebibytes=free * 2)
    full.run()
    with pytest.raises(StackError, match=r"^full: .* MiB free of .*; events are refused until"):
        full.check()


@pytest.fixture
def hopeless_api() -> Iterator[Api]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            said = {"/healthz": b'{"status": "down: experiments"}'}.get(
                self.path,
                b'{"ready": false, "components": {"postgres": "starting", "experiments": "ok", "disk": "full"}}',
            )
            self.send_response(503)
            self.send_header("content-length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: object) -> None:
            return

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield Api(Settings(api=ApiSettings(port=server.server_port)))
        server.shutdown()


def test_an_api_that_gives_itself_up_does_not_count_as_answering(hopeless_api: Api) -> None:
    with pytest.raises(StackError, match="it can't go on: status: down: experiments"):
        hopeless_api.answer(2)


def test_an_api_that_takes_no_events_says_why(hopeless_api: Api) -> None:
    with pytest.raises(StackError, match=r"^it takes no events: postgres: starting$"):
        hopeless_api.check()


class Patient(Cramped):
    """It does not wait for ever."""

    free = True
    patience_seconds = 0.2


def test_who_has_waited_long_enough_starts_without_the_others() -> None:
    board = Board([Status("cramped", kind="step"), Status("missing", state=State.FAILED)])
    runner = StepRunner(Patient(), board, ("missing",), ())
    runner.start()
    until(lambda: board["cramped"].state is State.READY, "it starts")
    board.stop()
    runner.join(30)
