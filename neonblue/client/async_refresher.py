"""Looking for newer configurations from a task of the event loop that runs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from neonblue.bucketing.document import ConfigurationDocument
from neonblue.client.errors import ClientError, UnavailableError
from neonblue.client.local import LocalEvaluator, until_next_look
from neonblue.client.quiet_log import log


class AsyncRefresher:
    """Keeps an evaluator's configuration fresh. Its task and its lock belong to the loop that made them."""

    def __init__(
        self,
        evaluator: LocalEvaluator,
        fetch: Callable[[], Awaitable[ConfigurationDocument | None]],
        seconds: float,
    ) -> None:
        self._evaluator = evaluator
        self._fetch = fetch
        self._seconds = seconds
        self.after_fork()

    def after_fork(self) -> None:
        """Begin anew: a forked child has the configuration, but no task."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._failure: ClientError | None = None

    async def start(self) -> None:
        """Have a configuration, and a task of this loop that looks for newer ones.

        The first call downloads it. Raises ClientError where that fails; until the task has better luck, later
        calls do so at once: nobody waits twice for an API that is away.
        """
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop, self._lock, self._task = loop, asyncio.Lock(), None
        if self._task is None or self._task.done():
            async with self._lock:
                if self._task is None or self._task.done():
                    if not self._evaluator.ready:
                        await self._look()
                    self._task = loop.create_task(self._run(), name="neonblue-configuration")
        if not self._evaluator.ready:
            raise UnavailableError(f"there is no configuration yet: {self._failure}") from self._failure

    async def stop(self) -> None:
        """End the task."""
        if self._task is not None and self._loop is asyncio.get_running_loop():
            self._task.cancel()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(until_next_look(self._evaluator, self._seconds))
            await self._look()

    async def _look(self) -> None:
        try:
            self._evaluator.install(await self._fetch())
        except ClientError as error:  # the configuration at hand stays good
            self._failure = error
            log.warning("configuration_not_refreshed", error=str(error))
