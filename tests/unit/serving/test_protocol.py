"""What a client can make long, large, slow or many, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from ipaddress import ip_network
from time import monotonic
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from tests.unit.serving.conversations import (
    BIG,
    HEAD,
    QUICK,
    WAIT_SECONDS,
    Connect,
    after,
    answer,
    echo,
    rest,
    served,
)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n", 414),
        (HEAD + b"x-long: " + b"a" * 33_000 + b"\r\n\r\n", 431),
        (HEAD + b"".join(b"x-%d: 1\r\n" % n for n in range(101)) + b"\r\n", 431),
        (HEAD + b"authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n", 400),
        (HEAD + b"Host: y\r\n\r\n", 400),
        (HEAD + b"content-type: a/b\r\ncontent-type: c/d\r\n\r\n", 400),
        (HEAD + b"content-length: 1\r\ncontent-length: 1\r\n\r\na", 400),
        (HEAD + b"content-encoding: gzip\r\ncontent-encoding: identity\r\n\r\n", 400),
        (HEAD + b"no colon\r\n\r\n", 400),
    ],
)
def test_a_head_that_is_too_large_or_says_a_thing_twice_is_refused(sent: bytes, status: int) -> None:
    told = after(sent)

    assert told.startswith(b"HTTP/1.1 %d " % status)
    assert told.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize("start", [HEAD + b"x: ", b"GET /", HEAD + b"x"])
def test_a_head_without_end_is_refused_early(start: bytes) -> None:
    told, sent = b"", 0

    async def use(connect: Connect) -> None:
        nonlocal told, sent
        reader, writer = await connect()
        writer.write(start)
        try:
            for _ in range(2_000):
                writer.write(b"a" * 8_192)
                await writer.drain()
                sent += 8_192
                if reader._buffer:  # type: ignore[attr-defined]
                    break
        except ConnectionError:
            pass
        told = await rest(reader)

    served(use)
    assert told[:12] in (b"HTTP/1.1 431", b"HTTP/1.1 414")
    assert sent < 4 * 1024 * 1024


def test_fields_after_a_body_reach_nobody_and_have_an_end() -> None:
    chunked = HEAD + b"transfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n"
    close = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"

    assert b"2 hi" in after(chunked + b"authorization: Bearer b\r\n\r\n" + close)
    assert b"HTTP/1.1 431" in after(chunked + b"x: 1\r\n" * 6_000)
    assert b"HTTP/1.1 431" in after(chunked, *[b"x" * 8_192] * 8)


def test_what_stands_beside_a_chunk_has_an_end() -> None:
    start = HEAD + b"transfer-encoding: chunked\r\n\r\n2;"
    assert after(start, *[b"x" * 8_192] * 8).startswith(b"HTTP/1.1 431")


@pytest.mark.parametrize(
    ("pieces", "status"),
    [
        ((), b""),
        ((b"\r\n",), b""),
        ((b"GET / HTT",), b"HTTP/1.1 408"),
        ((HEAD + b"content-length: 9\r\n\r\n",), b"HTTP/1.1 408"),
        ((HEAD + b"transfer-encoding: chunked\r\n\r\n", b"2\r\nhi"), b"HTTP/1.1 408"),
    ],
)
def test_who_does_not_go_on_is_let_go(pieces: tuple[bytes, ...], status: bytes) -> None:
    assert after(*pieces)[:12] == status


@pytest.mark.parametrize(
    "start",
    [b"", b"GET / HTTP/1.1\r\nx: ", HEAD + b"content-length: 9999\r\n\r\n"],
    ids=["idle", "head", "body"],
)
def test_a_byte_now_and_then_keeps_no_connection(start: bytes) -> None:
    async def use(connect: Connect) -> None:
        reader, writer = await connect()
        writer.write(start)
        begun = monotonic()

        async def trickle() -> None:
            while True:
                writer.write(b"\r\n" if not start else b"a")
                await asyncio.sleep(0.05)

        trickling = asyncio.create_task(trickle())
        with contextlib.suppress(ConnectionResetError):  # a byte that crosses the closing
            await rest(reader)
        trickling.cancel()
        assert monotonic() - begun < 10

    served(use)


def test_a_connection_that_waits_for_an_answer_is_not_the_clients_fault() -> None:
    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(1.0)
        await echo(scope, receive, send)

    async def use(connect: Connect) -> None:
        reader, writer = await connect()
        for _ in range(2):
            writer.write(HEAD + b"content-length: 2\r\n\r\nhi")
            assert await answer(reader) == b"2 hi"
        writer.write(HEAD + b"content-length: 2\r\nexpect: 100-continue\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"hi")
        assert await answer(reader) == b"3 hi"

    served(use, app=slow)


def test_the_rest_of_a_body_that_is_answered_already_has_an_end() -> None:
    early = b"POST /early HTTP/1.1\r\nhost: x\r\n"

    async def use(connect: Connect) -> None:
        reader, writer = await connect()
        writer.write(early + b"content-length: 5\r\n\r\n")
        assert await answer(reader) == b"2 "
        writer.write(b"12345" + HEAD + b"content-length: 2\r\n\r\nhi")  # read to its end, it costs nothing
        assert await answer(reader) == b"2 hi"
        for length in (b"content-length: 9999999\r\n\r\n", b"transfer-encoding: chunked\r\n\r\nfffff\r\n"):
            reader, writer = await connect()
            writer.write(early + length)
            assert await answer(reader) == b"2 "
            writer.write(b"a" * 99_999)
            assert await rest(reader) == b""
        reader, writer = await connect()
        writer.write(early + b"content-length: 5\r\n\r\n")
        assert await answer(reader) == b"2 "
        assert await rest(reader) == b""

    served(use)


def test_who_does_not_read_the_answer_is_let_go() -> None:
    async def use(connect: Connect) -> None:
        reader, writer = await connect()
        writer.write(b"GET /big HTTP/1.1\r\nhost: x\r\n\r\n")
        await asyncio.sleep(4)  # as a client that reads nothing; its own buffer is soon full
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await asyncio.wait_for(reader.readexactly(BIG), WAIT_SECONDS)

    served(use)


def test_who_reads_slowly_gets_the_whole_answer() -> None:
    async def use(connect: Connect) -> None:
        reader, writer = await connect()
        writer.write(b"GET /big HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        got = 0
        for _ in range(40):
            got += len(await reader.read(1024 * 1024))
            await asyncio.sleep(0.05)
        got += len(await rest(reader))
        assert got > BIG

    served(use)


def test_an_answer_under_way_comes_before_the_refusal_of_what_follows() -> None:
    told = after(HEAD + b"content-length: 2\r\n\r\nhi" + HEAD + b"host: y\r\n\r\n")

    assert told.startswith(b"HTTP/1.1 200 OK")
    assert told.endswith(b"2 hi")


def test_the_last_connections_are_told_that_there_is_no_place() -> None:
    few = replace(QUICK, connections=3, first_request=60.0)

    async def use(connect: Connect) -> None:
        for _ in range(3):
            reader, writer = await connect()
            writer.write(HEAD + b"\r\n")
            await answer(reader)
        reader, _ = await connect()
        told = await rest(reader)
        assert told.startswith(b"HTTP/1.1 503 ")
        assert b"retry-after: 1" in told

    served(use, few)


@pytest.mark.parametrize("limits", [{"connections": 3}, {"of_one_address": 3}])
def test_connections_that_ask_nothing_shut_nobody_out(limits: dict[str, Any]) -> None:
    few = replace(QUICK, first_request=60.0, **limits)

    async def use(connect: Connect) -> None:
        silent = [await connect() for _ in range(20)]
        reader, writer = await connect()
        writer.write(HEAD + b"\r\n")
        assert await answer(reader) == b"1 "
        assert await rest_or_reset(silent[0][0]) == b""

    served(use, few)


def test_a_proxys_network_has_no_limit_of_its_own() -> None:
    shared = replace(QUICK, of_one_address=1, shared=[ip_network("127.0.0.0/8")])

    async def use(connect: Connect) -> None:
        for _ in range(3):
            reader, writer = await connect()
            writer.write(HEAD + b"\r\n")
            assert await answer(reader) == b"1 "

    served(use, shared)


async def rest_or_reset(reader: asyncio.StreamReader) -> bytes:
    try:
        return await rest(reader)
    except ConnectionError:
        return b""


def test_a_websocket_is_no_silent_connection() -> None:
    async def application(_: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        message = await receive()
        await send({"type": "websocket.send", "text": message["text"]})
        await receive()

    async def use(connect: Connect) -> None:
        reader, writer = await connect()
        writer.write(
            b"GET / HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
            b"sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), WAIT_SECONDS)
        assert head.startswith(b"HTTP/1.1 101 ")
        silent, _ = await connect()
        # The watch has come by, and this one, which asked nothing, is closed.
        assert await asyncio.wait_for(silent.read(), WAIT_SECONDS) == b""
        writer.write(bytes([0x81, 0x82, 0, 0, 0, 0]) + b"hi")
        assert await asyncio.wait_for(reader.readexactly(4), WAIT_SECONDS) == b"\x81\x02hi"
        writer.close()

    served(use, app=application)
