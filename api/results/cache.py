"""What is read of experiments' results, computed once for all who ask at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from api.metrics import RESULT_LOOKS
from api.recent import RecentMap
from neonblue.results.look import Look

_EXPERIMENTS = 200

Found = TypeVar("Found")


@dataclass(slots=True)
class _Entry(Generic[Found]):
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    rounds: int = 0
    at: float = 0.0
    seen: Found | None = None
    failure: Exception | None = None


class Shared(Generic[Found]):
    """The newest of each experiment; one that is older than `seconds` is computed anew."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._entries: RecentMap[str, _Entry[Found]] = RecentMap(_EXPERIMENTS)

    async def get(self, key: str, compute: Callable[[], Awaitable[Found]]) -> Found:
        """What is found of `key`. Concurrent callers wait for one computation, and share what it raises: one after
        another they would each wait as long for what is away.
        """
        entry = self._entries.get(key)
        if entry is None:
            entry = _Entry()
            self._entries.put(key, entry)
        rounds = entry.rounds
        async with entry.lock:
            if entry.failure is not None and entry.rounds != rounds:
                raise entry.failure
            now = asyncio.get_running_loop().time()
            known = entry.seen is not None and now - entry.at <= self._seconds
            self._count(known)
            if not known:
                await self._compute(entry, compute)
            assert entry.seen is not None  # noqa: S101 - computed, or it was raised
            return entry.seen

    def known(self, key: str) -> tuple[Found, float] | None:
        """The newest of `key`, however old, and its age in seconds; None where there is none. Waits for nothing."""
        entry = self._entries.get(key)
        if entry is None or entry.seen is None:
            return None
        return entry.seen, asyncio.get_running_loop().time() - entry.at

    def _count(self, known: bool) -> None:
        """Tell the metrics."""

    @staticmethod
    async def _compute(entry: _Entry[Found], compute: Callable[[], Awaitable[Found]]) -> None:
        entry.failure = None
        try:
            entry.seen = await compute()
            entry.at = asyncio.get_running_loop().time()
        except Exception as error:
            entry.failure = error
            raise
        finally:
            entry.rounds += 1


class Looks(Shared[Look]):
    """Live looks at experiments."""

    def _count(self, known: bool) -> None:
        RESULT_LOOKS.add("cache" if known else "computed")
