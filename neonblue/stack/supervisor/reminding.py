"""Which troubles are to be told now, and which are over. Pure: it is told what is there, and when."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from neonblue.stack.supervisor.board import Status
from neonblue.stack.supervisor.troubles import Trouble, command

LASTING_SECONDS = 20.0
OVER_SECONDS = 10.0
"""A trouble that comes back sooner is the same one still."""
_AGAIN_SECONDS = 600.0
_AGAIN_TIMES = 3


@dataclass(slots=True)
class _Known:
    trouble: Trouble
    since: float
    seen: float
    told: float | None = None


@dataclass(frozen=True, slots=True)
class News:
    """`new`: to be told now, for the first time or again. `over`: were told and are no more."""

    new: tuple[Trouble, ...] = ()
    over: tuple[Trouble, ...] = ()


@dataclass(slots=True)
class Reminder:
    """Times are monotonic seconds; repeat_seconds: a trouble that lasts is told again after so long."""

    repeat_seconds: float
    _known: dict[str, _Known] = field(default_factory=dict)

    def look(self, troubles: Iterable[Trouble], now: float) -> News:
        """Take in all that is wrong at this moment."""
        present = {trouble.about: trouble for trouble in troubles}
        for about, trouble in present.items():
            known = self._known.setdefault(about, _Known(trouble, now, now))
            known.trouble, known.seen = trouble, now
        new = []
        for about in present:
            known = self._known[about]
            lasted = not known.trouble.lasting or now - known.since >= LASTING_SECONDS
            if lasted and (known.told is None or now - known.told >= self.repeat_seconds):
                known.told = now
                new.append(known.trouble)
        gone = [about for about, known in self._known.items() if now - known.seen >= OVER_SECONDS]
        over = [known for about in gone if (known := self._known.pop(about)).told is not None]
        return News(tuple(new), tuple(known.trouble for known in over))


@dataclass(slots=True)
class Restarts:
    """Counts how often each service was started again lately."""

    _counts: dict[str, int] = field(default_factory=dict)
    _times: dict[str, deque[float]] = field(default_factory=dict)
    _reasons: dict[str, str] = field(default_factory=dict)

    def look(self, statuses: Iterable[Status], now: float) -> list[Trouble]:
        """The services that start again and again."""
        found = []
        for status in statuses:
            times = self._times.setdefault(status.name, deque())
            times.extend([now] * (status.restarts - self._counts.get(status.name, 0)))
            self._counts[status.name] = status.restarts
            if status.state == "restarting" and status.detail:
                self._reasons[status.name] = status.detail
            while times and now - times[0] > _AGAIN_SECONDS:
                times.popleft()
            if len(times) >= _AGAIN_TIMES:
                reason = self._reasons.get(status.name, "")
                found.append(
                    Trouble(
                        f"{status.name}/restarts",
                        f"{status.name}: started again {len(times)} times within {_AGAIN_SECONDS / 60:.0f} min"
                        + (f": {reason}" if reason else ""),
                        command(status.name, status.kind),
                        lasting=False,
                    )
                )
        return found
