"""Work that goes on for as long as the process: whatever ends it, it is started again, and what is down is known."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from time import monotonic

import structlog

from api.metrics import BACKGROUND_FAILURES

log = structlog.get_logger("api.background")

Work = Callable[[], Awaitable[None]]
"""Never returns. What it meets every day, such as a database that is away, it deals with by itself."""
Condition = Callable[[], bool]

_FIRST_SECONDS = 0.25
_LONGEST_SECONDS = 15.0
_STABLE_SECONDS = 60.0
"""Work that lived so long has begun anew: the failures before it do not count."""
_STOP_TRIES = 2
_HOPELESS = 8
"""Failures in a row, about half a minute, after which this process is not believed to get over it."""


@dataclass(slots=True)
class _Kept:
    name: str
    work: Work
    vital: Condition
    task: asyncio.Task[None] | None = None
    working: bool = False
    since: float = 0.0
    failures: int = 0

    @property
    def down(self) -> bool:
        return not self.working or self.dead

    @property
    def dead(self) -> bool:
        """Nothing is there that would start it again."""
        return self.task is None or self.task.done()

    def hopeless(self, settled_seconds: float) -> bool:
        settled = self.working and monotonic() - self.since > settled_seconds
        return self.dead or (self.vital() and self.failures >= _HOPELESS and not settled)


@dataclass(slots=True)
class Keeper:
    """Starts pieces of work, and starts them again. Of one event loop."""

    first_seconds: float = _FIRST_SECONDS
    settled_seconds: float = 5.0
    """Work that was begun again, and lives for so long, is well."""
    stop_seconds: float = 3.0
    """Work that was told to end is told once more after so long, and left alone after as long again."""
    _kept: dict[str, _Kept] = field(default_factory=dict)

    def keep(self, name: str, work: Work, *, vital: bool | Condition = False) -> None:
        """Have `work` done until `stop`. `vital`: without it the process is of no use, and is better started anew."""
        condition = vital if callable(vital) else lambda: vital
        kept = self._kept[name] = _Kept(name, work, condition, working=True)
        BACKGROUND_FAILURES.labels(
            name
        )  # there from the beginning, or its first failure would be no increase
        kept.task = asyncio.create_task(self._keep(kept), name=name)

    async def stop(self) -> None:
        """End all work, and forget it. Comes back in time also where some of it does not end."""
        tasks = {kept.task for kept in self._kept.values() if kept.task is not None}
        self._kept.clear()
        for _ in range(_STOP_TRIES):
            for task in tasks:
                task.cancel()
            if tasks:
                _, tasks = await asyncio.wait(tasks, timeout=self.stop_seconds)
        if tasks:
            log.error("background_work_does_not_end", names=sorted(task.get_name() for task in tasks))

    @property
    def down(self) -> tuple[str, ...]:
        """What is not being done at this moment."""
        return tuple(kept.name for kept in self._kept.values() if kept.down)

    @property
    def vital_down(self) -> tuple[str, ...]:
        """Of that, what the process is of no use without."""
        return tuple(kept.name for kept in self._kept.values() if kept.down and kept.vital())

    @property
    def hopeless(self) -> tuple[str, ...]:
        """What only a new process can mend."""
        return tuple(kept.name for kept in self._kept.values() if kept.hopeless(self.settled_seconds))

    async def _keep(self, kept: _Kept) -> None:
        while True:
            kept.since, kept.working = monotonic(), True
            error: BaseException | None = None
            try:
                await kept.work()
            except asyncio.CancelledError as cancelled:
                if _asked_to_end():
                    raise
                error = cancelled  # of something it waited for
            except Exception as raised:
                error = raised
            if _asked_to_end():
                log.warning("background_work_ended_badly", name=kept.name, exc_info=error)
                return
            kept.working = False
            kept.failures = 1 if monotonic() - kept.since > _STABLE_SECONDS else kept.failures + 1
            BACKGROUND_FAILURES.labels(kept.name).inc()
            seconds = min(_LONGEST_SECONDS, self.first_seconds * 2.0 ** min(kept.failures - 1, 10))
            log.error(
                "background_work_ended",
                name=kept.name,
                failures=kept.failures,
                again_after=seconds,
                exc_info=error,
            )
            await asyncio.sleep(seconds)


def _asked_to_end() -> bool:
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0
