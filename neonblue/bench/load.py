"""Running requests against a target: as fast as they go, or at a rate."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec

from neonblue.bench.http import Answer, BrokenError, Connection, OnAnswer, Target

MakeRequest = Callable[[], bytes]

_TICK_SECONDS = 0.001


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
    connections = [await Connection.open(target.host, target.port) for _ in range(plan.connections)]
    load = _Load(target, plan, make, on_answer)
    workers = [_Worker(load, connection) for connection in connections]
    for worker in workers:
        load.next(worker)
    try:
        await asyncio.gather(*(worker.done for worker in workers))
    finally:
        for worker in workers:
            worker.connection.close()
    load.measured.seconds = time.perf_counter() - load.started
    return load.measured


class _Load:
    """What the workers share: which request is due when, and who is free to send it."""

    def __init__(self, target: Target, plan: Plan, make: MakeRequest, on_answer: OnAnswer) -> None:
        self.target, self.plan, self.make, self.on_answer = target, plan, make, on_answer
        self.measured = Measured()
        self.started = time.perf_counter()
        self._turn = 0
        self._free: deque[_Worker] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()

    def next(self, worker: _Worker) -> None:
        """Let the worker send when the next request is due, or end where none is left."""
        self._free.append(worker)
        self._send()

    def _send(self) -> None:
        """Send what is due within half a tick; look again in a tick. A timer for each would be dear."""
        while self._free:
            now = time.perf_counter() - self.started
            due = now if self.plan.rate is None else self._turn / self.plan.rate
            if due >= self.plan.seconds:
                self._free.popleft().end()
            elif due <= now + _TICK_SECONDS / 2:
                self._turn += 1
                self._free.popleft().send(self.started + min(due, now))
            else:
                if self._timer is None:
                    self._timer = self._loop.call_later(_TICK_SECONDS, self._wake)
                return

    def _wake(self) -> None:
        self._timer = None
        self._send()


class _Worker:
    """One request after the other on a connection, by callbacks: a task for each would be the dearest part of it.

    A latency counts from when the request was due, or was sent where that was earlier.
    """

    def __init__(self, load: _Load, connection: Connection) -> None:
        self.connection = connection
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._load = load
        self._due = 0.0
        self._opening: asyncio.Task[None] | None = None

    def end(self) -> None:
        if not self.done.done():
            self.done.set_result(None)

    def send(self, due: float) -> None:
        self._due = due
        try:
            self.connection.send(self._load.make(), self._answered, self._broken)
        except Exception as error:  # it ends the run where that is awaited
            self._fail(error)

    def _answered(self, answer: Answer) -> None:
        measured = self._load.measured
        measured.latencies.append(time.perf_counter() - self._due)
        measured.statuses[answer.status] = measured.statuses.get(answer.status, 0) + 1
        try:
            self._load.on_answer(answer)
        except Exception as error:  # it ends the run where that is awaited
            self._fail(error)
        else:
            self._go_on()

    def _go_on(self) -> None:
        if self.connection.closing:
            self._opening = asyncio.get_running_loop().create_task(self._reopen())
        else:
            self._load.next(self)

    def _broken(self, _: BrokenError) -> None:
        self._load.measured.broken += 1
        self._opening = asyncio.get_running_loop().create_task(self._reopen())

    async def _reopen(self) -> None:
        self.connection.close()
        try:
            self.connection = await Connection.open(self._load.target.host, self._load.target.port)
        except OSError as error:
            self._fail(error)
        else:
            self._load.next(self)

    def _fail(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """The fastest loop there is: the generator shares its cores with what it measures."""
    if find_spec("uvloop") is None:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = import_module("uvloop").new_event_loop
    return factory
