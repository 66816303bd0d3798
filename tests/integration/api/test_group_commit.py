"""What a fault in the writing itself does: nobody waits for ever, and what follows is stored."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from api.postgres.database import Connection, connect
from api.postgres.failures import Unavailable
from api.postgres.group_commit import GroupCommit, GroupLimits
from tests.integration.api.conftest import Server


@dataclass
class Job:
    """Whether its writing fails, and how."""

    fault: BaseException | None = None
    items: int = 1
    size: int = 1


async def write(connection: Connection, jobs: Sequence[Job], _: int) -> list[str]:
    await connection.execute("SELECT 1")
    for job in jobs:
        if job.fault is not None:
            raise job.fault
    return ["stored"] if len(jobs) == 1 else []  # no answer for a group of two


def queue_on(server: Server) -> GroupCommit[Job, str]:
    queue: GroupCommit[Job, str] = GroupCommit(
        "test", lambda: connect(server.dsn, "test"), write, GroupLimits(0.01, 1, 10, 1000)
    )
    queue.keeper.first_seconds = 0.001
    return queue


async def stored(queue: GroupCommit[Job, str]) -> str:
    async with asyncio.timeout(20):
        while not queue.available:  # noqa: ASYNC110 - the queue tells nobody
            await asyncio.sleep(0.01)
        return await queue.submit(Job())


def test_a_writer_that_forgets_an_answer_leaves_nobody_waiting(postgres: Server) -> None:
    async def scenario() -> None:
        queue = queue_on(postgres)
        queue.start()
        assert await stored(queue) == "stored"
        async with asyncio.timeout(20):
            both = await asyncio.gather(queue.submit(Job()), queue.submit(Job()), return_exceptions=True)
        assert [type(answer) for answer in both] == [Unavailable, Unavailable]
        assert await stored(queue) == "stored"
        assert queue.keeper.down == ()
        await queue.stop()

    asyncio.run(scenario())


@pytest.mark.parametrize("fault", [RuntimeError("unforeseen"), asyncio.CancelledError()])
def test_a_fault_fails_its_own_job_and_the_next_is_stored(postgres: Server, fault: BaseException) -> None:
    async def scenario() -> None:
        queue = queue_on(postgres)
        queue.start()
        assert await stored(queue) == "stored"
        with pytest.raises((RuntimeError, Unavailable)):
            async with asyncio.timeout(20):
                await queue.submit(Job(fault))
        assert await stored(queue) == "stored"
        await queue.stop()

    asyncio.run(scenario())
