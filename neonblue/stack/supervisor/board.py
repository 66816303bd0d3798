"""The state of every node, shared between the threads that run them and whoever waits or looks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from enum import StrEnum

import structlog

from neonblue.stack.processes.process import Identity
from neonblue.stack.supervisor.names import DISK

_log = structlog.get_logger("neonblue.stack")


class State(StrEnum):
    WAITING = "waiting"
    PREPARING = "preparing"
    STARTING = "starting"
    READY = "ready"
    UNREADY = "unready"
    RESTARTING = "restarting"
    FAILED = "failed"
    STOPPING = "stopping"
    STOPPED = "stopped"
    UNSUPERVISED = "unsupervised"
    """Runs although its supervisor is gone: only seen from outside."""


@dataclass(frozen=True, slots=True)
class Status:
    """What is known of one node. `since` and `started` are seconds since the epoch.

    `beside` is a second process while one takes over from another.
    """

    name: str
    state: State = State.WAITING
    kind: str = "service"
    address: str = ""
    identity: Identity | None = None
    restarts: int = 0
    started: float | None = None
    since: float = 0.0
    detail: str = ""
    beside: Identity | None = None


Listener = Callable[[Status], None]


class Board:
    """Statuses by node name. Every change wakes those who wait."""

    def __init__(self, statuses: Collection[Status], listener: Listener | None = None) -> None:
        self._statuses = {status.name: replace(status, since=time.time()) for status in statuses}
        self._changed = threading.Condition()
        self._listener = listener
        self.stopping = threading.Event()

    def __getitem__(self, name: str) -> Status:
        with self._changed:
            return self._statuses[name]

    def has_room(self) -> bool:
        """Whether the disk has, as far as is known: what fails for want of it will not once there is some."""
        with self._changed:
            disk = self._statuses.get(DISK)
        return disk is None or disk.state != State.UNREADY

    def all(self) -> tuple[Status, ...]:
        with self._changed:
            return tuple(self._statuses.values())

    def update(self, name: str, **changes: object) -> None:
        with self._changed:
            before = self._statuses[name]
            if "state" in changes and changes["state"] != before.state:
                changes = {"since": time.time(), "detail": ""} | changes
            after = replace(before, **changes)  # type: ignore[arg-type]
            if after == before:
                return
            self._statuses[name] = after
            self._changed.notify_all()
        if self._listener is not None:
            try:
                self._listener(after)
            except (
                Exception
            ) as error:  # whoever changes a state goes on, whatever those who hear of it can't do
                _log.warning("listener_failed", node=name, error=f"{type(error).__name__}: {error}")

    def stop(self) -> None:
        self.stopping.set()
        with self._changed:
            self._changed.notify_all()

    def wait(self, condition: Callable[[dict[str, Status]], bool], timeout: float | None) -> bool:
        """Block until `condition` holds of the statuses; False after `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: condition(self._statuses), timeout)

    def wait_for_ready(self, names: Collection[str], timeout: float | None = None) -> bool:
        """Block until all of `names` are ready, or for `timeout` seconds; False when the stack stops first."""

        def met(statuses: dict[str, Status]) -> bool:
            return self.stopping.is_set() or all(statuses[name].state == State.READY for name in names)

        self.wait(met, timeout)
        return not self.stopping.is_set()

    def wait_for_stopped(self, names: Collection[str]) -> None:
        self.wait(lambda statuses: all(statuses[name].state == State.STOPPED for name in names), None)
