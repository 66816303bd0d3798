"""Running requests against a target: as fast as they go, or at a rate."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec

from neonblue.bench.http import Answer, BrokenError, Connection, OnAnswer, Target

MakeRequest = Callable[[], bytes]


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
    load = _Load(target, plan, make, on_answer)
    connections = [await Connection.open(target.host, target.port) for _ in range(plan.connections)]
    load.started = time.perf_counter()
    workers = [_Worker(load, connection) for connection in connections]
    for worker in workers:
        worker.go_on()
    try:
        await asyncio.gather(*(worker.done for worker in workers))
    finally:
        for worker in workers:
            worker.connection.close()
    load.measured.seconds = time.perf_counter() - load.started
    return load.measured


@dataclass(slots=True)
class _Load:
    """What the workers share. turn: the requests given out so far."""

    target: Target
    plan: Plan
    make: MakeRequest
    on_answer: OnAnswer
    measured: Measured = field(default_factory=Measured)
    started: float = 0.0
    turn: int = 0

    def next_due(self) -> float | None:
        """When the next request is due; None at the end."""
        offset = time.perf_counter() - self.started
        if self.plan.rate is not None:
            offset, self.turn = self.turn / self.plan.rate, self.turn + 1
        return self.started + offset if offset < self.plan.seconds else None


class _Worker:
    """One request after the other on a connection, by callbacks: a task for each would be the dearest part of it."""

    def __init__(self, load: _Load, connection: Connection) -> None:
        self.connection = connection
        self._loop = asyncio.get_running_loop()
        self.done: asyncio.Future[None] = self._loop.create_future()
        self._load = load
        self._due = 0.0
        self._opening: asyncio.Task[None] | None = None

    def go_on(self) -> None:
        """Send the next request when it is due."""
        due = self._load.next_due()
        if due is None:
            self.done.set_result(None)
            return
        self._due = due
        wait = due - time.perf_counter()
        if wait > 0:
            self._loop.call_later(wait, self._send)
        else:
            self._send()

    def _send(self) -> None:
        try:
            self.connection.send(self._load.make(), self._answered, self._broken)
        except Exception as error:  # it ends the run where that is awaited
            self.done.set_exception(error)

    def _answered(self, answer: Answer) -> None:
        measured = self._load.measured
        measured.latencies.append(time.perf_counter() - self._due)
        measured.statuses[answer.status] = measured.statuses.get(answer.status, 0) + 1
        try:
            self._load.on_answer(answer)
        except Exception as error:  # it ends the run where that is awaited
            self.done.set_exception(error)
        else:
            self.go_on()

    def _broken(self, _: BrokenError) -> None:
        self._load.measured.broken += 1
        self._opening = self._loop.create_task(self._reopen())

    async def _reopen(self) -> None:
        try:
            self.connection = await Connection.open(self._load.target.host, self._load.target.port)
        except OSError as error:
            self.done.set_exception(error)
        else:
            self.go_on()


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """The fastest loop there is: the generator shares its cores with what it measures."""
    if find_spec("uvloop") is None:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = import_module("uvloop").new_event_loop
    return factory
