"""What the background sender tells about events that were not stored."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import msgspec

from neonblue.client.messages import EventReceipt
from neonblue.client.quiet_log import log
from neonblue.contract.answers import EventItem

OnRejected = Callable[[EventItem], object]
OnLost = Callable[[Sequence[bytes], Exception], object]


class DeliveryCounts(msgspec.Struct):
    """What became of the events given to `track` so far, in this process.

    defaulted: assignments that were answered with the caller's default; nothing was stored of them.
    """

    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    lost: int = 0
    defaulted: int = 0


class Outcome:
    """Counts what became of events and tells the application about those that were not stored."""

    def __init__(self, on_rejected: OnRejected | None, on_lost: OnLost | None) -> None:
        self.counts = DeliveryCounts()
        self._on_rejected = on_rejected or log_rejected
        self._on_lost = on_lost or log_lost
        self._silent_until = 0.0

    def after_fork(self) -> None:
        """Count this process's events only."""
        self.counts = DeliveryCounts()

    def received(self, receipt: EventReceipt) -> None:
        self.counts.accepted += receipt.accepted
        self.counts.duplicates += receipt.duplicates
        self.counts.rejected += receipt.rejected
        for item in receipt.rejections:
            self._tell(self._on_rejected, item)

    def lost(self, events: Sequence[bytes], error: Exception) -> None:
        self.counts.lost += len(events)
        self._tell(self._on_lost, events, error)

    def defaulted(self, experiment: str, error: Exception) -> None:
        """Count an assignment that became the caller's default. Said once a second: an outage has many."""
        self.counts.defaulted += 1
        now = time.monotonic()
        if now >= self._silent_until:
            self._silent_until = now + 1.0
            log.warning(
                "default_variant", experiment=experiment, error=str(error), defaulted=self.counts.defaulted
            )

    def _tell(self, callback: Callable[..., object], *arguments: object) -> None:
        """Call the application: its errors must not end the sending of other events."""
        try:
            callback(*arguments)
        except Exception:
            log.exception("callback_failed", callback=getattr(callback, "__qualname__", repr(callback)))


def log_rejected(item: EventItem) -> None:
    """Say which event broke which rule: never its content, which may hold personal data."""
    log.warning("event_rejected", id=item.id, code=item.code, field=item.field)


def log_lost(events: Sequence[bytes], error: Exception) -> None:
    """Say how many events were given up."""
    log.error("events_lost", events=len(events), error=str(error))
