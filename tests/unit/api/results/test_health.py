"""The parts of an experiment's health are read at once, once for all who ask, and one that hangs is told."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from api.http.problems import Problem
from api.results import service
from api.results.service import ResultsService
from neonblue.results.parts import ClockCounts, StageItem
from tests.unit.results.test_checks import configuration

STAGES = [StageItem(1, "control", 10, 9, 8, 7)]
CLOCKS = [ClockCounts(1_000, 40, 11, 0)]
Read = Callable[[object, object], list[Any]]


class Reader:
    """Reads in threads, as the one of ClickHouse does."""

    async def read(self, work: Callable[[object], Any]) -> Any:
        return await asyncio.to_thread(work, None)


class OneLook:
    """A look that is there."""

    async def get(self, *_: object) -> object:
        answer = SimpleNamespace(experiment="key", experiment_id=1, status="ok", reason="", health=())
        stamp = SimpleNamespace(
            computed_at=datetime(2026, 3, 1, tzinfo=UTC),
            watermark=None,
            configuration_version=1,
            code_version="x",
        )
        return SimpleNamespace(answer=answer, stamp=stamp, configuration=configuration(), question=object())


class Experiments:
    """Each key is one."""

    async def get(self, _: str) -> object:
        return SimpleNamespace(id=1)


class Hanging:
    """A part that does not answer before it is let go: the loop waits for its thread as it ends."""

    def __init__(self) -> None:
        self.over = threading.Event()

    def __call__(self, *_: object) -> list[Any]:
        self.over.wait(20)
        return []


def results(monkeypatch: pytest.MonkeyPatch, stages: Read, clocks: Read) -> ResultsService:
    monkeypatch.setattr(service, "PART_SECONDS", 0.2)
    monkeypatch.setattr(service, "read_stages", stages)
    monkeypatch.setattr(service, "read_clocks", clocks)
    monkeypatch.setattr(service.Warehouse, "of", lambda client: client)
    return ResultsService(
        cast("Any", Reader()), cast("Any", Experiments()), cast("Any", None), cast("Any", OneLook())
    )


def test_both_parts_are_read_at_once_and_once_for_all_who_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    met, read = threading.Barrier(2, timeout=20), []

    def part(found: list[Any]) -> Read:
        def at_once(*_: object) -> list[Any]:
            read.append(found)
            met.wait()
            return found

        return at_once

    asked = results(monkeypatch, part(STAGES), part(CLOCKS))
    monkeypatch.setattr(service, "PART_SECONDS", 20.0)

    async def ask() -> None:
        found = await asyncio.gather(*(asked.health("key") for _ in range(10)))
        assert all(one is found[0] for one in found)
        assert found[0].items == STAGES
        (check,) = found[0].checks
        assert (check.name, check.passed, check.told) == ("clocks of clients", False, True)

    asyncio.run(ask())
    assert len(read) == 2


def test_clocks_that_can_not_be_counted_in_time_are_told_and_the_rest_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hanging = Hanging()
    asked = results(monkeypatch, lambda *_: STAGES, hanging)

    async def ask() -> None:
        found = await asyncio.gather(*(asked.health("key") for _ in range(10)))
        assert not hanging.over.is_set()
        hanging.over.set()
        for one in found:
            assert one.items == STAGES
            (check,) = one.checks
            assert (check.name, check.passed, check.told, check.value) == (
                "clocks of clients",
                True,
                False,
                None,
            )
            assert "could not be counted within" in check.message

    asyncio.run(ask())


def test_no_reading_is_begun_beside_one_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each holds a thread, and there are few."""
    hanging, begun = Hanging(), []

    def clocks(*given: Any) -> list[Any]:
        begun.append(given)
        return hanging(*given)

    asked = results(monkeypatch, lambda *_: STAGES, clocks)
    asked._healths._seconds = -1.0

    async def ask() -> None:
        for _ in range(3):
            assert (await asked.health("key")).checks[0].told is False
        assert len(begun) == 1
        hanging.over.set()
        await asyncio.wait(asked._readings.under_way.values())
        await asked.health("key")
        assert len(begun) == 2

    asyncio.run(ask())


def test_without_the_stages_there_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    hanging = Hanging()
    asked = results(monkeypatch, hanging, lambda *_: CLOCKS)

    async def ask() -> None:
        found = await asyncio.gather(*(asked.health("key") for _ in range(10)), return_exceptions=True)
        hanging.over.set()
        assert [one.code for one in found if isinstance(one, Problem)] == ["clickhouse_unavailable"] * 10

    asyncio.run(ask())
