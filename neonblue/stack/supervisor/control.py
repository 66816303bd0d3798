"""Requests to a supervisor that runs, on a Unix socket in its data folder, which is for its owner alone.

A request is a line of JSON. The answer is a line for each service, as it is known, and an ``error`` where there was
nothing to do.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec
import structlog

from neonblue.settings import Settings, SettingsError
from neonblue.stack.errors import StackError, explain
from neonblue.stack.processes import peers, sockets
from neonblue.stack.supervisor import folder_lock
from neonblue.stack.supervisor.restarts import Outcome
from neonblue.stack.supervisor.service_runner import ServiceRunner

_log = structlog.get_logger("neonblue.stack")

_NAME = "control"
_LONGEST_LINE = 65_536
_READ_SECONDS = 5.0
"""In so long a client must have said all that it asks, and take each line of the answer."""
_LOOK_SECONDS = 0.5
_CLOSE_SECONDS = _READ_SECONDS + 5.0
_CREDENTIALS = struct.Struct("3i")
_ROOT = 0


class Restart(msgspec.Struct, forbid_unknown_fields=True):
    """The services to start anew, by name."""

    restart: list[str]


class Told(msgspec.Struct, omit_defaults=True):
    """One line of an answer."""

    outcome: Outcome | None = None
    error: str = ""


class Control(threading.Thread):
    """Answers requests, one after the other, until it is closed."""

    def __init__(
        self, folder: Path, runners: Sequence[ServiceRunner], settings: Callable[[], Settings]
    ) -> None:
        super().__init__(name="stack-control", daemon=True)
        self._runners = {runner.service: runner for runner in runners}
        self._settings = settings
        self._closing = threading.Event()
        path = sockets.path(folder, _NAME)
        path.unlink(missing_ok=True)
        self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listening.bind(str(path))
        path.chmod(0o600)
        self._listening.listen()
        self._listening.settimeout(_LOOK_SECONDS)

    def run(self) -> None:
        with self._listening:
            while not self._closing.is_set():
                try:
                    connection, _ = self._listening.accept()
                except TimeoutError:
                    continue
                except OSError as error:
                    _log.warning("control_not_accepted", error=str(error))
                    self._closing.wait(_LOOK_SECONDS)
                    continue
                with connection:
                    self._serve(connection)

    def close(self) -> None:
        """Let go of the socket. What is under way must have been answered: see that the runners end first."""
        self._closing.set()
        self.join(_CLOSE_SECONDS)
        if self.is_alive():
            _log.warning("control_not_ended", after=_CLOSE_SECONDS)

    def _serve(self, connection: socket.socket) -> None:
        """Answer whatever a connection brings. Never raises."""
        try:
            connection.settimeout(_READ_SECONDS)
            try:
                self._answer(connection)
            except (StackError, SettingsError, msgspec.MsgspecError) as error:
                _tell(connection, Told(error=str(error)))
            except Exception as error:
                _log.warning("control_failed", error=explain(error))
                _tell(connection, Told(error=explain(error)))
        except Exception as error:
            _log.warning("control_not_answered", error=explain(error))

    def _answer(self, connection: socket.socket) -> None:
        pid, user, _ = _CREDENTIALS.unpack(
            connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        )
        if user not in (os.geteuid(), _ROOT):
            raise StackError("only the user that runs the stack, and root, may ask")
        services = {one.pid for runner in self._runners.values() for one in runner.processes}
        if peers.may_be_one_of(services, pid):
            _log.warning("control_refused", pid=pid)
            raise StackError(
                "no service of the stack may ask, and no process that can't be told from one: "
                "run 'neonblue restart' in a shell of your own"
            )
        asked = msgspec.json.decode(_line(connection), type=Restart)
        for outcome in self._restart(asked.restart):
            _tell(connection, Told(outcome))

    def _restart(self, names: Sequence[str]) -> Iterator[Outcome]:
        """One after the other, each ready before the next: first those that others need."""
        if absent := [name for name in names if name not in self._runners]:
            raise StackError(
                f"the stack here runs no service {', '.join(absent)}: it runs {', '.join(self._runners)}"
            )
        settings = self._settings()
        for name in self._runners:
            if name in names:
                outcome = self._runners[name].restart(settings).wait()
                _log.info("service_restarted", node=name, how=outcome.how, detail=outcome.detail)
                yield outcome


def _line(connection: socket.socket) -> bytes:
    """What a client says up to the line's end. Raises ``StackError`` where that comes too late or is too long."""
    end, said = time.monotonic() + _READ_SECONDS, b""
    while b"\n" not in said:
        if len(said) > _LONGEST_LINE:
            raise StackError(f"a request has {_LONGEST_LINE} bytes at most")
        try:
            connection.settimeout(max(end - time.monotonic(), 0.001))
            more = connection.recv(_LONGEST_LINE)
        except TimeoutError:
            raise StackError(f"a request must be complete within {_READ_SECONDS:g} s") from None
        if not more:
            break
        said += more
    connection.settimeout(_READ_SECONDS)
    return said.partition(b"\n")[0]


def _tell(connection: socket.socket, told: Told) -> None:
    connection.sendall(msgspec.json.encode(told) + b"\n")


def ask(folder: Path, names: Sequence[str]) -> Iterator[Outcome]:
    """Have the supervisor of the stack in `folder` restart services; how each went, as soon as that is known.

    Raises ``StackError`` where no supervisor can be asked, or it refuses all of it.
    """
    supervisor = folder_lock.holder(folder)
    if supervisor is None:
        raise StackError(f"the stack in {folder} does not run: start it with 'neonblue up'")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        try:
            connection.connect(str(sockets.path(folder, _NAME)))
        except OSError as error:
            raise StackError(
                f"the supervisor in {folder} (process {supervisor}) can't be asked ({error.strerror}): only the user "
                "it runs as may; one of an earlier version is replaced by 'neonblue down' and 'neonblue up'"
            ) from error
        with contextlib.suppress(BrokenPipeError):  # one that is refused unheard reads why
            connection.sendall(msgspec.json.encode(Restart(list(names))) + b"\n")
        with connection.makefile("rb") as lines:
            for line in lines:
                told = msgspec.json.decode(line, type=Told)
                if told.outcome is None:
                    raise StackError(told.error)
                yield told.outcome
