"""Counts reach PostgreSQL every five seconds, and wait while it, or room, is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import psycopg
import pytest

from api.demand import service
from api.demand.service import Demand
from api.disk import DiskWatch
from api.http.problems import Problem
from api.metrics import EVALUATIONS_LOST
from api.postgres.database import Pool
from neonblue.contract.answers import AssignmentAnswer
from neonblue.settings import DiskSettings


class Store:
    """A pool and its connection: it keeps what is added, or fails as it is told to."""

    def __init__(self) -> None:
        self.stored: dict[tuple[object, ...], int] = {}
        self.statements = 0
        self.failure: Exception | None = None
        self.let_go = asyncio.Event()
        self.let_go.set()
        self.reached = asyncio.Event()
        self.now = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
        self._answer: tuple[object, ...] = ()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Store]:
        if self.failure is not None:
            raise self.failure
        yield self

    async def execute(self, statement: str, values: Any = None) -> Store:
        if "clock_timestamp" in statement:
            self._answer = (self.now,)
        elif "INSERT" in statement:
            self.reached.set()
            await self.let_go.wait()
            if self.failure is not None:
                raise self.failure
            self.statements += 1
            for number, _, variant, reason, count, *_ in zip(*values, strict=True):
                kind = (number, variant, reason)
                self.stored[kind] = self.stored.get(kind, 0) + count
        else:
            self._answer = (sum(self.stored.values()), None, self.now if self.stored else None, self.now)
        return self

    async def fetchone(self) -> tuple[object, ...]:
        return self._answer


def demand_of(store: Store) -> Demand:
    return Demand(cast("Pool", store), DiskWatch(Path(), DiskSettings()))


def ask(demand: Demand, times: int = 1, experiment_id: int = 1, variant: str = "a") -> None:
    for _ in range(times):
        demand.counts.answered(
            AssignmentAnswer(
                experiment="e", user_id="u", experiment_id=experiment_id, variant_key=variant, version=1,
                assigned_at=None, created=False,
            )
        )  # fmt: skip


def run(test: Callable[[Store, Demand], Awaitable[None]]) -> None:
    async def whole() -> None:
        store = Store()
        await test(store, demand_of(store))

    asyncio.run(whole())


def test_many_keys_go_in_one_statement() -> None:
    async def test(store: Store, demand: Demand) -> None:
        for number in range(300):
            ask(demand, 2, number)
        await demand.flush()
        assert store.statements == 1
        assert store.stored == {(number, "a", "assigned"): 2 for number in range(300)}
        assert not demand.counts

    run(test)


def test_what_is_too_much_for_one_statement_goes_in_several() -> None:
    async def test(store: Store, demand: Demand) -> None:
        for number in range(2_001):
            ask(demand, 1, number)
        await demand.flush()
        assert (store.statements, len(store.stored)) == (3, 2_001)

    run(test)


def test_where_nothing_was_asked_for_postgresql_is_not_asked_either() -> None:
    async def test(store: Store, demand: Demand) -> None:
        store.failure = AssertionError("asked")
        await demand.flush()
        assert not demand._failing

    run(test)


def full() -> Exception:
    return psycopg.errors.DiskFull("no space left on device")


@pytest.mark.parametrize(
    "failure",
    [psycopg.OperationalError("away"), full(), OSError("no route"), TimeoutError(), RuntimeError("a defect")],
)
def test_a_flush_that_fails_keeps_the_counts_and_the_next_stores_them(failure: Exception) -> None:
    async def test(store: Store, demand: Demand) -> None:
        ask(demand, 2)
        store.failure = failure
        await demand.flush()
        ask(demand, 3)
        await demand.flush()
        assert (demand.counts.held(1), store.stored) == (5, {})
        store.failure = None
        ask(demand)
        await demand.flush()
        assert (demand.counts.held(1), store.stored) == (0, {(1, "a", "assigned"): 6})

    run(test)


def test_a_statement_that_fails_keeps_the_rest_and_no_more() -> None:
    async def test(store: Store, demand: Demand) -> None:
        for number in range(1_500):
            ask(demand, 1, number)
        execute = store.execute

        async def once(statement: str, values: Any = None) -> Store:
            if store.statements == 1:
                store.failure = psycopg.OperationalError("away")
            return await execute(statement, values)

        store.execute = once  # type: ignore[method-assign]
        await demand.flush()
        assert (len(store.stored), demand.counts.total) == (1_000, 500)
        store.failure, store.execute = None, execute  # type: ignore[method-assign]
        await demand.flush()
        assert (set(store.stored.values()), len(store.stored)) == ({1}, 1_500)

    run(test)


def test_nothing_is_stored_where_the_disk_has_no_room_until_it_has() -> None:
    async def test(store: Store, demand: Demand) -> None:
        ask(demand)
        demand.disk.full = True
        await demand.flush()
        assert (store.stored, demand.counts.held(1)) == ({}, 1)
        demand.disk.full = False
        await demand.flush()
        assert store.stored == {(1, "a", "assigned"): 1}

    run(test)


def test_what_is_asked_for_while_rows_are_written_is_counted_once() -> None:
    async def test(store: Store, demand: Demand) -> None:
        ask(demand, 2)
        store.let_go.clear()
        first, second = asyncio.create_task(demand.flush()), asyncio.create_task(demand.flush())
        await store.reached.wait()
        ask(demand, 3)
        assert demand.counts.held(1) == 5
        store.let_go.set()
        await asyncio.gather(first, second)
        assert (store.stored, bool(demand.counts)) == ({(1, "a", "assigned"): 5}, False)

    run(test)


def test_the_work_that_is_ended_amid_a_statement_leaves_its_rows_to_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(service, "_SECONDS", 0.0)

    async def test(store: Store, demand: Demand) -> None:
        ask(demand, 2)
        store.let_go.clear()
        work = asyncio.create_task(demand.work())
        await store.reached.wait()
        work.cancel()
        await asyncio.wait([work])
        ask(demand)
        end = asyncio.create_task(demand.finish())
        await asyncio.sleep(0)
        store.let_go.set()
        await end
        assert (store.stored, bool(demand.counts)) == ({(1, "a", "assigned"): 3}, False)

    run(test)


@pytest.mark.parametrize("hangs", [True, False])
def test_at_the_end_what_can_not_be_stored_in_time_is_told(
    monkeypatch: pytest.MonkeyPatch, hangs: bool
) -> None:
    monkeypatch.setattr(service, "_LAST_SECONDS", 0.01)

    async def test(store: Store, demand: Demand) -> None:
        before = EVALUATIONS_LOST._value.get()
        ask(demand, 4)
        if hangs:
            store.let_go.clear()
        else:
            store.failure = psycopg.OperationalError("away")
        await demand.finish()
        assert EVALUATIONS_LOST._value.get() - before == 4

    run(test)


@pytest.mark.parametrize(
    ("stored", "held", "told"),
    [
        (0, 1, "once"),
        (1, 0, "once"),
        (0, 2, "2 times"),
        (2, 0, "2 times"),
        (1, 1, "2 times"),
        (999, 1, "1,000 times"),
    ],
)
def test_a_key_in_use_is_refused_with_what_is_stored_and_what_waits(
    stored: int, held: int, told: str
) -> None:
    async def test(store: Store, demand: Demand) -> None:
        ask(demand, stored)
        await demand.flush()
        ask(demand, held)
        ask(demand, 5, experiment_id=2)
        with pytest.raises(Problem) as refusal:
            await demand.refuse_in_use(cast("Any", store), 1)
        problem = refusal.value
        assert (problem.status, problem.code) == (409, "still_evaluated")
        assert problem.members == {
            "evaluations": stored + held,
            "last_asked_at": "2026-03-01T09:30:00.000000Z",
        }
        assert f"asked for {told} in the last 7 days" in problem.detail

    run(test)


def test_a_key_that_nobody_asks_for_is_not_refused() -> None:
    async def test(store: Store, demand: Demand) -> None:
        ask(demand, 5, experiment_id=2)
        await demand.refuse_in_use(cast("Any", store), 1)

    run(test)
