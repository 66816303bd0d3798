"""Steps of the life cycle while two API processes are asked for assignments: nobody is refused, all follow soon."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx
import msgspec
import pytest

from neonblue.bench.http import Answer, Target
from neonblue.bench.load import loop_factory
from neonblue.bench.steady import Account, Call, Steady
from tests.integration.api.conftest import TOKEN, Server
from tests.integration.api.fleet import running_api
from tests.integration.api.life_cycle import draft, step

RATE = 1_000.0
"""Requests a second of each of the two processes."""
UNITS = 500
BETWEEN_SECONDS = 2.5
SHIP = {"outcome": "ship", "variant_key": "b", "reason": "it helps"}

_decode = msgspec.json.decode


@dataclass(slots=True)
class Seen:
    """What was answered: when it was asked for, whom for, which variant, and what served it."""

    answers: list[tuple[float, str, str | None, str | None]] = field(default_factory=list)

    def after(self, moment: float, until: float = float("inf")) -> list[tuple[str, str | None, str | None]]:
        return [rest for asked, *rest in self.answers if moment < asked < until]  # type: ignore[misc]


class Load:
    """Assignments of known units, asked of each process in a task of its own."""

    def __init__(self, clients: list[httpx.Client], key: str, seen: Seen) -> None:
        self.seen, self.key = seen, key
        targets = [Target.of(str(client.base_url).rstrip("/"), TOKEN) for client in clients]
        self.loads = [Steady(target, RATE, 8, self._of(target)) for target in targets]

    def _of(self, target: Target) -> Any:
        def make(turn: int) -> Call:
            asked, unit = time.perf_counter(), f"unit-{turn % UNITS}"
            body = msgspec.json.encode({"experiment": self.key, "user_id": unit})

            def note(answer: Answer) -> bool:
                found = _decode(answer.body)
                self.seen.answers.append((asked, unit, found["variant_key"], found.get("served_by")))
                return found["variant_key"] is not None

            return Call(target.post("/v1/assignments", body), note)

        return make

    async def run(self) -> list[Account]:
        return list(await asyncio.gather(*(load.run() for load in self.loads)))

    def stop(self) -> None:
        for load in self.loads:
            load.stop()


@pytest.fixture(scope="module")
def processes(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[httpx.Client]]:
    with ExitStack() as stack:
        folder = tmp_path_factory.mktemp("processes")
        yield [stack.enter_context(running_api(postgres, folder)) for _ in range(2)]


async def _live(processes: list[httpx.Client], key: str) -> tuple[Seen, list[Account], dict[str, float]]:
    """Start, pause, resume and conclude under load; when each step was answered."""
    load = Load(processes, key, Seen())
    moments: dict[str, float] = {}
    running = asyncio.create_task(load.run())
    try:
        for turn, (word, body) in enumerate([("pause", None), ("resume", None), ("conclude", SHIP)]):
            await asyncio.sleep(BETWEEN_SECONDS)
            (await asyncio.to_thread(step, processes[turn % 2], key, word, body)).raise_for_status()
            moments[f"{turn} {word}"] = time.perf_counter()
        await asyncio.sleep(BETWEEN_SECONDS)
    finally:
        load.stop()
    return load.seen, await running, moments


def test_nobody_is_refused_and_all_follow_within_a_second(processes: list[httpx.Client]) -> None:
    kind = f"kind-{uuid4()}"
    key = draft(processes[0], unit_type=kind, holdouts=[])["key"]
    step(processes[0], key, "start").raise_for_status()
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        seen, accounts, moments = runner.run(_live(processes, key))

    assert [account.failures for account in accounts] == [{}, {}]
    assert sum(len(account.seconds) for account in accounts) > 5_000
    stood_still = max(account.longest_gap for account in accounts)
    own = {unit: variant for unit, variant, served in seen.after(0, min(moments.values())) if served is None}
    assert set(own.values()) == {"a", "b", "c"}
    ends = [*list(moments.values())[1:], float("inf")]
    for (name, moment), end in zip(moments.items(), ends, strict=True):
        word = name.split()[1]
        answers = seen.after(moment + 1 + stood_still, end - 0.5)
        assert len(answers) > 500, name
        for unit, variant, served in answers:
            expected = {
                "pause": ("a", "control"),
                "resume": (own.get(unit, variant), None),
                "conclude": ("b", "release"),
            }[word]
            assert (variant, served) == expected, (name, unit)
        late = [
            asked - moment
            for asked, _, _, served in seen.answers
            if word == "pause" and served is None and moment < asked < end - 0.5
        ]
        print(
            f"{name}: the last treatment was asked for {1000 * max(late, default=0):.0f} ms after the answer"
        )
