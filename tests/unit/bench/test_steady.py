"""A load that goes on whatever becomes of the server, and what it says of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from neonblue.bench.http import Answer, Target
from neonblue.bench.steady import Account, Call, Steady

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n"
DEADLINE_SECONDS = 20


def load(serve: Serve, requests: int, *, again: bool = False, close: bool = False) -> Account:
    """What becomes of so many requests to a server of this kind; `close`: it stops listening before the first."""

    async def run() -> Account:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        target = Target("127.0.0.1", server.sockets[0].getsockname()[1], "token")
        if close:
            server.close()

        def make(turn: int) -> Call:
            if turn >= requests - 1:
                steady.stop()
            return Call(target.post("/", b"{}"), _right)

        steady = Steady(target, 2_000.0, 1, make, again=again)
        async with asyncio.timeout(DEADLINE_SECONDS):
            account = await steady.run()
        server.close()
        return account

    return asyncio.run(run())


def _right(answer: Answer) -> bool:
    return answer.body == b"ok"


async def _read(reader: asyncio.StreamReader) -> None:
    await reader.readuntil(b"\r\n\r\n{}")


async def parting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers once on each connection, says that this was all, and closes."""
    await _read(reader)
    writer.write(OK + b"connection: close\r\n\r\nok")
    writer.close()


async def curt(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Closes without an answer."""
    await _read(reader)
    writer.close()


def test_a_connection_that_is_told_to_end_is_not_used_again() -> None:
    account = load(parting, 30)

    assert (len(account.seconds), account.failures, account.lost) == (30, {}, 0)


@pytest.mark.parametrize(("again", "failures"), [(False, 5), (True, 10)])
def test_what_is_not_answered_is_counted_each_time_and_lost_once(again: bool, failures: int) -> None:
    account = load(curt, 5, again=again)

    assert (account.failures, account.lost) == ({"BrokenError": failures}, 5)


def test_a_server_that_is_not_there_is_told_by_its_reason() -> None:
    account = load(parting, 5, close=True)

    assert (account.failures, account.lost) == ({"ConnectionRefusedError": 5}, 5)


def test_the_longest_time_without_an_answer_is_between_two_answers() -> None:
    assert Account(answered=[4.0, 1.0, 1.5]).longest_gap == 2.5
    assert Account().longest_gap == 0.0
