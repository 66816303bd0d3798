"""Collecting single events into requests."""

from __future__ import annotations

from dataclasses import dataclass, field

REQUEST_ITEMS = 1_000
REQUEST_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """How events are collected in the background.

    items, bytes: a request holds at most so much. linger_seconds: the longest an event waits for company.
    queue_items: events that may wait unsent before `track` blocks. attempts: how often one request is made
    (with the default waits 60 are about five minutes) before its events are handed to `on_lost`. close_seconds: how
    long `close` and the program's end wait for what is unsent.
    """

    items: int = 200
    bytes: int = 512 * 1024
    linger_seconds: float = 0.2
    queue_items: int = 10_000
    attempts: int = 60
    close_seconds: float = 30.0

    def __post_init__(self) -> None:
        if not 1 <= self.items <= REQUEST_ITEMS:
            raise ValueError(f"items: must be 1 to {REQUEST_ITEMS}, got {self.items}")
        if not 1 <= self.bytes <= REQUEST_BYTES:
            raise ValueError(f"bytes: must be 1 to {REQUEST_BYTES}, got {self.bytes}")
        if self.queue_items < 1:
            raise ValueError(f"queue_items: must be at least 1, got {self.queue_items}")


@dataclass(slots=True)
class Batch:
    """Encoded events that will be one request: `[a,b,…]`."""

    options: BatchOptions
    items: list[bytes] = field(default_factory=list)
    size: int = 2

    def fits(self, event: bytes) -> bool:
        """Whether `event` may join. A single event larger than a request fits an empty batch: the API refuses
        it by name, where we could only guess."""
        if not self.items:
            return True
        return len(self.items) < self.options.items and self.size + len(event) + 1 <= self.options.bytes

    def add(self, event: bytes) -> None:
        self.items.append(event)
        self.size += len(event) + 1

    @property
    def full(self) -> bool:
        return len(self.items) >= self.options.items or self.size >= self.options.bytes
