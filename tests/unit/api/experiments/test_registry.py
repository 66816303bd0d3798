"""Which experiments the registry holds while several reads of PostgreSQL overlap."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest

from api.experiments import registry as module
from api.experiments.evaluation import EvaluationRow, Mark
from api.experiments.registry import Registry
from neonblue.bucketing import Reason, Serving
from neonblue.bucketing.document import ExperimentEntry, VariantEntry


def row(number: int, key: str) -> EvaluationRow:
    entry = ExperimentEntry(
        experiment_id=number,
        key=key,
        unit_type="user",
        version=1,
        salt=f"salt-{number}",
        allocation=10_000,
        variants=[VariantEntry(key="a", weight=1), VariantEntry(key="b", weight=1)],
    )
    return EvaluationRow("draft", False, "exposed", entry, Serving(Reason.DRAFT, "a"))


@dataclass
class Stored:
    """What PostgreSQL holds. after_marks, after_rows: what happens elsewhere between a read and its answer."""

    rows: dict[int, EvaluationRow] = field(default_factory=dict)
    after_marks: Callable[[], Any] | None = None
    after_rows: Callable[[], Any] | None = None

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[None]:
        yield None

    async def read_marks(self, _: None) -> dict[int, Mark]:
        found = {number: Mark(one.entry.version, None) for number, one in self.rows.items()}
        await self._happen("after_marks")
        return found

    async def read_evaluations(self, _: None, ids: Sequence[int]) -> list[EvaluationRow]:
        found = [one for number, one in sorted(self.rows.items()) if number in ids]
        await self._happen("after_rows")
        return found

    async def _happen(self, when: str) -> None:
        happening = getattr(self, when)
        setattr(self, when, None)
        if happening is not None:
            await happening()


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> Stored:
    found = Stored()
    monkeypatch.setattr(module, "read_marks", found.read_marks)
    monkeypatch.setattr(module, "read_evaluations", found.read_evaluations)
    return found


def known(registry: Registry, *names: int | str) -> list[int | None]:
    """The id of the experiment that each name leads to."""
    return [live.experiment_id if (live := registry.find(name)) else None for name in names]


def test_what_is_gone_is_forgotten_under_both_names(stored: Stored) -> None:
    async def scenario() -> Registry:
        registry = Registry("", stored)  # type: ignore[arg-type]
        stored.rows = {1: row(1, "one"), 2: row(2, "two")}
        await registry.check()
        del stored.rows[1]
        await registry.check()
        return registry

    assert known(asyncio.run(scenario()), 1, "one", 2, "two") == [None, None, 2, 2]


def test_what_is_made_and_loaded_during_a_look_is_kept(stored: Stored) -> None:
    async def scenario() -> Registry:
        registry = Registry("", stored)  # type: ignore[arg-type]

        async def made() -> None:
            stored.rows[1] = row(1, "one")
            await registry.load(1)

        stored.after_marks = made
        await registry.check()
        return registry

    assert known(asyncio.run(scenario()), 1, "one") == [1, 1]


def test_a_late_read_of_a_deleted_draft_leaves_its_key_to_who_has_it_now(stored: Stored) -> None:
    async def scenario() -> Registry:
        registry = Registry("", stored)  # type: ignore[arg-type]
        stored.rows = {1: row(1, "key")}

        async def replaced() -> None:
            stored.rows = {2: row(2, "key")}
            await registry.load(2)

        stored.after_rows = replaced
        await registry.load(1)
        assert known(registry, 1, "key") == [1, 2]
        await registry.check()
        return registry

    assert known(asyncio.run(scenario()), 1, "key", 2) == [None, 2, 2]


def test_experiments_are_confirmed_together_and_each_once_in_two_seconds(stored: Stored) -> None:
    async def scenario() -> tuple[list[int | None], int]:
        registry, looks = Registry("", stored), 0  # type: ignore[arg-type]

        async def counted() -> None:
            nonlocal looks
            looks += 1
            stored.after_marks = counted

        stored.after_marks = counted
        stored.rows = {number: row(number, f"e{number}") for number in range(1, 51)}
        await asyncio.gather(*(registry.confirm_of(stored.rows.keys()) for _ in range(100)))
        for number in stored.rows:
            await registry.confirm_of([number])
        return known(registry, 1, 50), looks

    assert asyncio.run(scenario()) == ([1, 50], 1)


@pytest.mark.parametrize("hangs", [True, False])
def test_what_is_remembered_holds_where_postgresql_does_not_answer(
    stored: Stored, monkeypatch: pytest.MonkeyPatch, *, hangs: bool
) -> None:
    monkeypatch.setattr(module, "_CONFIRM_SECONDS", 0.1)

    async def scenario() -> list[int | None]:
        registry = Registry("", stored)  # type: ignore[arg-type]
        stored.rows = {1: row(1, "one")}
        await registry.check()

        async def away() -> None:
            if hangs:
                await asyncio.Event().wait()
            raise psycopg.OperationalError

        stored.after_marks = away
        await asyncio.wait_for(registry.confirm_of([1]), 5)
        return known(registry, 1)

    assert asyncio.run(scenario()) == [1]
