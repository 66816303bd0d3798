"""What the background sender tells about events that were not stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import structlog

from neonblue.client.messages import EventItem, EventReceipt

log = structlog.get_logger("neonblue.client")

OnRejected = Callable[[EventItem], object]
OnLost = Callable[[Sequence[bytes], Exception], object]


class DeliveryCounts(msgspec.Struct):
    """What became of the events given to `track` so far."""

    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    lost: int = 0


class Outcome:
    """Counts what became of events and tells the application about those that were not stored."""

    def __init__(self, on_rejected: OnRejected | None, on_lost: OnLost | None) -> None:
        self.counts = DeliveryCounts()
        self._on_rejected = on_rejected or log_rejected
        self._on_lost = on_lost or log_lost

    def received(self, receipt: EventReceipt) -> None:
        self.counts.accepted += receipt.accepted
        self.counts.duplicates += receipt.duplicates
        self.counts.rejected += receipt.rejected
        for item in receipt.rejections:
            self._on_rejected(item)

    def lost(self, events: Sequence[bytes], error: Exception) -> None:
        self.counts.lost += len(events)
        self._on_lost(events, error)


def log_rejected(item: EventItem) -> None:
    """Say which event broke which rule: never its content, which may hold personal data."""
    log.warning("event_rejected", id=item.id, code=item.code, field=item.field)


def log_lost(events: Sequence[bytes], error: Exception) -> None:
    """Say how many events were given up."""
    log.error("events_lost", events=len(events), error=str(error))
