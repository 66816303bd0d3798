"""The stack: every service of NeonBlue on this machine, under one supervisor."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Collection
from contextlib import ExitStack
from types import TracebackType
from typing import cast

import structlog

from neonblue.settings import Settings
from neonblue.stack import catalogue, env_file, folders
from neonblue.stack.errors import NotReadyError, ServiceError, StackError
from neonblue.stack.processes import ports
from neonblue.stack.supervisor import logs, progress, record
from neonblue.stack.supervisor.board import Board, Listener, State, Status
from neonblue.stack.supervisor.control import Control
from neonblue.stack.supervisor.folder_lock import FolderLock
from neonblue.stack.supervisor.nodes import (
    Node,
    Service,
    Step,
    dependents,
    ordered,
    requirements,
    select,
    with_requirements,
)
from neonblue.stack.supervisor.runner import Runner, StepRunner
from neonblue.stack.supervisor.service_runner import ServiceRunner
from neonblue.stack.supervisor.telling import Teller

_log = structlog.get_logger("neonblue.stack")


class Stack:
    """Starts, watches, restarts and stops the services.

    `settings` say where everything is; empty secrets are generated and written, with the addresses, into
    ``<data-dir>/neonblue.env``, and the attribute `settings` has them. `services` chooses a subset by name
    (see ``catalogue.SERVICES``); steps such as migrations come with the services they need.
    `listener` is called, from any thread, with every change of a status. `reload` reads the settings again, for a
    service that is restarted; without it they stay. `watched`: start what watches the services beside them.

    As a context manager: starts at entry without waiting, stops at exit.
    """

    def __init__(
        self,
        settings: Settings,
        services: Collection[str] | None = None,
        listener: Listener | None = None,
        reload: Callable[[], Settings] | None = None,
        watched: bool = False,
    ) -> None:
        folder = settings.data_dir.absolute()
        self.settings = env_file.with_secrets(
            env_file.with_stored_secrets(settings.model_copy(update={"data_dir": folder}))
        )
        platform = catalogue.SERVICES if services is None else services
        nodes = catalogue.nodes(self.settings, self._progress, platform if watched else ())
        chosen = select(nodes, catalogue.with_steps(nodes, services))
        self._nodes = chosen
        self._listener = listener
        self._reload = reload or (lambda: self.settings)
        self._control: Control | None = None
        self._lock = FolderLock(folder)
        self._board = Board([_first_status(node, self.settings) for node in chosen], self._on_change)
        self._recorder = record.Recorder(folder, self._board.all)
        self._runners: list[Runner] = []
        self._private = ExitStack()

    def start(self) -> None:
        """Take the data folder, clear what a crash left, check the ports, start everything. Does not wait.

        Until `stop`, what this process makes is closed to other users, whatever thread of it does so.
        Raises ``AlreadyRunningError``, ``PortsTakenError``, ``RequirementError``.
        """
        folder = self.settings.data_dir
        folders.require(folder)
        self._lock.acquire()
        self._private.enter_context(folders.private_files())
        try:
            record.end_strays(folder)
            ports.check([use for node in self._nodes if isinstance(node, Service) for use in node.ports()])
            env_file.write(self.settings)
            self._recorder.write()
            self._runners = [self._runner(node) for node in self._nodes]
            services = [runner for runner in self._ordered() if isinstance(runner, ServiceRunner)]
            self._control = Control(folder, services, self._reload)
        except BaseException:
            self._recorder.close()
            self._private.close()
            self._lock.release()
            raise
        for runner in (*self._runners, self._control):
            runner.start()
        Teller(self.settings, self._board, self._nodes).start()

    def _ordered(self) -> list[Runner]:
        """The runners, each after those of what its node requires."""
        of = dict(zip((node.name for node in self._nodes), self._runners, strict=True))
        return [of[node.name] for node in ordered(self._nodes)]

    def _runner(self, node: Node) -> Runner:
        names = {other.name for other in self._nodes}
        before = requirements(node, names)
        after = dependents(node.name, self._nodes)
        if isinstance(node, Service):
            return ServiceRunner(
                node, self._board, before, after, logs.path(self.settings.data_dir, node.name)
            )
        return StepRunner(cast("Step", node), self._board, before, after)

    def progress(self) -> progress.Progress:
        """How far the start has come."""
        return progress.of(self._board.all(), catalogue.needed(self._nodes))

    def wait_ready(self, names: Collection[str] | None = None, timeout: float | None = 900.0) -> None:
        """Block until `names` (default: everything) are ready.

        Raises ``ServiceError`` as soon as one of them, or one that it waits for, has failed for good, and
        ``NotReadyError`` after `timeout` seconds. What is ready stays up either way.
        """
        every = [node.name for node in self._nodes]
        wanted = with_requirements(names if names is not None else every, self._nodes)

        def settled(statuses: dict[str, Status]) -> bool:
            states = {name: statuses[name].state for name in wanted}
            return State.FAILED in states.values() or all(state == State.READY for state in states.values())

        in_time = self._board.wait(
            lambda statuses: self._board.stopping.is_set() or settled(statuses), timeout
        )
        for status in self._board.all():
            if status.name in wanted and status.state == State.FAILED:
                raise ServiceError(status.name, f"{status.detail}; see 'neonblue logs {status.name}'")
        if self._board.stopping.is_set():
            raise StackError("the stack was stopped")
        if not in_time:
            waited = progress.of((s for s in self._board.all() if s.name in wanted), wanted)
            raise NotReadyError(
                waited.late[0].name if waited.late else min(wanted),
                f"not ready after {timeout or 0:g} s ({'; '.join(map(progress.describe, waited.late))})",
            )

    def stop(self) -> None:
        """Stop everything in reverse order, gracefully, and leave no process. Harmless when stopped."""
        self._board.stop()
        for runner in self._runners:
            runner.join()
        if self._control is not None:
            self._control.close()
            self._control = None
        self._runners = []
        self._recorder.close()
        self._private.close()
        self._lock.release()

    def kill(self, name: str, how: signal.Signals = signal.SIGKILL) -> int:
        """Send a signal to a service's main process, for fault tests; returns its number."""
        identity = self._board[name].identity
        if identity is None:
            raise ServiceError(name, "does not run")
        os.kill(identity.pid, how)
        return identity.pid

    def wait_restarted(self, name: str, killed: int, timeout: float = 120.0) -> None:
        """Block until `name` is ready in another process than `killed`. Raises ``NotReadyError``."""

        def met(statuses: dict[str, Status]) -> bool:
            status = statuses[name]
            return (
                status.state == State.READY and status.identity is not None and status.identity.pid != killed
            )

        if not self._board.wait(met, timeout):
            raise NotReadyError(name, f"not restarted after {timeout:.0f} s")

    def status(self) -> tuple[Status, ...]:
        return self._board.all()

    def pids(self) -> dict[str, int]:
        """The main process of every service that runs."""
        return {
            status.name: status.identity.pid for status in self._board.all() if status.identity is not None
        }

    def restart_counts(self) -> dict[str, int]:
        return {status.name: status.restarts for status in self._board.all() if status.kind == "service"}

    @property
    def stopping(self) -> threading.Event:
        """Set once the stack is to stop."""
        return self._board.stopping

    def _progress(self, text: str) -> None:
        self._board.update("jars", detail=text)

    def _on_change(self, status: Status) -> None:
        self._recorder.write()
        if self._listener is not None:
            self._listener(status)

    def __enter__(self) -> Stack:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _first_status(node: Node, settings: Settings) -> Status:
    kind = (
        "service" if isinstance(node, Service) else "external" if node.name in catalogue.SERVICES else "step"
    )
    return Status(node.name, kind=kind, address=catalogue.address(node.name, settings), since=time.time())
