"""Whether a part answers is asked once for all, and told in time also where the part hangs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from redis.asyncio import Redis

from api.answering import ANSWER_SECONDS, Answered, Answering, Probe
from api.assignments.cache import SharedCache
from api.postgres.database import Pool
from neonblue.stack.supervisor.probe import SECONDS

SOON = 0.3
"""Seconds that a part has here."""
LATE = 10.0
"""Far more than the part has, far less than the drivers take to give up by themselves."""


@dataclass
class Silent:
    """A server that accepts and never answers. connections: how many came."""

    port: int = 0
    connections: int = 0
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def accept(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)

    def close(self) -> None:
        for writer in self._writers:
            writer.transport.abort()


@asynccontextmanager
async def silent() -> AsyncIterator[Silent]:
    hanging = Silent()
    server = await asyncio.start_server(hanging.accept, "127.0.0.1", 0)
    hanging.port = server.sockets[0].getsockname()[1]
    try:
        yield hanging
    finally:
        hanging.close()
        server.close()


def counted(answers: Iterator[bool]) -> tuple[Callable[[], Awaitable[bool]], list[float]]:
    asked: list[float] = []

    async def ask() -> bool:
        asked.append(time.monotonic())
        await asyncio.sleep(0)
        return next(answers)

    return ask, asked


@pytest.mark.parametrize("part", ["postgres", "valkey"])
def test_ten_who_ask_of_a_part_that_hangs_are_told_in_time_by_one_probe(part: str) -> None:
    async def look() -> None:
        async with silent() as hanging:
            pool = Pool(f"postgresql://nobody@127.0.0.1:{hanging.port}/none?sslmode=disable", 6)
            valkey = SharedCache(Redis(host="127.0.0.1", port=hanging.port))
            probe = Probe(pool.answers if part == "postgres" else valkey.ping, seconds=SOON)
            began = time.monotonic()
            found = await asyncio.gather(*(probe.look() for _ in range(10)))
            took = time.monotonic() - began

            assert found == [Answered.SILENT] * 10
            assert hanging.connections == 1
            assert SOON * 0.9 <= took < LATE
            await valkey.client.aclose()

    asyncio.run(look())


def test_giving_up_that_hangs_too_keeps_nobody_waiting_and_starts_no_second_probe() -> None:
    async def look() -> None:
        asked, let_go = 0, asyncio.Event()

        async def ask() -> bool:
            nonlocal asked
            asked += 1
            while not let_go.is_set():
                try:
                    await let_go.wait()
                except asyncio.CancelledError:
                    continue
            return True

        probe = Probe(ask, seconds=0.05, fresh=0.0)
        async with asyncio.timeout(LATE):
            assert [await probe.look() for _ in range(5)] == [Answered.SILENT] * 5
            assert asked == 1
            let_go.set()
            while await probe.look() is not Answered.OK:  # noqa: ASYNC110 - it tells nobody when it ended
                await asyncio.sleep(0)

    asyncio.run(look())


def test_all_parts_answer_before_the_stack_gives_up_asking() -> None:
    assert ANSWER_SECONDS <= SECONDS - 0.5


def test_both_parts_are_asked_at_once() -> None:
    async def look() -> None:
        met = asyncio.Barrier(2)

        async def ask() -> bool:
            await met.wait()
            return True

        async with asyncio.timeout(LATE):
            assert await Answering(Probe(ask), Probe(ask)).look() == (Answered.OK, Answered.OK)

    asyncio.run(look())


def test_an_answer_holds_for_its_time_and_no_longer() -> None:
    async def look() -> None:
        ask, asked = counted(iter([True, False]))
        lasting = Probe(ask, fresh=3600.0)
        assert [await lasting.look() for _ in range(3)] == [Answered.OK] * 3
        assert len(asked) == 1

        ask, asked = counted(iter([True, False]))
        fleeting = Probe(ask, fresh=-1.0)
        assert [await fleeting.look() for _ in range(2)] == [Answered.OK, Answered.DOWN]
        assert len(asked) == 2

    asyncio.run(look())


def test_one_who_leaves_takes_no_answer_from_the_others() -> None:
    async def look() -> None:
        let_go = asyncio.Event()

        async def ask() -> bool:
            await let_go.wait()
            return True

        probe = Probe(ask)
        first, second = asyncio.create_task(probe.look()), asyncio.create_task(probe.look())
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.sleep(0)
        let_go.set()
        assert await second is Answered.OK

    asyncio.run(look())
