"""A steady load that goes on whatever becomes of the server, and keeps account of every request."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

from neonblue.bench.http import Answer, BrokenError, Connection, Target

_FRESH_EVERY = 10
"""Each so many requests one goes over a connection of its own."""
_ANSWER_SECONDS = 60.0
_OK = 200


@dataclass(frozen=True, slots=True)
class Call:
    """A request that may be sent again, and who is told of its answer. acknowledged: whether it was the right one."""

    request: bytes
    acknowledged: Callable[[Answer], bool]


@dataclass(slots=True)
class Account:
    """What became of the requests: seconds since each was due, when each was answered, and what failed, by reason.

    lost: those that were never acknowledged, also when sent again.
    """

    seconds: list[float] = field(default_factory=list)
    answered: list[float] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)
    lost: int = 0

    @property
    def failed(self) -> int:
        return self.failures.total()

    def quantile(self, share: float) -> float:
        """Seconds that `share` of the answered requests did not exceed; NaN without any."""
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")

    @property
    def longest_gap(self) -> float:
        """Seconds without any acknowledgement."""
        moments = sorted(self.answered)
        return max((after - before for before, after in pairwise(moments)), default=0.0)


class Steady:
    """Sends `rate` requests a second over `connections` that are kept, a tenth of them over new ones, until `stop`.

    A request that fails is counted, and sent once more where `again`: it had no answer, so nobody knows whether it was
    heard.
    """

    def __init__(
        self,
        target: Target,
        rate: float,
        connections: int,
        make: Callable[[int], Call],
        *,
        again: bool = False,
    ) -> None:
        self._target, self._rate, self._connections = target, rate, connections
        self._make, self._again = make, again
        self._turn = 0
        self._started = 0.0
        self._ending = False
        self.account = Account()

    def stop(self) -> None:
        """Send no more; what is under way is awaited by `run`."""
        self._ending = True

    async def run(self) -> Account:
        self._started = time.perf_counter()
        async with asyncio.TaskGroup() as tasks:
            for _ in range(self._connections):
                tasks.create_task(self._work())
        return self.account

    async def _work(self) -> None:
        kept: Connection | None = None
        while not self._ending:
            turn, self._turn = self._turn, self._turn + 1
            due = self._started + turn / self._rate
            await asyncio.sleep(due - time.perf_counter())
            call = self._make(turn)
            kept = await self._send(call, kept, due, fresh=turn % _FRESH_EVERY == 0)
        if kept is not None:
            kept.close()

    async def _send(
        self, call: Call, kept: Connection | None, due: float, *, fresh: bool
    ) -> Connection | None:
        """Make the call; the connection that is kept for the next one."""
        for _ in range(2 if self._again else 1):
            connection = None if fresh else kept
            try:
                async with asyncio.timeout(_ANSWER_SECONDS):
                    if connection is None:
                        connection = await Connection.open(self._target.host, self._target.port)
                    answer = await connection.ask(call.request)
            except (OSError, BrokenError, TimeoutError) as error:
                self.account.failures[type(error).__name__] += 1
                kept = kept if fresh else None
                continue
            self.account.lost += not self._note(call, answer, due)
            if fresh or connection.closing:
                connection.close()
                return kept if fresh else None
            return connection
        self.account.lost += 1
        return kept

    def _note(self, call: Call, answer: Answer, due: float) -> bool:
        """Whether it is acknowledged."""
        now = time.perf_counter()
        if answer.status != _OK:
            self.account.failures[f"status {answer.status}"] += 1
        elif not call.acknowledged(answer):
            self.account.failures["wrong answer"] += 1
        else:
            self.account.seconds.append(now - due)
            self.account.answered.append(now)
            return True
        return False
