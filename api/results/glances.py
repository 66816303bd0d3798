"""Results of many experiments at a glance: what is known of them, and no longer a wait than a page can bear."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import structlog

from api.http.problems import Problem
from api.results.service import ResultsService
from neonblue.results.look import Look

log = structlog.get_logger("api.results")

_AT_ONCE = 2
"""Looks that are computed at the same time: a list must not keep ClickHouse from whoever reads one experiment."""
_WAITING = 200
_AWAY_SECONDS = 5.0
"""So long nobody asks again after ClickHouse did not answer."""


class Missing(StrEnum):
    """Why there is no look. NOT_ASKED: the others came first; it is asked for, and there at the next glance."""

    NOTHING = ""
    NOT_ASKED = "not_asked"
    AWAY = "away"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Glance:
    """What is known of an experiment's results. look: the newest; age: in seconds.

    missing: why there is none, or none that is newer.
    """

    look: Look | None = None
    age: float = 0.0
    missing: Missing = Missing.NOTHING


@dataclass(slots=True)
class Glances:
    """Asks for results in the background, each experiment once, however many pages want it."""

    results: ResultsService
    _asked: dict[str, asyncio.Task[Missing]] = field(default_factory=dict, init=False)
    _turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE), init=False)
    _away_at: float = field(default=float("-inf"), init=False)

    async def of(self, ages: Mapping[str, float], seconds: float) -> dict[str, Glance]:
        """A glance of each experiment, after `seconds` at the most. ages: by key, how old a look may be, in seconds.

        What is older is shown where no newer one comes in time.
        """
        tasks = {key: task for key, age in ages.items() if (task := self._ask(key, age)) is not None}
        if tasks:
            await asyncio.wait(tasks.values(), timeout=seconds)
        return {key: self._seen(key, age, tasks.get(key)) for key, age in ages.items()}

    def _ask(self, key: str, age: float) -> asyncio.Task[Missing] | None:
        """None: what is known is new enough, or too many wait already."""
        known = self.results.looks.known(key)
        if known is not None and known[1] <= age:
            return None
        task = self._asked.get(key)
        if task is None and len(self._asked) < _WAITING:
            task = self._asked[key] = asyncio.create_task(self._read(key))
            task.add_done_callback(lambda _: self._asked.pop(key, None))
        return task

    async def _read(self, key: str) -> Missing:
        async with self._turns:
            if asyncio.get_running_loop().time() - self._away_at < _AWAY_SECONDS:
                return Missing.AWAY
            try:
                await self.results.look_at(key)
            except Problem as problem:
                if problem.status == 404:
                    return Missing.NOTHING
                self._away_at = asyncio.get_running_loop().time()
                return Missing.AWAY
            except Exception:
                log.exception("look_failed", experiment=key)
                return Missing.FAILED
        return Missing.NOTHING

    def _seen(self, key: str, age: float, task: asyncio.Task[Missing] | None) -> Glance:
        known = self.results.looks.known(key)
        if task is None:
            missing = Missing.NOTHING if known is not None and known[1] <= age else Missing.NOT_ASKED
        else:
            missing = task.result() if task.done() else Missing.NOT_ASKED
        return Glance(missing=missing) if known is None else Glance(known[0], known[1], missing)
