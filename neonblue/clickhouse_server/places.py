"""The places of one user's queries, and the threads that these run in."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from neonblue.clickhouse_server.errors import (
    TIMEOUT_EXCEEDED,
    TOO_MANY_SIMULTANEOUS_QUERIES,
    ClickHouseError,
)
from neonblue.clickhouse_server.settings import Share

T = TypeVar("T")

_READERS_OF_TEXT = 2


class Places:
    """A bounded number of queries runs at once, the others wait for their turn.

    `threads` are for the engine's work: as many as there are places. Texts are read in other threads, so that no query
    is waited for to say that another one has a mistake.
    """

    def __init__(self, share: Share, name: str) -> None:
        self.share = share
        self.threads = ThreadPoolExecutor(share.queries, thread_name_prefix=f"query-{name}")
        self._texts = ThreadPoolExecutor(_READERS_OF_TEXT, thread_name_prefix=f"text-{name}")
        self._slots = asyncio.Semaphore(share.queries)
        self._waiting = 0

    @contextlib.asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """A place. Raises ClickHouseError when too many wait, it takes too long, or the request's time is over."""
        await self._acquire()
        try:
            async with asyncio.timeout(self.share.deadline) as limit:
                yield
        except TimeoutError as error:
            if not limit.expired():
                raise
            message = f"Timeout exceeded: the request took more than {self.share.deadline:.0f} s"
            raise ClickHouseError(TIMEOUT_EXCEEDED, "TIMEOUT_EXCEEDED", message) from error
        finally:
            self._slots.release()

    async def think(self, function: Callable[..., T], *arguments: object) -> T:
        """Call what works on a text, beside the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._texts, function, *arguments)

    def close(self) -> None:
        for pool in (self.threads, self._texts):
            pool.shutdown(wait=False, cancel_futures=True)

    async def _acquire(self) -> None:
        if self._waiting >= self.share.waiting:
            raise self._too_many()
        self._waiting += 1
        try:
            await asyncio.wait_for(self._slots.acquire(), self.share.queue_timeout)
        except TimeoutError as error:
            raise self._too_many() from error
        finally:
            self._waiting -= 1

    def _too_many(self) -> ClickHouseError:
        message = f"Too many simultaneous queries: {self.share.queries} run, and as many wait as may"
        return ClickHouseError(TOO_MANY_SIMULTANEOUS_QUERIES, "TOO_MANY_SIMULTANEOUS_QUERIES", message)
