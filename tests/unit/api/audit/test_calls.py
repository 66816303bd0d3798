"""Whatever comes in the way of writing, counting goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from api.audit.calls import CallLog
from api.http.problems import Problem
from api.http.refusal_log import Refusal


class BrokenPool:
    """Fails in a way that nobody foresaw."""

    def __init__(self) -> None:
        self.tried = asyncio.Semaphore(0)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        self.tried.release()
        raise RuntimeError("unforeseen")
        yield


def refusal(status: int, token: int | None = None, **fields: Any) -> Refusal:
    problem = Problem(status, "some_code", "why", token=token)
    return Refusal("GET", "/v1/experiments", status, "r-1", 0.0, problem=problem, **fields)


def test_writing_goes_on_after_any_failure_and_loses_no_count() -> None:
    pool = BrokenPool()
    calls = CallLog(pool, 0.001)  # type: ignore[arg-type]

    async def run() -> None:
        task = asyncio.create_task(calls.work())
        for _ in range(3):
            calls.refused(refusal(401))
            async with asyncio.timeout(10):
                await pool.tried.acquire()
        assert not task.done()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())
    assert calls.summary.calls == 3


@pytest.mark.parametrize(
    ("status", "counted"), [(400, 0), (401, 1), (403, 1), (404, 0), (422, 0), (429, 1), (503, 0)]
)
def test_only_refusals_of_the_caller_are_counted(status: int, counted: int) -> None:
    calls = CallLog(BrokenPool(), 60)  # type: ignore[arg-type]
    calls.refused(refusal(status))
    assert calls.summary.calls == counted


def test_a_token_that_has_ended_is_told_by_its_number() -> None:
    calls = CallLog(BrokenPool(), 60)  # type: ignore[arg-type]
    calls.refused(refusal(401, token=7, address="10.0.0.1"))
    ((kind, count),) = calls.summary.take()
    assert (kind.token, kind.address, count.address) == (7, None, "10.0.0.1")
