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
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec
import structlog

from neonblue.settings import Settings, SettingsError
from neonblue.stack import folder_lock, sockets
from neonblue.stack.errors import StackError
from neonblue.stack.restarts import Outcome
from neonblue.stack.service_runner import ServiceRunner

_log = structlog.get_logger("neonblue.stack")

_NAME = "control"
_LONGEST_LINE = 65_536
_READ_SECONDS = 5.0
_LOOK_SECONDS = 0.5
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
                with contextlib.suppress(TimeoutError):
                    connection, _ = self._listening.accept()
                    with connection, contextlib.suppress(OSError):
                        self._answer(connection)

    def close(self) -> None:
        """Let go of the socket. What is under way must have been answered: see that the runners end first."""
        self._closing.set()
        self.join()

    def _answer(self, connection: socket.socket) -> None:
        connection.settimeout(_READ_SECONDS)
        _, user, _ = _CREDENTIALS.unpack(
            connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        )
        if user not in (os.geteuid(), _ROOT):
            return
        try:
            with connection.makefile("rb") as lines:
                asked = msgspec.json.decode(lines.readline(_LONGEST_LINE), type=Restart)
            for outcome in self._restart(asked.restart):
                _tell(connection, Told(outcome))
        except (StackError, SettingsError, msgspec.MsgspecError) as error:
            _tell(connection, Told(error=str(error)))

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
                _log.info("service_restarted", service=name, how=outcome.how, detail=outcome.detail)
                yield outcome


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
        connection.sendall(msgspec.json.encode(Restart(list(names))) + b"\n")
        with connection.makefile("rb") as lines:
            for line in lines:
                told = msgspec.json.decode(line, type=Told)
                if told.outcome is None:
                    raise StackError(told.error)
                yield told.outcome
