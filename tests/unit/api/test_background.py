"""Work in the background goes on, whatever ends it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import wraps

import pytest
from structlog.testing import capture_logs

from api.background import Keeper, Work


def in_a_loop(test: Callable[..., Coroutine[None, None, None]]) -> Callable[..., None]:
    @wraps(test)
    def run(*arguments: object, **named: object) -> None:
        asyncio.run(test(*arguments, **named))

    return run


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - it tells nobody when it changes
            await asyncio.sleep(0)


async def for_ever() -> None:
    await asyncio.Event().wait()


async def _cancelled_inside() -> None:
    inner = asyncio.create_task(for_ever())
    inner.cancel()
    await inner


async def _fails() -> None:
    raise RuntimeError("unforeseen")


async def _returns() -> None:
    return


@pytest.mark.parametrize("ending", [_fails, _returns, _cancelled_inside])
@in_a_loop
async def test_work_is_begun_again_however_it_ended(ending: Callable[[], object]) -> None:
    begun = 0

    async def work() -> None:
        nonlocal begun
        begun += 1
        await (for_ever() if begun == 4 else ending())  # type: ignore[misc]

    keeper = Keeper(first_seconds=0.001)
    keeper.keep("work", work)
    await until(lambda: begun == 4)

    assert keeper.down == ()
    assert keeper.hopeless == ()
    await keeper.stop()


@in_a_loop
async def test_what_is_down_is_named_and_what_stays_down_is_given_up_where_it_is_vital() -> None:
    keeper = Keeper(first_seconds=0.0)
    keeper.keep("vital", _fails, vital=True)
    keeper.keep("other", _fails)
    keeper.keep("well", for_ever)

    assert keeper.hopeless == ()
    await until(lambda: keeper.hopeless)

    assert set(keeper.down) <= {"vital", "other"}
    assert keeper.hopeless == ("vital",)
    await keeper.stop()


@in_a_loop
async def test_what_was_given_up_and_lives_again_is_well() -> None:
    begun = 0

    async def work() -> None:
        nonlocal begun
        begun += 1
        await (_fails() if begun <= 8 else for_ever())

    keeper = Keeper(first_seconds=0.0, settled_seconds=0.1)
    keeper.keep("vital", work, vital=True)
    await until(lambda: keeper.hopeless)
    await until(lambda: not keeper.hopeless)

    assert begun == 9
    await keeper.stop()


@in_a_loop
async def test_work_that_nothing_would_begin_again_is_given_up() -> None:
    keeper = Keeper()
    keeper.keep("work", for_ever)
    (task,) = [task for task in asyncio.all_tasks() if task.get_name() == "work"]

    task.cancel()
    await asyncio.wait([task])

    assert keeper.down == ("work",)
    assert keeper.hopeless == ("work",)


@in_a_loop
async def test_stopping_ends_all_of_it() -> None:
    keeper = Keeper()
    keeper.keep("work", for_ever)
    keeper.keep("failing", _fails)
    await asyncio.sleep(0)

    await keeper.stop()

    assert keeper.down == ()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def _fails_where_it_ends() -> None:
    try:
        await for_ever()
    except asyncio.CancelledError:
        raise OSError("closing failed") from None


async def _returns_where_it_ends() -> None:
    with suppress(asyncio.CancelledError):
        await for_ever()


@pytest.mark.parametrize("work", [_fails_where_it_ends, _returns_where_it_ends])
@in_a_loop
async def test_work_that_makes_something_else_of_its_end_is_not_begun_again(work: Work) -> None:
    keeper = Keeper(first_seconds=0.0)
    keeper.keep("work", work)
    await asyncio.sleep(0)

    async with asyncio.timeout(2):
        await keeper.stop()

    assert asyncio.all_tasks() == {asyncio.current_task()}


@in_a_loop
async def test_stopping_waits_for_ever_for_nothing_that_does_not_end() -> None:
    told, ended = 0, asyncio.Event()

    async def stubborn() -> None:
        nonlocal told
        while not ended.is_set():
            try:
                await ended.wait()
            except asyncio.CancelledError:
                told += 1

    keeper = Keeper(stop_seconds=0.05)
    keeper.keep("stubborn", stubborn)
    await asyncio.sleep(0)

    with capture_logs() as lines:
        async with asyncio.timeout(5):
            await keeper.stop()
    ended.set()

    assert told == 2
    assert [line["names"] for line in lines if line["event"] == "background_work_does_not_end"] == [
        ["stubborn"]
    ]


@in_a_loop
async def test_what_the_process_can_do_without_is_told_apart() -> None:
    loaded = False
    keeper = Keeper(first_seconds=0.0)
    keeper.keep("vital", _fails, vital=True)
    keeper.keep("vital at first", _fails, vital=lambda: not loaded)
    keeper.keep("other", _fails)
    await until(lambda: set(keeper.hopeless) == {"vital", "vital at first"})
    await until(lambda: "vital at first" in keeper.vital_down)

    loaded = True

    await until(lambda: len(keeper.down) == 3)
    assert keeper.vital_down == ("vital",)
    assert keeper.hopeless == ("vital",)
    await keeper.stop()
