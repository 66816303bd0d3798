"""How many assignments a second: of known units, of new ones, and of those that an experiment does not take in."""

from __future__ import annotations

import asyncio
import itertools
import math
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum

from neonblue.bench.http import Answer, Connection, Target
from neonblue.bench.load import Plan, loop_factory, run
from neonblue.client import Client, Decision, Metric, NewExperiment, Variant
from neonblue.settings import Settings

KNOWN_UNITS = 1_000
WARMING_CONNECTIONS = 32


class Kind(StrEnum):
    """Whom is asked for: known units or a new one each time, of running experiments; or units of experiments that take
    in nobody, are paused, or ship their treatment."""

    CACHED = "cached"
    FIRST = "first"
    OUTSIDE = "outside"
    PAUSED = "paused"
    RELEASED = "released"


@dataclass(slots=True)
class AssignReport:
    """One run; latencies in milliseconds. answered: the requests that were, failed ones too."""

    kind: str
    rate: float | None
    requests_per_second: float = 0.0
    latency_p50: float = 0.0
    latency_p95: float = 0.0
    latency_p99: float = 0.0
    failures: int = 0
    answered: int = 0

    def as_json(self) -> dict[str, object]:
        return asdict(self)


@contextmanager
def running_experiments(settings: Settings, count: int) -> Iterator[list[str]]:
    """The keys of so many running experiments; archived afterwards, whatever happened."""
    with experiments(settings, count, Kind.CACHED) as keys:
        yield keys


@contextmanager
def experiments(settings: Settings, count: int, kind: Kind) -> Iterator[list[str]]:
    """The keys of so many experiments of that kind; archived afterwards, whatever happened."""
    keys = [f"bench-{uuid.uuid4().hex[:12]}" for _ in range(count)]
    started: list[str] = []
    with Client(settings.api.address, settings.api.token.get_secret_value()) as client:
        try:
            for key in keys:
                client.create_experiment(_new(key, kind))
                started.append(client.start(key).key)
                if kind is Kind.PAUSED:
                    client.pause(key)
                elif kind is Kind.RELEASED:
                    client.conclude(key, Decision("ship", "a benchmark ships it", "treatment"))
            yield keys
        finally:
            for key in started:
                if kind is not Kind.RELEASED:
                    client.conclude(key, Decision("inconclusive", "a benchmark has no result"))
                client.archive(key, "the benchmark that asked for it is over", force=True)


def _new(key: str, kind: Kind) -> NewExperiment:
    return NewExperiment(
        key=key,
        variants=[Variant("control", 1, is_control=True), Variant("treatment", 1)],
        metrics=[Metric(key="conversion", type="proportion", event_type="purchase", aggregation="any")],
        allocation=0 if kind is Kind.OUTSIDE else None,
    )


def measure(settings: Settings, keys: list[str], plan: Plan, kind: Kind) -> AssignReport:
    """Load `POST /v1/assignments` with units of that kind."""
    target = Target.of(settings.api.address, settings.api.token.get_secret_value())
    report = AssignReport(kind, plan.rate)

    def request(turn: int, user_id: str) -> bytes:
        body = f'{{"experiment":"{keys[turn % len(keys)]}","user_id":"{user_id}"}}'
        return target.post("/v1/assignments", body.encode())

    requests: Iterator[bytes]

    def on_answer(answer: Answer) -> None:
        report.failures += answer.status != 200

    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        if kind is Kind.FIRST:
            prefix = uuid.uuid4().hex[:8]
            requests = (request(turn, f"{prefix}-{turn}") for turn in itertools.count())
        else:  # every pair of unit and experiment asked once, so that what is stored is cached
            pairs = math.lcm(KNOWN_UNITS, len(keys))
            known = [request(turn, f"known-{turn % KNOWN_UNITS}") for turn in range(pairs)]
            runner.run(_warm(target, known))
            requests = itertools.cycle(known)
        measured = runner.run(run(target, plan, requests.__next__, on_answer))
    report.answered = len(measured.latencies)
    report.requests_per_second = measured.requests_per_second
    report.latency_p50, report.latency_p95, report.latency_p99 = (
        measured.quantile(share) * 1000 for share in (0.5, 0.95, 0.99)
    )
    report.failures += measured.broken
    return report


async def _warm(target: Target, requests: list[bytes]) -> None:
    """Make each request once before the clock runs."""
    left = iter(requests)

    async def work() -> None:
        connection = await Connection.open(target.host, target.port)
        for request in left:  # shared by the workers
            await connection.ask(request)
        connection.close()

    async with asyncio.TaskGroup() as tasks:
        for _ in range(WARMING_CONNECTIONS):
            tasks.create_task(work())
