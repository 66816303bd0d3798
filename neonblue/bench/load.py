"""Running requests against a target: as fast as they go, or at a rate."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from neonblue.bench.http import Answer, BrokenError, Connection, Target

MakeRequest = Callable[[], bytes]
OnAnswer = Callable[[Answer], object]


@dataclass(frozen=True, slots=True)
class Plan:
    """How much load. rate: requests a second; None: each connection sends as soon as it is answered."""

    seconds: float
    connections: int
    rate: float | None = None


@dataclass(slots=True)
class Measured:
    """Latency of every answered request in seconds, the length of the run, requests by status, broken ones.

    At a rate, a latency counts from the moment the request was due, not from when a late generator got to it:
    else a stalled server would be asked less, and look better (coordinated omission; G. Tene, 2013).
    """

    latencies: list[float] = field(default_factory=list)
    seconds: float = 0.0
    statuses: dict[int, int] = field(default_factory=dict)
    broken: int = 0

    @property
    def requests_per_second(self) -> float:
        return len(self.latencies) / self.seconds if self.seconds else 0.0

    def quantile(self, share: float) -> float:
        """The latency that `share` of the requests did not exceed; NaN without requests."""
        if not self.latencies:
            return float("nan")
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


async def run(target: Target, plan: Plan, make: MakeRequest, on_answer: OnAnswer) -> Measured:
    """Load the target for `plan.seconds`; what is under way then is still awaited."""
    measured = Measured()
    clock = time.perf_counter
    started = clock()
    turn = 0

    async def work() -> None:
        nonlocal turn
        connection = await Connection.open(target.host, target.port)
        while True:
            offset = clock() - started
            if plan.rate is not None:
                offset, turn = turn / plan.rate, turn + 1
            if offset >= plan.seconds:
                break
            due = started + offset
            if plan.rate is not None:
                await asyncio.sleep(max(0.0, due - clock()))
            try:
                answer = await connection.ask(make())
            except BrokenError:
                measured.broken += 1
                connection = await Connection.open(target.host, target.port)
                continue
            measured.latencies.append(clock() - due)
            measured.statuses[answer.status] = measured.statuses.get(answer.status, 0) + 1
            on_answer(answer)
        connection.close()

    async with asyncio.TaskGroup() as tasks:
        for _ in range(plan.connections):
            tasks.create_task(work())
    measured.seconds = clock() - started
    return measured
