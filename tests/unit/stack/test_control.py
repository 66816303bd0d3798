"""Who may ask the supervisor, and that nothing that is asked ends it."""

from __future__ import annotations

import errno
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import pytest

from neonblue.settings import Settings
from neonblue.stack.processes import landlock, sockets
from neonblue.stack.processes.command import Command
from neonblue.stack.processes.confinement import Confinement, python_library
from neonblue.stack.supervisor.board import Board, State, Status
from neonblue.stack.supervisor.control import Control
from neonblue.stack.supervisor.nodes import Service
from neonblue.stack.supervisor.service_runner import ServiceRunner

_ASK = """
import os, socket, sys, time
def ask(path, says):
    with socket.socket(socket.AF_UNIX) as one:
        one.connect(path)
        try:
            one.sendall(b'{"restart": ["absent"]}\\n')
        except BrokenPipeError:
            pass
        with open(says + ".new", "wb") as file:
            file.write(one.recv(4096))
        os.rename(says + ".new", says)
"""
ITSELF = "ask(*sys.argv[1:])"
A_CHILD = """
if os.fork() == 0:
    ask(*sys.argv[1:])
    os._exit(0)
"""
A_RUNAWAY = """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        while os.getppid() == os.getsid(0):
            time.sleep(0.02)
        ask(*sys.argv[1:])
    os._exit(0)
os.wait()
"""
CONNECT = "import socket, sys; socket.socket(fileno=int(sys.argv[2])).connect(sys.argv[1])"
REFUSED = "no service of the stack may ask"


class Asking(Service):
    """A service whose process asks the supervisor for a restart."""

    name = "asking"

    def __init__(self, folder: Path, code: str, *, confined: bool = False) -> None:
        self.own = folder / "own"
        self.own.mkdir()
        self.says = self.own / "says"
        self.confined = confined
        code = f"{_ASK}{code}\ntime.sleep(600)"
        control = str(sockets.path(folder, "control"))
        self.arguments = (sys.executable, "-c", code, control, str(self.says))

    def command(self) -> Command:
        library = python_library(self.own)
        walls = Confinement((self.own,), (), (), library.reads, library.lists) if self.confined else None
        return Command(self.arguments, dict(os.environ), self.own, confinement=walls)

    def answer(self, seconds: float) -> None:
        return

    def check(self) -> None:
        return


@contextmanager
def controlled(
    folder: Path, runners: tuple[ServiceRunner, ...] = (), settings: Callable[[], Settings] | None = None
) -> Iterator[Control]:
    control = Control(folder, runners, settings or (lambda: Settings(data_dir=folder)))
    control.start()
    try:
        yield control
    finally:
        control.close()
        assert not control.is_alive()


def connected(folder: Path) -> socket.socket:
    made = socket.socket(socket.AF_UNIX)
    made.settimeout(20)
    made.connect(str(sockets.path(folder, "control")))
    return made


def asked(folder: Path, line: bytes) -> str:
    with connected(folder) as connection:
        connection.sendall(line)
        return str(json.loads(connection.recv(4096))["error"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tmp_path.chmod(0o700)
    return tmp_path


confining = pytest.mark.skipif(
    landlock.version() < landlock.FIRST_USABLE, reason="this kernel has no Landlock that will do"
)


@pytest.mark.parametrize(
    ("code", "confined"),
    [
        (ITSELF, False),
        (A_CHILD, False),
        pytest.param(ITSELF, True, marks=confining),
        pytest.param(A_RUNAWAY, True, marks=confining),
    ],
)
def test_no_service_of_the_stack_may_ask(folder: Path, code: str, confined: bool) -> None:
    service = Asking(folder, code, confined=confined)
    board = Board([Status("asking")])
    runner = ServiceRunner(service, board, (), (), folder / "log")
    with controlled(folder, (runner,)):
        runner.start()
        try:
            assert board.wait(lambda statuses: statuses["asking"].state is State.READY, 20)
            deadline = time.monotonic() + 20
            while not service.says.exists():
                assert time.monotonic() < deadline, (folder / "log").read_text()
                time.sleep(0.05)
            assert REFUSED in service.says.read_text()
        finally:
            board.stop()
            runner.join(30)


def _run(folder: Path, code: str, *, session: bool = False) -> str:
    path = str(sockets.path(folder, "control"))
    done = subprocess.run(
        [sys.executable, "-c", _ASK + code, path, str(folder / "says")],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=60,
        start_new_session=session,
    )
    return done.stdout or (folder / "says").read_text()


@pytest.mark.parametrize("session", [False, True])
def test_other_programs_may_ask(folder: Path, session: bool) -> None:
    with controlled(folder):
        assert "runs no service absent" in _run(folder, ITSELF, session=session)


def test_a_process_that_is_gone_may_be_a_service_and_is_refused(folder: Path) -> None:
    control = Control(folder, (), lambda: Settings(data_dir=folder))
    with socket.socket(socket.AF_UNIX) as connection:
        number, path = connection.fileno(), str(sockets.path(folder, "control"))
        subprocess.run([sys.executable, "-c", CONNECT, path, str(number)], pass_fds=[number], check=True)
        control.start()
        try:
            connection.settimeout(20)
            assert REFUSED in connection.recv(4096).decode()
        finally:
            control.close()


@pytest.mark.parametrize(
    "line",
    [b"[" * 60_000 + b"\n", b"\xff\n", b'{"restart":["\\ud800"]}\n', b"x" * 70_000 + b"\n", b"{}\n"],
)
def test_a_line_that_can_not_be_read_is_answered_and_ends_nothing(folder: Path, line: bytes) -> None:
    with controlled(folder):
        assert asked(folder, line)
        assert "runs no service x" in asked(folder, b'{"restart":["x"]}\n')


def test_settings_that_can_not_be_read_are_told_and_end_nothing(folder: Path) -> None:
    def unreadable() -> Settings:
        raise PermissionError(errno.EACCES, "Permission denied", "neonblue.env")

    with controlled(folder, settings=unreadable):
        for _ in range(2):
            assert "neonblue.env" in asked(folder, b'{"restart":[]}\n')


class _FailsOnce(socket.socket):
    """A socket whose next `accept` finds no descriptor free, as a process's limit makes it."""

    failed = False

    def accept(self) -> tuple[socket.socket, object]:
        if not self.failed:
            self.failed = True
            raise OSError(errno.EMFILE, "Too many open files")
        return super().accept()


def test_a_connection_that_could_not_be_taken_ends_nothing(folder: Path) -> None:
    control = Control(folder, (), lambda: Settings(data_dir=folder))
    real = cast("socket.socket", control._listening)
    failing = _FailsOnce(fileno=real.detach())
    failing.settimeout(0.5)
    control._listening = failing
    control.start()
    try:
        assert "runs no service x" in asked(folder, b'{"restart":["x"]}\n')
        assert failing.failed
    finally:
        control.close()


def test_a_client_that_says_a_little_at_a_time_holds_up_nobody(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{Control.__module__}._READ_SECONDS", 1.0)
    with controlled(folder), connected(folder) as slow:
        began, said = time.monotonic(), b""
        while not said:
            assert time.monotonic() - began < 12, "it is still listened to"
            slow.settimeout(0.2)
            try:
                slow.sendall(b" ")
                said = slow.recv(4096)
            except TimeoutError:
                continue
        assert b"within 1 s" in said
