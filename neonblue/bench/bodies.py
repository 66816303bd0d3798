"""Bodies of events, made as cheaply as possible, each event with an id of its own."""

from __future__ import annotations

import os
import random
import time
from collections import deque
from datetime import UTC, datetime

USERS = 100_000
REMEMBERED = 20_000
PAGES = ("/", "/search", "/product", "/cart", "/checkout")


class EventBodies:
    """Makes requests of `batch` events; a share of `duplicates` repeats events sent earlier."""

    def __init__(self, batch: int, duplicates: float, seed: int = 1) -> None:
        if not 1 <= batch <= 1_000:
            raise ValueError(f"batch: must be 1 to 1000, got {batch}")
        if not 0 <= duplicates < 1:
            raise ValueError(f"duplicates: must be at least 0 and below 1, got {duplicates}")
        self._batch = batch
        self._duplicates = duplicates
        self._random = random.Random(seed)  # noqa: S311 - a load, no secret
        self._sent: deque[bytes] = deque(maxlen=REMEMBERED)
        self.events = 0

    def body(self) -> bytes:
        """An array of events; a single event for a batch of one."""
        clock = time.time_ns() // 1_000
        prefix, moment = f"{clock // 1_000:012x}", datetime.fromtimestamp(clock / 1e6, UTC).isoformat()
        randomness = os.urandom(10 * self._batch).hex()
        events = [
            self._event(prefix, moment, randomness[20 * place : 20 * place + 20])
            for place in range(self._batch)
        ]
        self.events += self._batch
        return events[0] if self._batch == 1 else b"[" + b",".join(events) + b"]"

    def _event(self, prefix: str, moment: str, digits: str) -> bytes:
        draw = self._random.random
        if self._duplicates and self._sent and draw() < self._duplicates:
            return self._sent[int(draw() * len(self._sent))]
        user = int(draw() * USERS)
        event = (
            f'{{"id":"{prefix[:8]}-{prefix[8:]}-7{digits[:3]}-8{digits[3:6]}-{digits[6:18]}",'
            f'"user_id":"user-{user}","event_type":"page_view","timestamp":"{moment}",'
            f'"session_id":"session-{user % 1000}","properties":{{"page":"{PAGES[user % 5]}"}}}}'
        ).encode()
        if self._duplicates:
            self._sent.append(event)
        return event
