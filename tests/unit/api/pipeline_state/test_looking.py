"""A look at a store: shared, in time, and told in words where there is none."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from api.pipeline_state.looking import Shared, Unreadable


class Store:
    """Answers with how often it was asked, once it may."""

    def __init__(self) -> None:
        self.asked = 0
        self.may = asyncio.Event()
        self.may.set()

    async def ask(self) -> int:
        self.asked += 1
        await self.may.wait()
        return self.asked


def test_all_who_look_share_one_answer_while_it_is_fresh() -> None:
    async def course() -> None:
        store = Store()
        shared = Shared("It", store.ask, fresh=60)
        looks = await asyncio.gather(*(shared.look() for _ in range(20)))
        assert {look.value for look in looks} == {1}
        assert (await shared.look()).value == 1
        stale = Shared("It", store.ask, fresh=-1)
        assert [(await stale.look()).value for _ in range(2)] == [2, 3]

    asyncio.run(course())


def test_a_store_that_hangs_is_waited_for_once_and_not_asked_again() -> None:
    async def course() -> None:
        store = Store()
        store.may.clear()
        shared = Shared("It", store.ask, seconds=0.05, fresh=-1)
        loop = asyncio.get_running_loop()
        assert (await shared.look()).why == "It did not answer within 0.05 s."
        began = loop.time()
        assert all([(await shared.look()).value is None for _ in range(50)])
        assert loop.time() - began < 0.05
        assert store.asked == 1
        assert shared.is_asking
        store.may.set()
        while (await shared.look()).value is None:  # noqa: ASYNC110 - until its task has ended
            await asyncio.sleep(0)
        assert store.asked <= 2

    asyncio.run(course())


@pytest.mark.parametrize("error", [Unreadable("Nobody may."), RuntimeError("secret-address"), OSError("x")])
def test_what_fails_is_told_without_what_the_library_says(error: Exception) -> None:
    async def fail() -> int:
        raise error

    ask: Callable[[], Awaitable[int]] = fail
    look = asyncio.run(Shared("It", ask).look())
    assert look.value is None
    known = isinstance(error, Unreadable)
    assert look.why == ("Nobody may." if known else "It could not be looked at: the API’s log says why.")
