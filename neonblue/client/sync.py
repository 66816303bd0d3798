"""The client for programs that block."""

from __future__ import annotations

import atexit
import queue
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Self, Unpack
from uuid import UUID

import httpx

from neonblue.bucketing.document import ConfigurationDocument
from neonblue.client import calls
from neonblue.client.batching import Batch, BatchOptions
from neonblue.client.build import EventFields, exposure_fields, new_event, unstored
from neonblue.client.errors import ClientError, ClosedError, QueueFullError
from neonblue.client.local import CONFIGURATION_ATTEMPTS, LocalAssignment, LocalEvaluator, Refresher
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
from neonblue.client.transport import T, execute, headers

_CARRY_SECONDS = 1.0
_Marker = threading.Event
"""Put into the queue to learn when everything before it was sent."""


class Client:
    """Talks to NeonBlue's API; may be shared by threads.

    `track` and `expose` only queue: a background thread sends batches, retries them until they are stored,
    and is flushed by `flush`, `close`, leaving the `with` block, or the program's exit. Everything else is
    sent at once and raises a `ClientError` when refused.
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
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._http = httpx.Client(
            base_url=base_url, headers=headers(token), timeout=timeout_seconds, transport=transport
        )
        self._retry = retry or RetryPolicy()
        self._options = batch or BatchOptions()
        self._outcome = Outcome(on_rejected, on_lost)
        self._queue: queue.Queue[bytes | _Marker] = queue.Queue(self._options.queue_items)
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._closed = False
        self._local = LocalEvaluator()
        self._refresher = Refresher(self._local, self._fetch_configuration, refresh_seconds)

    # Sent at once

    def send(self, events: Sequence[NewEvent]) -> EventReceipt:
        """Store at most 1,000 events; returns when they are durable. The receipt names rejected ones."""
        return self._execute(calls.events(events))

    def assign(self, experiment: str, user_id: str, **fields: Any) -> Assignment:
        """The unit's variant; its exposure is recorded unless `expose=False`. Fields: see `NewAssignment`."""
        item = NewAssignment(experiment=experiment, user_id=user_id, **fields)
        answer = self._execute(calls.assign(item))
        self._carry(item, [answer])
        return answer

    def assign_all(self, user_id: str, **fields: Any) -> list[Assignment]:
        """The unit's variant in every running experiment of its type; call `expose` when one is used."""
        item = NewAssignment(user_id=user_id, **fields)
        answers = self._execute(calls.assign_all(item)).items
        self._carry(item, answers)
        return answers

    def assign_many(self, items: Sequence[NewAssignment]) -> list[Assignment]:
        """Variants of at most 1,000 units, in their order."""
        answers = self._execute(calls.assign_many(items)).items
        for answer in answers:
            if answer.index is not None:
                self._carry(items[answer.index], [answer])
        return answers

    def link(self, anonymous_id: str, user_id: str, unit_type: str | None = None) -> Any:
        """Say that an anonymous id is this person's. Raises ConflictError where it is another's."""
        return self._execute(calls.link(anonymous_id, user_id, unit_type))

    def create_experiment(self, experiment: NewExperiment) -> Experiment:
        """Create a draft. Raises ConflictError when the key is taken."""
        return self._execute(calls.create_experiment(experiment))

    def start(self, key: str, reason: str | None = None) -> Experiment:
        """Start a draft, or a scheduled one before its time. Raises ConflictError where that is not legal."""
        return self._execute(calls.step(key, "start", reason))

    def schedule(self, key: str, reason: str | None = None) -> Experiment:
        """Have a draft start at its `scheduled_start_at`."""
        return self._execute(calls.step(key, "schedule", reason))

    def pause(self, key: str, reason: str | None = None) -> Experiment:
        """Pause a running experiment."""
        return self._execute(calls.step(key, "pause", reason))

    def resume(self, key: str, reason: str | None = None) -> Experiment:
        """Go on with a paused experiment."""
        return self._execute(calls.step(key, "resume", reason))

    def conclude(self, key: str, decision: Decision | None = None) -> Experiment:
        """Conclude a running experiment."""
        return self._execute(calls.step(key, "conclude", decision))

    def archive(self, key: str, reason: str | None = None) -> Experiment:
        """Archive a concluded experiment."""
        return self._execute(calls.step(key, "archive", reason))

    def change(self, key: str, changes: Mapping[str, Any], *, version: int) -> Experiment:
        """Change what the experiment's state allows; `version`: the one these changes were made from.

        Raises PreconditionError where another change came first.
        """
        return self._execute(calls.change(key, changes, version))

    def experiment(self, key: str) -> Experiment:
        """One experiment. Raises NotFoundError."""
        return self._execute(calls.experiment(key))

    def experiments(self) -> Any:
        """All experiments."""
        return self._execute(calls.experiments())

    def results(self, key: str) -> Any:
        """The newest results of an experiment."""
        return self._execute(calls.results(key))

    # Evaluated here

    def variant(
        self,
        experiment: str,
        user_id: str,
        attributes: Mapping[str, Any] | None = None,
        *,
        expose: bool = True,
    ) -> LocalAssignment:
        """The unit's variant by the downloaded configuration: no call, but for the first, which downloads it.

        Queues the exposure, which carries the assignment, once for each unit. What the API has stored of a unit is
        not known here: after a change of targeting or attributes a unit that was in may be told that it is out.
        """
        self._ensure_open()
        self._refresher.start()
        found = self._local.evaluate(experiment, user_id, attributes)
        if expose and found.exposable and self._local.first_use(found):
            self.track("exposure", user_id, **exposure_fields(found, found.unit_type))
        return found

    # Queued

    def track(
        self,
        event_type: str,
        user_id: str,
        *,
        wait_seconds: float | None = None,
        **fields: Unpack[EventFields],
    ) -> UUID:
        """Queue an event and return its id. Blocks while the queue is full, at most `wait_seconds`.

        Raises QueueFullError after that, ClosedError on a closed client.
        """
        event = new_event(event_type, user_id, fields)
        self._start()
        try:
            self._queue.put(calls.encode(event), timeout=wait_seconds)
        except queue.Full:
            raise QueueFullError(f"{self._options.queue_items} events wait unsent") from None
        return event.id

    def expose(self, experiment: str, user_id: str, /, **fields: Unpack[EventFields]) -> UUID:
        """Queue an exposure: the unit met its variant now."""
        fields["experiment"] = experiment
        return self.track("exposure", user_id, **fields)

    @property
    def counts(self) -> DeliveryCounts:
        """What became of the tracked events so far."""
        return self._outcome.counts

    def flush(self, timeout_seconds: float | None = None) -> bool:
        """Wait until every event queued before is stored, rejected or lost; False when time ran out."""
        if self._thread is None:
            return True
        marker = _Marker()
        self._queue.put(marker)
        return marker.wait(timeout_seconds)

    def close(self) -> None:
        """Flush, then end the background thread and the connections."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self._refresher.stop()
        self.flush()
        self._http.close()
        atexit.unregister(self.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # The background thread

    def _start(self) -> None:
        with self._lock:
            if self._closed:
                raise ClosedError("the client is closed")
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="neonblue-client", daemon=True)
                self._thread.start()
                atexit.register(self.close)

    def _run(self) -> None:
        first: bytes | None = None
        while True:
            item = first if first is not None else self._queue.get()
            first = None
            if isinstance(item, _Marker):
                item.set()
                if self._closed:
                    return
                continue
            first, marker = self._send_with_company(item)
            if marker is not None:
                marker.set()
                if self._closed:
                    return

    def _send_with_company(self, event: bytes) -> tuple[bytes | None, _Marker | None]:
        """Send `event` with what follows it shortly; returns what was taken from the queue but not sent."""
        batch = Batch(self._options)
        batch.add(event)
        left: bytes | None = None
        marker: _Marker | None = None
        deadline = time.monotonic() + self._options.linger_seconds
        while not batch.full:
            try:
                item = self._queue.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                break
            if isinstance(item, _Marker):
                marker = item
                break
            if not batch.fits(item):
                left = item
                break
            batch.add(item)
        self._deliver(batch.items)
        return left, marker

    def _deliver(self, items: list[bytes]) -> None:
        patient = replace(self._retry, attempts=self._options.attempts)
        try:
            self._outcome.received(execute(self._http, calls.encoded_events(items), patient))
        except ClientError as error:
            self._outcome.lost(items, error)

    def _carry(self, item: NewAssignment, answers: Sequence[Assignment]) -> None:
        """Queue the exposures that could not be stored with their assignments."""
        for answer in unstored(item, answers):
            fields = exposure_fields(answer, item.unit_type)
            try:
                self.track("exposure", answer.user_id, wait_seconds=_CARRY_SECONDS, **fields)
            except QueueFullError as error:
                self._outcome.lost([calls.encode(new_event("exposure", answer.user_id, fields))], error)

    def _fetch_configuration(self) -> ConfigurationDocument | None:
        brief = replace(self._retry, attempts=min(self._retry.attempts, CONFIGURATION_ATTEMPTS))
        return execute(self._http, calls.configuration(self._local.revision), brief)

    def _ensure_open(self) -> None:
        if self._closed:
            raise ClosedError("the client is closed")

    def _execute(self, call: calls.Call[T]) -> T:
        self._ensure_open()
        return execute(self._http, call, self._retry)
