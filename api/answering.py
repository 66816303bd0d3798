"""Whether what the API needs answers: asked once for all who want to know, and nobody waits longer than agreed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum

ANSWER_SECONDS = 1.5
"""A part has so long to answer: the stack, which asks whether the API is ready, waits two seconds for all of it."""
_FRESH_SECONDS = 1.0


class Answered(StrEnum):
    """How a part answered. SILENT: not within its time."""

    OK = "ok"
    DOWN = "down"
    SILENT = f"down: no answer within {ANSWER_SECONDS} s"


class Probe:
    """One part, asked by `ask`, which says whether it is well.

    An answer holds for a second. One that hangs is not asked again before that has ended, however it is ended: what
    gives up waiting may hang too, as a statement's cancellation does on a server that does not read.
    """

    def __init__(
        self,
        ask: Callable[[], Awaitable[bool]],
        *,
        seconds: float = ANSWER_SECONDS,
        fresh: float = _FRESH_SECONDS,
    ) -> None:
        self._ask = ask
        self._seconds = seconds
        self._fresh = fresh
        self._asking: asyncio.Task[Answered] | None = None
        self._began = 0.0
        self._ended = 0.0

    async def look(self) -> Answered:
        """At most `seconds` after it was asked: at once where it has hung for so long."""
        loop = asyncio.get_running_loop()
        asking = self._asking
        if asking is None or (asking.done() and loop.time() - self._ended > self._fresh):
            self._began = loop.time()
            asking = self._asking = loop.create_task(self._asked())
        if not asking.done():
            await asyncio.wait((asking,), timeout=max(0.0, self._began + self._seconds - loop.time()))
        return asking.result() if asking.done() and not asking.cancelled() else Answered.SILENT

    async def _asked(self) -> Answered:
        try:
            async with asyncio.timeout(self._seconds):
                return Answered.OK if await self._ask() else Answered.DOWN
        except TimeoutError:
            return Answered.SILENT
        finally:
            self._ended = asyncio.get_running_loop().time()


@dataclass(frozen=True, slots=True)
class Answering:
    """What is looked at where someone asks whether the API is ready."""

    postgres: Probe
    valkey: Probe

    async def look(self) -> tuple[Answered, Answered]:
        """Both at once: how PostgreSQL answered, and Valkey."""
        postgres, valkey = await asyncio.gather(self.postgres.look(), self.valkey.look())
        return postgres, valkey
