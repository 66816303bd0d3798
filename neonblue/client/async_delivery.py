"""Sending queued events from a background task."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from neonblue.client.batching import Batch, BatchOptions
from neonblue.client.errors import ClosedError, QueueFullError
from neonblue.client.messages import EventReceipt
from neonblue.client.outcome import Outcome
from neonblue.client.quiet_log import log
from neonblue.client.transport import AsyncSleep

Send = Callable[[list[bytes], AsyncSleep], Awaitable[EventReceipt]]
"""Makes one request until it is answered for good; sleeps by the given function between attempts."""

_PAUSE_SECONDS = 1.0

_Marker = asyncio.Event
"""Put into the queue to learn when everything before it was sent."""


class AsyncDelivery:
    """A bounded queue of encoded events and the task that sends them, of the event loop that runs.

    A client may outlive its loop (one `asyncio.run` after another): what waited then moves to the next one.
    """

    def __init__(self, send: Send, options: BatchOptions, outcome: Outcome) -> None:
        self._send = send
        self._options = options
        self._outcome = outcome
        self._taken: list[bytes] = []
        self._queue: asyncio.Queue[bytes | _Marker] = asyncio.Queue(options.queue_items)
        self._task: asyncio.Task[None] | None = None
        self._closed = False
        self._left_behind = 0

    def after_fork(self) -> None:
        """Begin anew in a forked child. What waited belongs to the parent, whose task still sends it."""
        self._left_behind = len(self._taken) + len(self._drain(release=False))
        self._taken, self._task = [], None
        self._queue = asyncio.Queue(self._options.queue_items)

    async def put(self, event: bytes, wait_seconds: float | None) -> None:
        """Queue an event. Raises QueueFullError where there is no room within `wait_seconds`, ClosedError."""
        self._start()
        try:
            self._queue.put_nowait(event)
        except asyncio.QueueFull:
            try:
                async with asyncio.timeout(wait_seconds):
                    await self._queue.put(event)
            except TimeoutError:
                raise QueueFullError(f"{self._options.queue_items} events wait unsent") from None

    async def flush(self, timeout_seconds: float | None) -> bool:
        """Wait until every event queued before is stored, rejected or lost; False when time ran out."""
        if self._task is None:
            return True
        self._keep_running()
        marker = _Marker()
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._queue.put(marker)
                await marker.wait()
        except TimeoutError:
            return False
        return True

    async def close(self, timeout_seconds: float | None) -> None:
        """Flush, then end the task; what could not be sent in time is counted as lost and told."""
        if self._closed:
            return
        self._closed = True
        self._tell_left_behind()
        if self._task is None:
            return
        await self.flush(timeout_seconds)
        self._task.cancel()
        await asyncio.wait([self._task])
        if unsent := [*self._taken, *self._drain()]:
            self._taken = []
            self._outcome.lost(unsent, ClosedError(f"not stored within {timeout_seconds:g} s of closing"))

    def _start(self) -> None:
        if self._closed:
            raise ClosedError("the client is closed")
        if self._left_behind:
            self._tell_left_behind()
        self._keep_running()

    def _keep_running(self) -> None:
        """Have a live task in the loop that runs now."""
        loop = asyncio.get_running_loop()
        if self._task is not None and not self._task.done() and self._task.get_loop() is loop:
            return
        if self._task is not None and self._task.get_loop() is not loop:
            waiting = self._drain()
            self._queue = asyncio.Queue(self._options.queue_items)
            for event in waiting:
                self._queue.put_nowait(event)
        self._task = loop.create_task(self._run(), name="neonblue-client")

    def _tell_left_behind(self) -> None:
        waiting, self._left_behind = self._left_behind, 0
        if waiting:
            log.warning(
                "events_left_to_the_parent", events=waiting, reason="they waited when this process was forked"
            )

    def _drain(self, *, release: bool = True) -> list[bytes]:
        """What waits. Markers among it are released, unless those who wait for them are another process's."""
        found: list[bytes] = []
        while not self._queue.empty():
            item = self._queue.get_nowait()
            if isinstance(item, bytes):
                found.append(item)
            elif release:
                item.set()
        return found

    # In the task

    async def _run(self) -> None:
        while True:
            try:
                await self._send_all()
            except Exception:  # whoever waits for `flush` waits for this task
                log.exception("delivery_failed")
                await asyncio.sleep(_PAUSE_SECONDS)

    async def _send_all(self) -> None:
        marker: _Marker | None = None
        while True:
            if self._taken or (marker := await self._take()) is None:
                marker = await self._send_with_company()
            if marker is not None:
                marker.set()

    async def _take(self) -> _Marker | None:
        """Take the next event, or return the marker that came first."""
        item = await self._queue.get()
        if isinstance(item, _Marker):
            return item
        self._taken.append(item)
        return None

    async def _send_with_company(self) -> _Marker | None:
        """Send what was taken with what follows it shortly; returns the marker that ended the batch."""
        batch = Batch(self._options)
        for event in self._taken:  # more than one where a task was cancelled or its loop ended
            if not batch.fits(event):
                break
            batch.add(event)
        marker: _Marker | None = None
        deadline = asyncio.get_running_loop().time() + self._options.linger_seconds
        while len(batch.items) == len(self._taken) and not batch.full and marker is None:
            try:
                async with asyncio.timeout_at(deadline):
                    marker = await self._take()
            except TimeoutError:
                break
            if marker is None and batch.fits(self._taken[-1]):
                batch.add(self._taken[-1])
        await self._deliver(batch.items)
        return marker

    async def _deliver(self, items: list[bytes]) -> None:
        try:
            receipt = await self._send(items, asyncio.sleep)
        except Exception as error:
            self._taken = self._taken[len(items) :]
            self._outcome.lost(items, error)
        else:
            self._taken = self._taken[len(items) :]
            self._outcome.received(receipt)
