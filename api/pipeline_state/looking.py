"""A look at one store, shared by all who look at the same time, for whom none waits longer than agreed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import structlog

log = structlog.get_logger("api.pipeline")

T = TypeVar("T")

SECONDS = 2.0
"""So long a store has to answer."""
FRESH_SECONDS = 5.0
"""For so long an answer is shared."""


class Unreadable(Exception):  # noqa: N818 - names a state
    """The store can't be looked at: the text says why, for people."""


@dataclass(frozen=True, slots=True)
class Look(Generic[T]):
    """What was seen; None where nothing could be, for the reason `why`, a sentence."""

    value: T | None = None
    why: str = ""


class Shared(Generic[T]):
    """One question. name: of what is asked, in sentences.

    One that hangs is not asked again before that has ended: whoever looks meanwhile is told so at once.
    """

    def __init__(
        self,
        name: str,
        ask: Callable[[], Awaitable[T]],
        *,
        seconds: float = SECONDS,
        fresh: float = FRESH_SECONDS,
    ) -> None:
        self._name, self._ask = name, ask
        self._seconds, self._fresh = seconds, fresh
        self._asking: asyncio.Task[Look[T]] | None = None
        self._began = self._ended = 0.0

    @property
    def is_asking(self) -> bool:
        """Whether the store has not answered yet."""
        return self._asking is not None and not self._asking.done()

    async def look(self) -> Look[T]:
        """At most `seconds` after it was asked."""
        loop = asyncio.get_running_loop()
        asking = self._asking
        if asking is None or (asking.done() and loop.time() - self._ended > self._fresh):
            self._began = loop.time()
            asking = self._asking = loop.create_task(self._asked())
        if not asking.done():
            await asyncio.wait((asking,), timeout=max(0.0, self._began + self._seconds - loop.time()))
        if asking.done() and not asking.cancelled():
            return asking.result()
        return Look(why=f"{self._name} did not answer within {self._seconds:g} s.")

    async def _asked(self) -> Look[T]:
        try:
            return Look(await self._ask())
        except Unreadable as error:
            return Look(why=str(error))
        except (
            Exception
        ) as error:  # of any client library; an error's text may hold an address with a password
            log.warning("look_failed", of=self._name, error=type(error).__name__)
            return Look(why=f"{self._name} could not be looked at: the API’s log says why.")
        finally:
            self._ended = asyncio.get_running_loop().time()
