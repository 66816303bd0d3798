"""What open pages follow: one look for all of them, what changed and what did not, and an end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest

from api.experiments.answers import ExperimentOut
from api.http.problems import Problem
from api.results.glances import Glance
from api.results.pulses import Pulse, Pulses
from tests.unit.api.web import made

BEAT = 0.01


class Source:
    """Stands for the services: what it has, and how often it was asked."""

    def __init__(self) -> None:
        self.experiment: ExperimentOut | Exception = made.experiment()
        self.glance = made.glance(made.answer(items=(made.item(),)))
        self.asked = 0

    async def get(self, key: str) -> ExperimentOut:
        self.asked += 1
        if isinstance(self.experiment, Exception):
            raise self.experiment
        return self.experiment

    async def of(self, ages: dict[str, float], seconds: float) -> dict[str, Glance]:
        return dict.fromkeys(ages, self.glance)


def pulses_of(source: Source, most: int = 500) -> Pulses:
    return Pulses(cast("Any", source), cast("Any", source), 2.0, BEAT, most)


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - it tells nobody when it changes
        await asyncio.sleep(BEAT)


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def bound() -> None:
        async with asyncio.timeout(20):
            await test()

    asyncio.run(bound())


def test_however_many_follow_an_experiment_is_looked_at_once_a_beat() -> None:
    async def test() -> None:
        source = Source()
        pulses = pulses_of(source)
        seen: list[list[Pulse]] = [[] for _ in range(50)]

        async def follow(into: list[Pulse]) -> None:
            async with aclosing(pulses.of("checkout")) as coming:
                async for pulse in coming:
                    into.append(pulse)
                    if len(into) == 5:
                        return

        await asyncio.gather(*(follow(into) for into in seen))
        assert source.asked <= 7
        assert len({id(pulse) for into in seen for pulse in into}) <= 7
        await asyncio.sleep(5 * BEAT)
        asked = source.asked
        await asyncio.sleep(5 * BEAT)
        assert (source.asked, pulses.followers) == (asked, 0), "nobody follows, nobody looks"

    run(test)


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        (lambda look: replace(look, answer=replace(look.answer, computed_at=made.NOW + timedelta(1))), False),
        (lambda look: replace(look, answer=replace(look.answer, watermark=made.NOW + timedelta(1))), False),
        (lambda look: replace(look, answer=replace(look.answer, units=look.answer.units + 1)), True),
        (lambda look: replace(look, answer=replace(look.answer, items=())), True),
    ],
)
def test_numbers_are_others_where_more_than_their_time_differs(
    change: Callable[[Any], Any], differs: bool
) -> None:
    async def test() -> None:
        source = Source()
        async with aclosing(pulses_of(source).of("checkout")) as coming:
            first = await anext(coming)
            source.glance = Glance(change(source.glance.look))
            assert (await anext(coming)).numbers == first.numbers + differs
            assert (await anext(coming)).numbers == first.numbers + differs

    run(test)


def test_what_is_away_for_a_while_ends_nothing_and_what_is_gone_does() -> None:
    async def test() -> None:
        source = Source()
        stored = source.experiment
        async with aclosing(pulses_of(source).of("checkout")) as coming:
            first = await anext(coming)
            for failure in (Problem(503, "unavailable", "PostgreSQL is away"), RuntimeError("by mistake")):
                asked, source.experiment = source.asked, failure
                await until(lambda asked=asked: source.asked >= asked + 3)
                source.experiment = stored
                again = await anext(coming)
                assert (again.experiment, again.numbers) == (first.experiment, first.numbers)
            source.experiment = Problem(404, "not_found", "There is no such experiment")
            await _rest(coming)

    run(test)


def test_one_that_is_gone_before_anybody_came_ends_at_once() -> None:
    async def test() -> None:
        source = Source()
        source.experiment = Problem(404, "not_found", "There is no such experiment")
        assert [pulse async for pulse in pulses_of(source).of("checkout")] == []

    run(test)


def test_the_end_of_the_process_lets_everybody_go_and_nobody_in() -> None:
    async def test() -> None:
        source = Source()
        pulses = pulses_of(source)
        pulses.beat_seconds = 3600.0
        tasks = [asyncio.create_task(_all_of(pulses)) for _ in range(5)]
        await until(lambda: pulses.followers == 5)
        pulses.check_room()
        pulses.end()
        assert [len(found) for found in await asyncio.gather(*tasks)] == [1] * 5
        with pytest.raises(Problem) as refused:
            pulses.check_room()
        assert refused.value.status == 503

    run(test)


def test_so_many_may_follow_and_no_more_until_one_leaves() -> None:
    async def test() -> None:
        pulses = pulses_of(Source(), most=2)
        async with aclosing(pulses.of("checkout")) as first:
            await anext(first)
            async with aclosing(pulses.of("other")) as second:
                await anext(second)
                with pytest.raises(Problem, match="Too many pages"):
                    pulses.check_room()
            pulses.check_room()

    run(test)


async def _rest(coming: AsyncIterator[Pulse]) -> None:
    async for _ in coming:
        pass


async def _all_of(pulses: Pulses) -> list[Pulse]:
    return [pulse async for pulse in pulses.of("checkout")]
