"""What restarts of the API cost those who call it meanwhile: nothing, or so many requests and so long a wait."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

from neonblue.bench.assign import running_experiments
from neonblue.bench.bodies import EventBodies
from neonblue.bench.http import Answer, Target
from neonblue.bench.load import loop_factory
from neonblue.bench.steady import Call, Steady
from neonblue.settings import Settings
from neonblue.stack.supervisor import control
from neonblue.stack.supervisor.restarts import How, Outcome

_UNITS = 2_000
_EXPERIMENTS = 5
_BETWEEN_SECONDS = 1.0
_STORED = b'"accepted":1,'


@dataclass(slots=True)
class RestartsReport:
    """`restarts` under `rate` requests a second.

    Latencies and longest_gap, the longest time without an answer, are in milliseconds.
    """

    restarts: int
    rate: float
    requests: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    longest_gap: float = 0.0
    latency_p50: float = 0.0
    latency_p99: float = 0.0
    latency_longest: float = 0.0
    restart_seconds: list[float] = field(default_factory=list)
    not_restarted: list[str] = field(default_factory=list)

    @property
    def failed(self) -> int:
        return sum(self.failures.values())

    def as_json(self) -> dict[str, object]:
        return asdict(self) | {"failed": self.failed}


def measure(
    settings: Settings, restarts: int, rate: float, connections: int, told: Callable[[Outcome], None]
) -> RestartsReport:
    """Restart the API so often, one after the other, while events and assignments are asked for."""
    report = RestartsReport(restarts, rate)
    with (
        running_experiments(settings, _EXPERIMENTS) as keys,
        asyncio.Runner(loop_factory=loop_factory()) as runner,
    ):
        runner.run(_measure(settings, keys, connections, report, told))
    return report


async def _measure(
    settings: Settings,
    keys: list[str],
    connections: int,
    report: RestartsReport,
    told: Callable[[Outcome], None],
) -> None:
    target = Target.of(settings.api.address, settings.api.token.get_secret_value())
    load = Steady(target, report.rate, connections, Mix(target, keys).call)
    running = asyncio.create_task(load.run())
    began = time.perf_counter()
    try:
        await asyncio.sleep(_BETWEEN_SECONDS)
        for _ in range(report.restarts):
            (outcome,) = await asyncio.to_thread(lambda: list(control.ask(settings.data_dir, ["api"])))
            told(outcome)
            report.restart_seconds.append(outcome.seconds)
            if outcome.how is not How.HANDED_OVER:
                report.not_restarted.append(outcome.detail)
            await asyncio.sleep(_BETWEEN_SECONDS)
    finally:
        load.stop()
        account = await running
    report.requests = len(account.seconds) + account.failed
    report.rate = report.requests / (time.perf_counter() - began)
    report.failures = dict(account.failures)
    report.longest_gap = 1000 * account.longest_gap
    report.latency_p50, report.latency_p99 = 1000 * account.quantile(0.5), 1000 * account.quantile(0.99)
    report.latency_longest = 1000 * max(account.seconds, default=0.0)


class Mix:
    """Half the calls are single events, half are assignments, of units that are known after a while."""

    def __init__(self, target: Target, keys: list[str]) -> None:
        self._target, self._keys = target, keys
        self._bodies = EventBodies(1, 0.0)

    def call(self, turn: int) -> Call:
        if turn % 2:
            body = self._bodies.body()
            return Call(self._target.post("/v1/events", body), _is_stored)
        unit = turn // 2 % _UNITS
        body = f'{{"experiment":"{self._keys[unit % len(self._keys)]}","user_id":"restart-{unit}"}}'.encode()
        return Call(self._target.post("/v1/assignments", body), _is_any)


def _is_stored(answer: Answer) -> bool:
    return _STORED in answer.body


def _is_any(_: Answer) -> bool:
    return True
