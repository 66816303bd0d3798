"""The client for asyncio programs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Self, Unpack
from uuid import UUID

import httpx
import structlog

from neonblue.client import calls
from neonblue.client.batching import Batch, BatchOptions
from neonblue.client.build import EventFields, exposure_fields, new_event, unstored
from neonblue.client.errors import ClientError, ClosedError, QueueFullError
from neonblue.client.local import CONFIGURATION_ATTEMPTS, LocalAssignment, LocalEvaluator, spread
from neonblue.client.messages import (
    Assignment,
    Decision,
    EventReceipt,
    Experiment,
    NewAssignment,
    NewEvent,
    NewExperiment,
)
from neonblue.client.outcome import DeliveryCounts, OnLost, OnRejected, Outcome
from neonblue.client.retry import RetryPolicy
from neonblue.client.transport import T, execute_async, headers

log = structlog.get_logger("neonblue.client")

_CARRY_SECONDS = 1.0
_Marker = asyncio.Event
"""Put into the queue to learn when everything before it was sent."""


class AsyncClient:
    """Talks to NeonBlue's API from one event loop; the same calls as `Client`.

    Use it as `async with AsyncClient(…) as client`: leaving the block flushes what `track` queued. An event
    loop that ends without it can't be caught up with, so there is no flush at the program's exit.
    """

    def __init__(
        self,
        base_url: str,
        token: str,
        *,
        retry: RetryPolicy | None = None,
        batch: BatchOptions | None = None,
        on_rejected: OnRejected | None = None,
        on_lost: OnLost | None = None,
        timeout_seconds: float = 30.0,
        refresh_seconds: float = 30.0,
        connections: int = 16,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._http = httpx.AsyncClient(
            base_url=base_url,
            headers=headers(token),
            timeout=httpx.Timeout(timeout_seconds, pool=None),
            limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
            transport=transport,
        )
        self._retry = retry or RetryPolicy()
        self._options = batch or BatchOptions()
        self._outcome = Outcome(on_rejected, on_lost)
        self._queue: asyncio.Queue[bytes | _Marker] = asyncio.Queue(self._options.queue_items)
        self._task: asyncio.Task[None] | None = None
        self._closed = False
        self._local = LocalEvaluator()
        self._refresh_seconds = refresh_seconds
        self._loading = asyncio.Lock()
        self._refreshing: asyncio.Task[None] | None = None

    # Sent at once

    async def send(self, events: Sequence[NewEvent]) -> EventReceipt:
        """Store at most 1,000 events; returns when they are durable. The receipt names rejected ones."""
        return await self._execute(calls.events(events))

    async def assign(self, experiment: str, user_id: str, **fields: Any) -> Assignment:
        """The unit's variant; its exposure is recorded unless `expose=False`. Fields: see `NewAssignment`."""
        item = NewAssignment(experiment=experiment, user_id=user_id, **fields)
        answer = await self._execute(calls.assign(item))
        await self._carry(item, [answer])
        return answer

    async def assign_all(self, user_id: str, **fields: Any) -> list[Assignment]:
        """The unit's variant in every running experiment of its type; call `expose` when one is used."""
        item = NewAssignment(user_id=user_id, **fields)
        answers = (await self._execute(calls.assign_all(item))).items
        await self._carry(item, answers)
        return answers

    async def assign_many(self, items: Sequence[NewAssignment]) -> list[Assignment]:
        """Variants of at most 1,000 units, in their order."""
        answers = (await self._execute(calls.assign_many(items))).items
        for answer in answers:
            if answer.index is not None:
                await self._carry(items[answer.index], [answer])
        return answers

    async def link(self, anonymous_id: str, user_id: str, unit_type: str | None = None) -> Any:
        """Say that an anonymous id is this person's. Raises ConflictError where it is another's."""
        return await self._execute(calls.link(anonymous_id, user_id, unit_type))

    async def create_experiment(self, experiment: NewExperiment) -> Experiment:
        """Create a draft. Raises ConflictError when the key is taken."""
        return await self._execute(calls.create_experiment(experiment))

    async def start(self, key: str, reason: str | None = None) -> Experiment:
        """Start a draft, or a scheduled one before its time. Raises ConflictError where that is not legal."""
        return await self._execute(calls.step(key, "start", reason))

    async def schedule(self, key: str, reason: str | None = None) -> Experiment:
        """Have a draft start at its `scheduled_start_at`."""
        return await self._execute(calls.step(key, "schedule", reason))

    async def pause(self, key: str, reason: str | None = None) -> Experiment:
        """Pause a running experiment."""
        return await self._execute(calls.step(key, "pause", reason))

    async def resume(self, key: str, reason: str | None = None) -> Experiment:
        """Go on with a paused experiment."""
        return await self._execute(calls.step(key, "resume", reason))

    async def conclude(self, key: str, decision: Decision | None = None) -> Experiment:
        """Conclude a running experiment."""
        return await self._execute(calls.step(key, "conclude", decision))

    async def archive(self, key: str, reason: str | None = None) -> Experiment:
        """Archive a concluded experiment."""
        return await self._execute(calls.step(key, "archive", reason))

    async def change(self, key: str, changes: Mapping[str, Any], *, version: int) -> Experiment:
        """Change what the experiment's state allows; `version`: the one these changes were made from.

        Raises PreconditionError where another change came first.
        """
        return await self._execute(calls.change(key, changes, version))

    async def experiment(self, key: str) -> Experiment:
        """One experiment. Raises NotFoundError."""
        return await self._execute(calls.experiment(key))

    async def experiments(self) -> Any:
        """All experiments."""
        return await self._execute(calls.experiments())

    async def results(self, key: str) -> Any:
        """The newest results of an experiment."""
        return await self._execute(calls.results(key))

    # Evaluated here

    async def variant(
        self,
        experiment: str,
        user_id: str,
        attributes: Mapping[str, Any] | None = None,
        *,
        expose: bool = True,
    ) -> LocalAssignment:
        """As `Client.variant`: by the downloaded configuration, with no call but the first."""
        self._ensure_open()
        await self._load_configuration()
        found = self._local.evaluate(experiment, user_id, attributes)
        if expose and found.exposable and self._local.first_use(found):
            await self.track("exposure", user_id, **exposure_fields(found, found.unit_type))
        return found

    # Queued

    async def track(
        self,
        event_type: str,
        user_id: str,
        *,
        wait_seconds: float | None = None,
        **fields: Unpack[EventFields],
    ) -> UUID:
        """Queue an event and return its id. Waits while the queue is full, at most `wait_seconds`.

        Raises QueueFullError after that, ClosedError on a closed client.
        """
        event = new_event(event_type, user_id, fields)
        self._start()
        try:
            async with asyncio.timeout(wait_seconds):
                await self._queue.put(calls.encode(event))
        except TimeoutError:
            raise QueueFullError(f"{self._options.queue_items} events wait unsent") from None
        return event.id

    async def expose(self, experiment: str, user_id: str, /, **fields: Unpack[EventFields]) -> UUID:
        """Queue an exposure: the unit met its variant now."""
        fields["experiment"] = experiment
        return await self.track("exposure", user_id, **fields)

    @property
    def counts(self) -> DeliveryCounts:
        """What became of the tracked events so far."""
        return self._outcome.counts

    async def flush(self) -> None:
        """Wait until every event queued before is stored, rejected or lost."""
        if self._task is None:
            return
        marker = _Marker()
        await self._queue.put(marker)
        await marker.wait()

    async def close(self) -> None:
        """Flush, then end the background task and the connections."""
        if self._closed:
            return
        self._closed = True
        if self._refreshing is not None:
            self._refreshing.cancel()
        await self.flush()
        if self._task is not None:
            self._task.cancel()
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # The background task

    def _start(self) -> None:
        if self._closed:
            raise ClosedError("the client is closed")
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="neonblue-client")

    async def _run(self) -> None:
        first: bytes | None = None
        while True:
            item = first if first is not None else await self._queue.get()
            first = None
            if isinstance(item, _Marker):
                item.set()
                continue
            first, marker = await self._send_with_company(item)
            if marker is not None:
                marker.set()

    async def _send_with_company(self, event: bytes) -> tuple[bytes | None, _Marker | None]:
        """Send `event` with what follows it shortly; returns what was taken from the queue but not sent."""
        batch = Batch(self._options)
        batch.add(event)
        left: bytes | None = None
        marker: _Marker | None = None
        deadline = asyncio.get_running_loop().time() + self._options.linger_seconds
        while not batch.full:
            try:
                async with asyncio.timeout_at(deadline):
                    item = await self._queue.get()
            except TimeoutError:
                break
            if isinstance(item, _Marker):
                marker = item
                break
            if not batch.fits(item):
                left = item
                break
            batch.add(item)
        await self._deliver(batch.items)
        return left, marker

    async def _deliver(self, items: list[bytes]) -> None:
        patient = replace(self._retry, attempts=self._options.attempts)
        try:
            self._outcome.received(await execute_async(self._http, calls.encoded_events(items), patient))
        except ClientError as error:
            self._outcome.lost(items, error)

    async def _carry(self, item: NewAssignment, answers: Sequence[Assignment]) -> None:
        """Queue the exposures that could not be stored with their assignments."""
        for answer in unstored(item, answers):
            fields = exposure_fields(answer, item.unit_type)
            try:
                await self.track("exposure", answer.user_id, wait_seconds=_CARRY_SECONDS, **fields)
            except QueueFullError as error:
                self._outcome.lost([calls.encode(new_event("exposure", answer.user_id, fields))], error)

    async def _load_configuration(self) -> None:
        """Download the configuration once, then keep it fresh in the background. Raises ClientError."""
        if self._refreshing is not None:
            return
        async with self._loading:
            if self._refreshing is None:
                await self._fetch_configuration()
                self._refreshing = asyncio.create_task(self._refresh(), name="neonblue-configuration")

    async def _refresh(self) -> None:
        while True:
            await asyncio.sleep(spread(self._refresh_seconds))
            try:
                await self._fetch_configuration()
            except ClientError as error:  # the configuration at hand stays good
                log.warning("configuration_not_refreshed", error=str(error))

    async def _fetch_configuration(self) -> None:
        brief = replace(self._retry, attempts=min(self._retry.attempts, CONFIGURATION_ATTEMPTS))
        call = calls.configuration(self._local.revision)
        self._local.install(await execute_async(self._http, call, brief))

    def _ensure_open(self) -> None:
        if self._closed:
            raise ClosedError("the client is closed")

    async def _execute(self, call: calls.Call[T]) -> T:
        self._ensure_open()
        return await execute_async(self._http, call, self._retry)
