"""What somebody has asked of a running service: to be started anew."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from enum import StrEnum

from neonblue.settings import Settings
from neonblue.stack.processes.process import Running


class How(StrEnum):
    """What became of a restart."""

    HANDED_OVER = "handed over"
    """The old process took connections until the new one did."""
    RESTARTED = "restarted"
    """The old process ended before the new one was started."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the restart of one service went, in `seconds`; `detail` says why it failed, or what else to know."""

    service: str
    how: How
    seconds: float
    detail: str = ""


@dataclass(slots=True)
class Request:
    """A restart of `service`, with what may change of `settings`. Asked by one thread, answered by another."""

    service: str
    settings: Settings
    _began: float = field(default_factory=time.monotonic)
    _answering: threading.Lock = field(default_factory=threading.Lock)
    _answered: threading.Event = field(default_factory=threading.Event)
    _outcome: Outcome | None = None

    def answer(self, how: How, detail: str = "") -> None:
        """The first answer counts."""
        with self._answering:
            if self._outcome is None:
                self._outcome = Outcome(self.service, how, round(time.monotonic() - self._began, 2), detail)
                self._answered.set()

    def wait(self) -> Outcome:
        self._answered.wait()
        assert self._outcome is not None  # noqa: S101 - set before the event
        return self._outcome


@dataclass(slots=True)
class Leaving:
    """A process that another one has taken over from, and that answers what it has until `deadline`."""

    running: Running
    request: Request
    deadline: float

    def finish(self) -> None:
        """Wait for its end."""
        try:
            self.running.end(max(0.0, self.deadline - time.monotonic()))
        finally:
            self.request.answer(How.HANDED_OVER)

    def look(self) -> bool:
        """Whether it is gone. One that takes too long is killed."""
        runs = self.running.exit_code() is None
        if runs and time.monotonic() <= self.deadline:
            return False
        detail = "the old process did not end in time and was killed" if runs else ""
        try:
            self.running.end(0)
        finally:
            self.request.answer(How.HANDED_OVER, detail)
        return True
