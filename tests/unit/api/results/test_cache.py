"""What is read of results is computed once for all who ask at the same time, and fails once for all of them."""

from __future__ import annotations

import asyncio
import time
from typing import Any, cast

import pytest

from api.http.problems import Problem
from api.results.cache import Looks, Shared
from api.results.repository import ResultsReader
from neonblue.settings import ClickHouseSettings


def test_ten_who_ask_at_once_wait_for_one_computation() -> None:
    async def ask() -> None:
        computed = 0

        async def compute() -> int:
            nonlocal computed
            computed += 1
            await asyncio.sleep(0)
            return computed

        shared: Shared[int] = Shared(3600.0)
        assert await asyncio.gather(*(shared.get("key", compute) for _ in range(10))) == [1] * 10
        assert await shared.get("other", compute) == 2
        fleeting: Shared[int] = Shared(-1.0)
        assert [await fleeting.get("key", compute) for _ in range(2)] == [3, 4]

    asyncio.run(ask())


def test_those_who_waited_share_a_failure_and_the_next_one_asks_anew() -> None:
    async def ask() -> None:
        computed = 0

        async def compute() -> int:
            nonlocal computed
            computed += 1
            await asyncio.sleep(0)
            if computed == 1:
                raise OSError
            return computed

        shared: Shared[int] = Shared(3600.0)
        found = await asyncio.gather(*(shared.get("key", compute) for _ in range(10)), return_exceptions=True)
        assert [type(one) for one in found] == [OSError] * 10
        assert computed == 1
        assert await shared.get("key", compute) == 2

    asyncio.run(ask())


def test_one_who_leaves_while_computing_leaves_it_to_the_next() -> None:
    async def ask() -> None:
        started, computed = asyncio.Event(), 0

        async def compute() -> int:
            nonlocal computed
            computed += 1
            started.set()
            if computed == 1:
                await asyncio.Event().wait()
            return computed

        shared: Shared[int] = Shared(3600.0)
        first = asyncio.create_task(shared.get("key", compute))
        second = asyncio.create_task(shared.get("key", compute))
        await started.wait()
        first.cancel()
        assert await second == 2

    asyncio.run(ask())


def test_what_was_found_before_a_failure_is_not_fresh_again_by_it() -> None:
    async def ask() -> None:
        answers = iter([1, OSError("away"), 2])

        async def compute() -> int:
            found = next(answers)
            if isinstance(found, Exception):
                raise found
            return found

        shared: Shared[int] = Shared(0.2)
        assert await shared.get("key", compute) == 1
        await asyncio.sleep(0.3)
        with pytest.raises(OSError, match="away"):
            await shared.get("key", compute)
        assert await shared.get("key", compute) == 2

    asyncio.run(ask())


def test_ten_who_ask_of_a_clickhouse_that_never_answers_wait_once_for_its_time() -> None:
    async def ask() -> None:
        connections = 0
        writers: list[asyncio.StreamWriter] = []

        async def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal connections
            connections += 1
            writers.append(writer)

        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        reader = ResultsReader(ClickHouseSettings(url=f"http://127.0.0.1:{port}"), answer_seconds=1)
        looks = Looks(3600.0)
        began = time.monotonic()
        found = await asyncio.gather(
            *(looks.get("key", lambda: reader.read(lambda client: cast("Any", client))) for _ in range(10)),
            return_exceptions=True,
        )
        took = time.monotonic() - began
        for writer in writers:
            writer.transport.abort()
        server.close()

        assert all(isinstance(one, Problem) and one.code == "clickhouse_unavailable" for one in found)
        assert connections == 1
        assert took < 5

    asyncio.run(ask())
