"""How far a start has come: what serves, what is late, what has failed for good."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from neonblue.stack.supervisor.board import State, Status


@dataclass(frozen=True, slots=True)
class Progress:
    """`needed` are the names of what must be ready for events to be taken."""

    statuses: tuple[Status, ...]
    needed: frozenset[str]

    @property
    def ready(self) -> bool:
        """Everything is."""
        return all(status.state == State.READY for status in self.statuses)

    @property
    def serves(self) -> bool:
        """Events are taken."""
        return all(status.state == State.READY for status in self.statuses if status.name in self.needed)

    @property
    def failed(self) -> tuple[Status, ...]:
        """What will not be tried again."""
        return tuple(status for status in self.statuses if status.state == State.FAILED)

    @property
    def late(self) -> tuple[Status, ...]:
        """What is on its way. What only waits for others is not told."""
        quiet = (State.READY, State.FAILED, State.WAITING)
        return tuple(status for status in self.statuses if status.state not in quiet)

    @property
    def settled(self) -> bool:
        """Nothing will change by itself: all are ready, have failed, or wait for what has failed."""
        return self.ready or bool(self.failed and not self.late)

    @property
    def broken(self) -> Status | None:
        """What events need and will never get; None while there is hope."""
        return next((status for status in self.failed if status.name in self.needed), None)


def of(statuses: Iterable[Status], needed: Collection[str]) -> Progress:
    return Progress(tuple(statuses), frozenset(needed))


def describe(status: Status, now: float | None = None) -> str:
    """One that is not ready, in a line: its name, for how long, why, and which log says more."""
    seconds = (time.time() if now is None else now) - status.since
    since = "failed for good" if status.state == State.FAILED else f"{status.state} for {seconds:.0f} s"
    detail = f": {status.detail}" if status.detail else ""
    again = f", started again {times(status.restarts)}" if status.restarts else ""
    log = "" if status.kind == "external" else f"; see 'neonblue logs {status.name}'"
    return f"{status.name}: {since}{again}{detail}{log}"


def times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
