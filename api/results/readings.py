"""Readings that somebody waits for a while: what does not answer goes on, and is begun once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

Found = TypeVar("Found")


class Readings:
    """By name. A reading that hangs holds its thread: no other of its name is begun beside it."""

    def __init__(self) -> None:
        self.under_way: dict[str, asyncio.Task[Any]] = {}

    async def within(
        self, seconds: float, name: str, read: Callable[[], Coroutine[Any, Any, Found]]
    ) -> Found | None:
        """What it finds or raises; None where it takes longer."""
        reading = self.under_way.get(name)
        if reading is None:
            reading = self.under_way[name] = asyncio.create_task(read())
            reading.add_done_callback(lambda ended: self._ended(name, ended))
        await asyncio.wait((reading,), timeout=seconds)
        return reading.result() if reading.done() else None

    def _ended(self, name: str, reading: asyncio.Task[Any]) -> None:
        del self.under_way[name]
        if not reading.cancelled():
            reading.exception()  # nobody may have waited so long for it
