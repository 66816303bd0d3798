"""What open pages follow: of each experiment one look every few seconds, however many follow it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import structlog

from api.experiments.answers import ExperimentOut
from api.experiments.service import ExperimentService
from api.http.problems import Problem
from api.results.glances import Glance, Glances
from neonblue.analysis.answer import Answer

log = structlog.get_logger("api.results")

BEAT_SECONDS = 5.0
_LOOK_SECONDS = 4.0
MOST_FOLLOWERS = 500
"""Of one process. Each is a connection that stays."""


@dataclass(frozen=True, slots=True)
class Pulse:
    """An experiment as it stands, and what is known of its results.

    numbers: counts up with each answer that differs from the one before by more than its time. at: when it was taken,
    in seconds of the event loop's clock. drawn: what was made of it, for all who are shown the same.
    """

    experiment: ExperimentOut
    glance: Glance
    numbers: int
    at: float
    drawn: dict[object, str] = field(default_factory=dict, compare=False)

    @property
    def computed_at(self) -> datetime | None:
        """When the numbers were computed; None where there are none."""
        return None if self.glance.look is None else self.glance.look.stamp.computed_at

    @property
    def age(self) -> float:
        """Of the numbers, in seconds."""
        return self.glance.age + asyncio.get_running_loop().time() - self.at


@dataclass(slots=True)
class _Followed:
    """over: nothing comes any more."""

    followers: int = 0
    pulse: Pulse | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    over: bool = False
    task: asyncio.Task[None] | None = None

    def tell(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()


@dataclass(slots=True)
class Pulses:
    """Looks at an experiment for as long as somebody follows it. Of one event loop."""

    experiments: ExperimentService
    glances: Glances
    results_age: float
    """How old results may be, in seconds."""
    beat_seconds: float = BEAT_SECONDS
    most: int = MOST_FOLLOWERS
    _followed: dict[str, _Followed] = field(default_factory=dict, init=False)
    _ended: bool = field(default=False, init=False)

    @property
    def ended(self) -> bool:
        """Whether the process ends."""
        return self._ended

    @property
    def followers(self) -> int:
        """How many follow one now."""
        return sum(one.followers for one in self._followed.values())

    def check_room(self) -> None:
        """Raises Problem 503 where nobody more can follow."""
        if self._ended or self.followers >= self.most:
            raise Problem(
                503, "too_many_followers", "Too many pages are open: this one does not change by itself"
            )

    async def of(self, key: str) -> AsyncIterator[Pulse]:
        """Each pulse of the experiment, the newest at once. Ends where it is no more, and where the process ends."""
        followed = self._followed.get(key)
        if followed is None:
            followed = self._followed[key] = _Followed()
            followed.task = asyncio.create_task(self._beat(key, followed))
        followed.followers += 1
        seen: Pulse | None = None
        try:
            while not (followed.over or self._ended):
                changed = followed.changed
                if followed.pulse is not None and followed.pulse is not seen:
                    seen = followed.pulse
                    yield seen
                else:
                    await changed.wait()
        finally:
            followed.followers -= 1
            if not followed.followers:
                self._leave(key, followed)

    def end(self) -> None:
        """Let everybody go: the process ends."""
        self._ended = True
        for followed in self._followed.values():
            followed.tell()

    def _leave(self, key: str, followed: _Followed) -> None:
        if followed.task is not None:
            followed.task.cancel()
        if self._followed.get(key) is followed:
            del self._followed[key]

    async def _beat(self, key: str, followed: _Followed) -> None:
        while not followed.over:
            try:
                followed.pulse = await self._take(key, followed.pulse)
            except Problem as problem:
                # What is away comes back: the page shows the age of what it has.
                followed.over = problem.status == 404
            except Exception:
                log.exception("pulse_failed", experiment=key)
            followed.tell()
            await asyncio.sleep(self.beat_seconds)

    async def _take(self, key: str, last: Pulse | None) -> Pulse:
        experiment = await self.experiments.get(key)
        glance = Glance()
        if experiment.started_at is not None or experiment.source == "external":
            glance = (await self.glances.of({key: self.results_age}, _LOOK_SECONDS))[key]
        numbers = 0
        if last is not None:
            numbers = last.numbers + (_shown(last.glance) != _shown(glance))
        return Pulse(experiment, glance, numbers, asyncio.get_running_loop().time())


_ANY_TIME = datetime(2000, 1, 1, tzinfo=UTC)


def _shown(glance: Glance) -> tuple[Answer | None, str]:
    """What tells two looks apart, save when they were taken and up to when everything counts."""
    look = glance.look
    answer = None if look is None else replace(look.answer, computed_at=_ANY_TIME, watermark=None)
    return answer, glance.missing
