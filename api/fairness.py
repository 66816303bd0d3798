"""One request's long work leaves room for the others: in a thread, or in turns on the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import perf_counter
from typing import ParamSpec, TypeVar
from weakref import WeakKeyDictionary

P = ParamSpec("P")
T = TypeVar("T")

LARGE_BODY = 128 * 1024
"""Bytes of a batch that take so long to decode that a thread does it."""

_THREADS = 2
_TURN_SECONDS = 0.005
_PLACES: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


async def off_the_loop(work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """What `work` returns or raises, in a thread; others wait where two are at it."""
    loop = asyncio.get_running_loop()
    places = _PLACES.get(loop)
    if places is None:
        places = _PLACES[loop] = asyncio.Semaphore(_THREADS)
    async with places:
        return await asyncio.to_thread(work, *arguments, **named)


class Turns:
    """When work that goes through many items is to let others go on."""

    def __init__(self) -> None:
        self._since = perf_counter()

    def is_over(self) -> bool:
        return perf_counter() - self._since > _TURN_SECONDS

    async def next(self) -> None:
        """The next turn, after all others had theirs."""
        await asyncio.sleep(0)
        self._since = perf_counter()
