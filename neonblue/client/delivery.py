"""Sending queued events from a background thread."""

from __future__ import annotations

import atexit
import multiprocessing
import queue
import threading
import time
from collections.abc import Callable
from multiprocessing import util as processes

from neonblue.client.batching import Batch, BatchOptions
from neonblue.client.errors import ClosedError, QueueFullError
from neonblue.client.messages import EventReceipt
from neonblue.client.outcome import Outcome
from neonblue.client.quiet_log import log
from neonblue.client.transport import Sleep

Send = Callable[[list[bytes], Sleep], EventReceipt]
"""Makes one request until it is answered for good; sleeps by the given function between attempts."""

_Marker = threading.Event
"""Put into the queue to learn when everything before it was sent."""

_PAUSE_SECONDS = 1.0
_END_SECONDS = 1.0
"""How long a thread that was told to end may take before it is left alone."""


class Delivery:
    """A bounded queue of encoded events and the thread that sends them; may be shared by threads.

    The thread is made with the first event, and again where it is gone: a fork copies the queue, but no thread.
    """

    def __init__(self, send: Send, options: BatchOptions, outcome: Outcome) -> None:
        self._send = send
        self._options = options
        self._outcome = outcome
        self._renew()

    def _renew(self) -> None:
        self._queue: queue.Queue[bytes | _Marker] = queue.Queue(self._options.queue_items)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._ended = threading.Event()
        self._taken: list[bytes] = []
        self._left_behind = 0

    def after_fork(self) -> None:
        """Begin anew in a forked child. What waited belongs to the parent, whose thread still sends it.

        Takes no lock: another thread of the parent may have held it at the fork, and nobody here releases it.
        """
        waiting, closed = sum(1 for item in self._queue.queue if isinstance(item, bytes)), self._closed
        self._renew()
        self._left_behind, self._closed = waiting, closed

    def put(self, event: bytes, wait_seconds: float | None) -> None:
        """Queue an event. Raises QueueFullError where there is no room within `wait_seconds`, ClosedError."""
        self._start()
        try:
            self._queue.put(event, timeout=wait_seconds)
        except queue.Full:
            raise QueueFullError(f"{self._options.queue_items} events wait unsent") from None

    def flush(self, timeout_seconds: float | None) -> bool:
        """Wait until every event queued before is stored, rejected or lost; False when time ran out."""
        if self._thread is None:
            return True
        if not self._closed:
            self._start()
        elif not self._thread.is_alive():
            return True
        marker = _Marker()
        before = time.monotonic()
        try:
            self._queue.put(marker, timeout=timeout_seconds)
        except queue.Full:
            return False
        if timeout_seconds is None:
            return marker.wait()
        return marker.wait(max(0.0, timeout_seconds - (time.monotonic() - before)))

    def close(self, timeout_seconds: float | None) -> None:
        """Flush, then end the thread; what could not be sent in time is counted as lost and told."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self._tell_left_behind()
        atexit.unregister(self._at_exit)
        if self._thread is None or self.flush(timeout_seconds):
            return
        self._ended.set()
        waiting = self._drain()
        self._queue.put(_Marker())
        self._thread.join(_END_SECONDS)
        if unsent := [*self._taken, *waiting]:
            self._outcome.lost(unsent, ClosedError(f"not stored within {timeout_seconds:g} s of closing"))

    def _start(self) -> None:
        if self._left_behind:
            self._tell_left_behind()
        thread = self._thread
        if thread is not None and thread.is_alive() and not self._closed:
            return
        with self._lock:
            if self._closed:
                raise ClosedError("the client is closed")
            if self._thread is None:
                atexit.register(self._at_exit)
                if multiprocessing.parent_process() is not None:  # such a child ends without atexit
                    processes.Finalize(None, self._at_exit, exitpriority=1)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="neonblue-client", daemon=True)
                self._thread.start()

    def _at_exit(self) -> None:
        self.close(self._options.close_seconds)

    def _tell_left_behind(self) -> None:
        waiting, self._left_behind = self._left_behind, 0
        if waiting:
            log.warning(
                "events_left_to_the_parent", events=waiting, reason="they waited when this process was forked"
            )

    def _drain(self) -> list[bytes]:
        """What waits. Markers among it are released."""
        found: list[bytes] = []
        while True:
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                return found
            if isinstance(item, bytes):
                found.append(item)
            else:
                item.set()

    # In the thread

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                self._send_all()
            except Exception:  # whoever waits for `flush` waits for this thread
                log.exception("delivery_failed")
                self._ended.wait(_PAUSE_SECONDS)
            else:
                return

    def _send_all(self) -> None:
        """Until the client is closed."""
        marker: _Marker | None = None
        while not self._ended.is_set():
            if self._taken or (marker := self._take(None)) is None:
                marker = self._send_with_company()
            if marker is not None:
                marker.set()
                if self._closed:
                    return

    def _take(self, timeout_seconds: float | None) -> _Marker | None:
        """Take the next event, or return the marker that came first. Raises queue.Empty."""
        item = self._queue.get(timeout=timeout_seconds)
        if isinstance(item, _Marker):
            return item
        self._taken.append(item)
        return None

    def _send_with_company(self) -> _Marker | None:
        """Send what was taken with what follows it shortly; returns the marker that ended the batch."""
        batch = Batch(self._options)
        for event in self._taken:  # more than one where a thread ended with a batch unsent
            if not batch.fits(event):
                break
            batch.add(event)
        marker: _Marker | None = None
        deadline = time.monotonic() + self._options.linger_seconds
        while len(batch.items) == len(self._taken) and not batch.full and marker is None:
            try:
                marker = self._take(max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                break
            if marker is None and batch.fits(self._taken[-1]):
                batch.add(self._taken[-1])
        self._deliver(batch.items)
        return marker

    def _deliver(self, items: list[bytes]) -> None:
        try:
            receipt = self._send(items, self._pause)
        except Exception as error:
            if self._ended.is_set():
                return  # `close` counts what was taken
            self._taken = self._taken[len(items) :]
            self._outcome.lost(items, error)
        else:
            self._taken = self._taken[len(items) :]
            self._outcome.received(receipt)

    def _pause(self, seconds: float) -> None:
        if self._ended.wait(seconds):
            raise ClosedError("the client was closed")
