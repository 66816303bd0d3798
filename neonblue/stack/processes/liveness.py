"""Whether a process hangs, decided from looks at it: one rule for every service, while it starts and afterwards.

All seconds are of one clock that never goes back.
"""

from __future__ import annotations

from dataclasses import dataclass

USE_SECONDS = 5.0
"""Use of the processor is judged over so long: a waiting process wakes up for moments too."""
USE_SHARE = 0.01
"""A process uses the processor from this share of one core on. One that is starved by others still gets more."""
LONGEST_GAP = 5.0
"""Between two looks no more than this counts: a machine that slept, or a supervisor that did, proves nothing."""


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen of a process at one moment.

    `cpu_seconds` is what it and its descendants have used since they started; `answered` is whether it has answered on
    a new connection since the look before, or was not asked; `stopped` is whether a signal has stopped it.
    """

    at: float
    cpu_seconds: float
    answered: bool = False
    stopped: bool = False


@dataclass(frozen=True, slots=True)
class Patience:
    """After how many seconds a process hangs: stopped; silent and without the processor; silent, whatever it uses."""

    stopped: float
    idle: float
    busy: float


@dataclass(frozen=True, slots=True)
class Course:
    """What the looks have shown so far. The seconds are those up to the last look."""

    last: Look
    silent: float = 0.0
    idle: float = 0.0
    stopped: float = 0.0
    measured: float = 0.0
    """Of the time since the processor's use was last judged."""
    cpu_seconds: float = 0.0
    """As it was when the processor's use was last judged."""

    @classmethod
    def begin(cls, look: Look) -> Course:
        return cls(last=look, cpu_seconds=look.cpu_seconds)

    def after(self, look: Look) -> Course:
        """With one more look."""
        gap = min(max(look.at - self.last.at, 0.0), LONGEST_GAP)
        stopped = self.stopped + gap if look.stopped and self.last.stopped else 0.0
        if look.answered:
            return Course(look, stopped=stopped, cpu_seconds=look.cpu_seconds)
        silent, idle = self.silent + gap, self.idle
        measured, mark = self.measured + gap, self.cpu_seconds
        if measured >= USE_SECONDS:
            # Less than before: a descendant has ended, which takes the processor too.
            used = abs(look.cpu_seconds - mark)
            idle = 0.0 if used >= USE_SHARE * measured else idle + measured
            measured, mark = 0.0, look.cpu_seconds
        return Course(look, silent, idle, stopped, measured, mark)

    def hangs(self, patience: Patience) -> str:
        """Why the process hangs; '' while it does not."""
        if self.stopped >= patience.stopped:
            return "it was stopped by a signal"
        if self.idle >= patience.idle:
            return f"no answer for {self.silent:.0f} s, and the processor not used for {self.idle:.0f} s"
        if self.silent >= patience.busy:
            return f"no answer for {self.silent:.0f} s"
        return ""
