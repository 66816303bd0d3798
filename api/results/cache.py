"""Live looks at experiments, computed once for all who ask at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from api.metrics import RESULT_LOOKS
from api.recent import RecentMap
from neonblue.results.look import Look

_EXPERIMENTS = 200


@dataclass(slots=True)
class _Entry:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    at: float = 0.0
    seen: Look | None = None


class Looks:
    """The newest look at each experiment; one that is older than `seconds` is computed anew."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._entries: RecentMap[str, _Entry] = RecentMap(_EXPERIMENTS)

    async def get(self, key: str, compute: Callable[[], Awaitable[Look]]) -> Look:
        """The look of `key`; concurrent callers wait for one computation. Raises what `compute` raises."""
        entry = self._entries.get(key)
        if entry is None:
            entry = _Entry()
            self._entries.put(key, entry)
        async with entry.lock:
            now = asyncio.get_running_loop().time()
            if entry.seen is not None and now - entry.at <= self._seconds:
                RESULT_LOOKS.add("cache")
            else:
                RESULT_LOOKS.add("computed")
                entry.seen = await compute()
                entry.at = asyncio.get_running_loop().time()
            return entry.seen
