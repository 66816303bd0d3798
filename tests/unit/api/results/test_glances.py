"""Results at a glance: what is known at once, the rest within a bound, ClickHouse asked no more than it bears."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, cast

from api.http.problems import Problem
from api.results.cache import Shared
from api.results.glances import Glance, Glances, Missing
from api.results.repository import unanswered


@dataclass
class Results:
    """Looks by what `compute` says of a key."""

    compute: Callable[[str], Awaitable[str]]
    asked: list[str] = field(default_factory=list)
    looks: Shared[str] = field(default_factory=lambda: Shared(0.0))

    async def look_at(self, key: str) -> str:
        async def counted() -> str:
            self.asked.append(key)
            return await self.compute(key)

        return await self.looks.get(key, counted)


def glances(compute: Callable[[str], Awaitable[str]]) -> tuple[Glances, Results]:
    results = Results(compute)
    return Glances(cast("Any", results)), results


async def at_once(key: str) -> str:
    return f"look at {key}"


def look_of(glance: Glance) -> Any:
    return glance.look


def test_what_is_new_enough_is_asked_for_once() -> None:
    async def ask() -> None:
        found, results = glances(at_once)
        first = await found.of({"a": 60.0, "b": 60.0}, 5)
        again = await found.of({"a": 60.0, "b": 60.0}, 5)
        assert [look_of(each) for each in (first["a"], again["b"])] == ["look at a", "look at b"]
        assert results.asked == ["a", "b"]
        assert not any(each.missing for each in (*first.values(), *again.values()))
        await found.of({"a": -1.0}, 5)
        assert results.asked == ["a", "b", "a"]

    asyncio.run(ask())


def test_a_page_waits_so_long_and_no_longer_and_finds_the_rest_the_next_time() -> None:
    async def ask() -> None:
        let_go = asyncio.Event()

        async def slow(key: str) -> str:
            await let_go.wait()
            return key

        found, results = glances(slow)
        keys = {f"e{number}": 60.0 for number in range(200)}
        for _ in range(3):  # as many pages ask
            seen = await found.of(keys, 0.02)
            assert {each.missing for each in seen.values()} == {Missing.NOT_ASKED}
        assert len(results.asked) == 2, "no more than two looks are computed at the same time"
        let_go.set()
        seen = await found.of(keys, 30)
        assert [look_of(each) for each in seen.values()] == list(keys)
        assert sorted(results.asked) == sorted(keys), "each is computed once, however many pages asked"

    asyncio.run(ask())


def test_clickhouse_that_is_away_is_asked_by_a_few_and_not_by_every_row() -> None:
    async def ask() -> None:
        async def away(_: str) -> str:
            await asyncio.sleep(0)
            raise unanswered()

        found, results = glances(away)
        seen = await found.of({f"e{number}": 60.0 for number in range(200)}, 30)
        assert {each.missing for each in seen.values()} == {Missing.AWAY}
        assert len(results.asked) <= 2

    asyncio.run(ask())


def test_what_was_known_stays_with_its_age_while_nothing_newer_comes() -> None:
    async def ask() -> None:
        fails: list[Exception] = []

        async def sometimes(key: str) -> str:
            if fails:
                raise fails[0]
            return key

        found, _ = glances(sometimes)
        await found.of({"a": 60.0}, 5)
        fails.append(unanswered())
        old = (await found.of({"a": -1.0}, 5))["a"]
        assert (look_of(old), old.missing) == ("a", Missing.AWAY)
        assert old.age >= 0

    asyncio.run(ask())


def test_one_that_fails_is_told_apart_and_keeps_no_other_from_its_look() -> None:
    async def ask() -> None:
        async def broken(key: str) -> str:
            if key == "broken":
                raise ValueError("a defect")
            if key == "gone":
                raise Problem(404, "not_found", "There is no such experiment")
            return key

        found, _ = glances(broken)
        seen = await found.of({"broken": 60.0, "gone": 60.0, "a": 60.0}, 5)
        assert [seen[key].missing for key in ("broken", "gone", "a")] == [
            Missing.FAILED,
            Missing.NOTHING,
            Missing.NOTHING,
        ]
        assert look_of(seen["a"]) == "a"

    asyncio.run(ask())
