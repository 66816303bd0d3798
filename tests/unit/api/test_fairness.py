"""Long work of one request does not hold up the others."""

from __future__ import annotations

import asyncio
import threading
from time import perf_counter

from api.fairness import Turns, off_the_loop


def test_work_in_turns_lets_others_go_on() -> None:
    async def run() -> int:
        others = 0

        async def other() -> None:
            nonlocal others
            while True:
                others += 1
                await asyncio.sleep(0)

        running = asyncio.create_task(other())
        turns, end = Turns(), perf_counter() + 0.2
        while perf_counter() < end:
            if turns.is_over():
                await turns.next()
        running.cancel()
        return others

    assert asyncio.run(run()) > 5


def test_few_threads_are_at_it_at_once_and_errors_come_back() -> None:
    most, now, lock = 0, 0, threading.Lock()
    gate = threading.Event()

    def work(number: int) -> int:
        nonlocal most, now
        with lock:
            now += 1
            most = max(most, now)
            if now == 2:
                gate.set()
        gate.wait(10)
        with lock:
            now -= 1
        if number == 7:
            raise ValueError("seven")
        return number

    async def run() -> list[int | BaseException]:
        return await asyncio.gather(*(off_the_loop(work, n) for n in range(10)), return_exceptions=True)

    found = asyncio.run(run())

    assert most == 2
    assert [one for one in found if not isinstance(one, ValueError)] == [n for n in range(10) if n != 7]
    assert str(found[7]) == "seven"
