"""The client for asyncio programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Self, Unpack

from neonblue.bucketing import Reason
from neonblue.bucketing.document import ConfigurationDocument
from neonblue.client import calls
from neonblue.client.async_connection import CONNECTIONS, AsyncConnection, AsyncTransport
from neonblue.client.async_delivery import AsyncDelivery
from neonblue.client.async_refresher import AsyncRefresher
from neonblue.client.batching import BatchOptions
from neonblue.client.build import EventFields, exposure_fields, new_event, unstored
from neonblue.client.errors import ClientError, ClosedError, QueueFullError
from neonblue.client.forks import renew_after_fork
from neonblue.client.limits import ASSIGN_SECONDS, FLUSH_SECONDS, WAIT_SECONDS
from neonblue.client.local import CONFIGURATION_ATTEMPTS, DEFAULT, LocalAssignment, LocalEvaluator
from neonblue.client.messages import (
    Assignment,
    Decision,
    EventReceipt,
    Experiment,
    NewAssignment,
    NewEvent,
    NewExperiment,
    NewRelease,
)
from neonblue.client.outcome import DeliveryCounts, OnLost, OnRejected, Outcome
from neonblue.client.retry import RetryPolicy
from neonblue.client.transport import AsyncSleep, T


class AsyncClient:
    """Talks to NeonBlue's API from one event loop at a time; the same calls and times as `Client`.

    `track` and `expose` only queue. A task sends batches and retries them until they are stored.
    It is flushed by `flush`, `close` and the end of the `async with` block, not at the program's exit:
    what waited when an event loop ended is sent by the next one, or by `close`.

    Everything else is sent at once and raises a `ClientError` when refused.

    timeout_seconds: the longest one request takes. assign_seconds: the longest that `assign`, `assign_all` and the
    download before the first `variant` take, retries included: a page waits for them. corrects_clock: whether times of
    events are corrected by this machine's clock; False where they come from other clocks.
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
        assign_seconds: float = ASSIGN_SECONDS,
        refresh_seconds: float = 30.0,
        connections: int = CONNECTIONS,
        corrects_clock: bool = True,
        transport: AsyncTransport | None = None,
    ) -> None:
        self._connection = AsyncConnection(
            base_url, token, timeout_seconds, connections, transport, corrects_clock=corrects_clock
        )
        self._retry = retry or RetryPolicy()
        self._options = batch or BatchOptions()
        self._assign_seconds = assign_seconds
        self._outcome = Outcome(on_rejected, on_lost)
        self._delivery = AsyncDelivery(self._send_batch, self._options, self._outcome)
        self._local = LocalEvaluator()
        self._refresher = AsyncRefresher(self._local, self._fetch_configuration, refresh_seconds)
        self._closed = False
        renew_after_fork(self)

    # Sent at once

    async def send(self, events: Sequence[NewEvent]) -> EventReceipt:
        """Store at most 1,000 events; returns when they are durable. The receipt names rejected ones."""
        return await self._execute(calls.events(events))

    async def assign(
        self, experiment: str, user_id: str, *, default: str | None = None, **fields: Any
    ) -> Assignment:
        """The unit's variant; its exposure is recorded unless `expose=False`. Fields: see `NewAssignment`.

        default: the variant to use where the API does not answer within `assign_seconds`, or refuses; then nothing
        is raised, `reason` is "default", no exposure is stored by this client, and `counts.defaulted` grows. Without
        one a ClientError is raised.
        """
        item = NewAssignment(experiment=experiment, user_id=user_id, **fields)
        try:
            answer = await self._execute(calls.assign(item), self._assign_seconds)
        except ClosedError:
            raise
        except ClientError as error:
            if default is None:
                raise
            self._outcome.defaulted(experiment, error)
            return Assignment.by_default(experiment, user_id, default, DEFAULT)
        await self._carry(item, [answer])
        return answer

    async def assign_all(self, user_id: str, **fields: Any) -> list[Assignment]:
        """The unit's variant in every running experiment of its type; call `expose` when one is used."""
        item = NewAssignment(user_id=user_id, **fields)
        answers = (await self._execute(calls.assign_all(item), self._assign_seconds)).items
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

    async def roll_back(self, key: str, reason: str | None = None) -> Experiment:
        """Put everybody on the control and close the enrolment; `resume` undoes it."""
        return await self._execute(calls.step(key, "roll_back", reason))

    async def resume(self, key: str, reason: str | None = None) -> Experiment:
        """Go on with a paused experiment."""
        return await self._execute(calls.step(key, "resume", reason))

    async def conclude(self, key: str, decision: Decision | None = None) -> Experiment:
        """Conclude a running experiment."""
        return await self._execute(calls.step(key, "conclude", decision))

    async def archive(self, key: str, reason: str | None = None, *, force: bool = False) -> Experiment:
        """Archive a concluded experiment: its key gives nothing any more.

        force: although the key was asked for in the last seven days, for which a reason is required; without it that
        raises ConflictError.
        """
        return await self._execute(calls.archive(key, reason, force=force))

    async def change(self, key: str, changes: Mapping[str, Any], *, version: int) -> Experiment:
        """Change what the experiment's state allows; `version`: the one these changes were made from.

        Raises PreconditionError where another change came first.
        """
        return await self._execute(calls.change(key, changes, version))

    async def release(
        self, key: str, release: NewRelease, *, version: int, reason: str | None = None
    ) -> Experiment:
        """Change what a concluded experiment's key gives, and to whom; `version` as in `change`."""
        return await self._execute(calls.release(key, release, version, reason))

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
        default: str | None = None,
    ) -> LocalAssignment:
        """The unit's variant by the downloaded configuration: no call, but for the first, which downloads it.

        Queues the exposure, which carries the assignment, once for each unit. What the API has stored of a unit is
        not known here: after a change of targeting or attributes a unit that was in may be told that it is out. While
        no new unit enters the experiment (`enrolment` closed), the API is asked once for each unit which variant is
        stored of it; where it does not answer within `assign_seconds` the unit gets the control.

        default: the variant to use where there is no configuration yet, as in `assign`.
        """
        self._ensure_open()
        try:
            await self._refresher.start()
        except ClientError as error:
            if default is None:
                raise
            self._outcome.defaulted(experiment, error)
            return LocalAssignment(experiment, user_id, default, DEFAULT)
        found = self._local.evaluate(experiment, user_id, attributes)
        if found.reason == Reason.ENROLMENT_CLOSED:
            found = self._local.asked(found) or await self._ask(found, attributes)
        if expose and found.exposable and self._local.first_use(found):
            await self._queue_exposure(found, found.unit_type)
        return found

    # Queued

    async def track(
        self,
        event_type: str,
        user_id: str,
        *,
        wait_seconds: float | None = WAIT_SECONDS,
        **fields: Unpack[EventFields],
    ) -> str:
        """Queue an event and return its id. Waits while the queue is full, at most `wait_seconds` (None: for ever).

        Raises QueueFullError after that, ClosedError on a closed client.
        """
        event = new_event(event_type, user_id, fields)
        await self._delivery.put(calls.encode(event), wait_seconds)
        return event.id

    async def expose(self, experiment: str, user_id: str, /, **fields: Unpack[EventFields]) -> str:
        """Queue an exposure: the unit met its variant now."""
        fields["experiment"] = experiment
        return await self.track("exposure", user_id, **fields)

    @property
    def counts(self) -> DeliveryCounts:
        """What became of the tracked events so far."""
        return self._outcome.counts

    async def flush(self, timeout_seconds: float | None = FLUSH_SECONDS) -> bool:
        """Wait until every event queued before is stored, rejected or lost; False when time ran out (None: never)."""
        return await self._delivery.flush(timeout_seconds)

    async def close(self, timeout_seconds: float | None = None) -> None:
        """Flush, then end what runs in the background and the connections.

        What is not stored within `timeout_seconds` (`BatchOptions.close_seconds` unless given) is counted as lost and
        told to `on_lost`.
        """
        if self._closed:
            return
        self._closed = True
        await self._refresher.stop()
        await self._delivery.close(
            self._options.close_seconds if timeout_seconds is None else timeout_seconds
        )
        await self._connection.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _after_fork(self) -> None:
        self._connection.after_fork()
        self._outcome.after_fork()
        self._delivery.after_fork()
        self._local.after_fork()
        self._refresher.after_fork()

    async def _send_batch(self, items: list[bytes], sleep: AsyncSleep) -> EventReceipt:
        patient = replace(self._retry, attempts=self._options.attempts)
        return await self._connection.execute(calls.encoded_events(items), patient, sleep=sleep)

    async def _carry(self, item: NewAssignment, answers: Sequence[Assignment]) -> None:
        """Queue the exposures that could not be stored with their assignments."""
        for answer in unstored(item, answers):
            await self._queue_exposure(answer, item.unit_type)

    async def _ask(self, closed: LocalAssignment, attributes: Mapping[str, Any] | None) -> LocalAssignment:
        """What the API has stored of a unit of an experiment that no new one enters; the control without an answer."""
        item = NewAssignment(
            experiment=closed.experiment,
            user_id=closed.user_id,
            unit_type=closed.unit_type,
            attributes=None if attributes is None else dict(attributes),
            expose=False,
        )
        try:
            answer = await self._execute(calls.assign(item), self._assign_seconds)
        except ClosedError:
            raise
        except ClientError as error:
            self._local.not_answered()
            self._outcome.defaulted(closed.experiment, error)
            return closed
        if not answer.durable:  # it could not be looked who is in
            self._local.not_answered()
            return closed
        return self._local.remember(closed, LocalAssignment.of(answer, closed.unit_type))

    async def _queue_exposure(self, found: Assignment | LocalAssignment, unit_type: str | None) -> None:
        """Queue the exposure that belongs to an answer. A full queue is counted and told: the answer stands."""
        fields = exposure_fields(found, unit_type)
        try:
            await self.track("exposure", found.user_id, wait_seconds=0, **fields)
        except QueueFullError as error:
            self._outcome.lost([calls.encode(new_event("exposure", found.user_id, fields))], error)

    async def _fetch_configuration(self) -> ConfigurationDocument | None:
        brief = replace(self._retry, attempts=min(self._retry.attempts, CONFIGURATION_ATTEMPTS))
        call = calls.configuration(self._local.revision)
        return await self._connection.execute(call, brief, self._assign_seconds)

    def _ensure_open(self) -> None:
        if self._closed:
            raise ClosedError("the client is closed")

    async def _execute(self, call: calls.Call[T], within_seconds: float | None = None) -> T:
        self._ensure_open()
        return await self._connection.execute(call, self._retry, within_seconds)
