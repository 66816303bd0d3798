"""The proxy passes on, waits, cuts answers off, and resets: with real sockets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from neonblue.faults.proxy import FAIR, Proxy, Weather

Talk = Callable[[Proxy, list[bytes]], Awaitable[None]]


def run(talk: Talk) -> list[bytes]:
    """Let a client talk through a proxy to a server that answers in capitals; what the server heard."""
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            heard.append(line)
            writer.write(line.upper())
            await writer.drain()
            if line == b"end\n":
                break
        writer.close()

    async def everything() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        proxy = await Proxy(server.sockets[0].getsockname()[1]).start()
        try:
            await asyncio.wait_for(talk(proxy, heard), 20)
        finally:
            await proxy.stop()
            server.close()

    asyncio.run(everything())
    return heard


async def ask(proxy: Proxy, line: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        writer.write(line)
        return await reader.readline()
    finally:
        writer.close()


def test_in_fair_weather_it_passes_everything_on() -> None:
    async def talk(proxy: Proxy, heard: list[bytes]) -> None:
        assert await ask(proxy, b"hello\n") == b"HELLO\n"
        big = b"x" * 60_000 + b"\n"
        assert await ask(proxy, big) == big.upper()

    assert run(talk)[0] == b"hello\n"


def test_the_end_of_the_server_is_the_end_for_the_client() -> None:
    async def talk(proxy: Proxy, heard: list[bytes]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"end\n")
        assert await reader.read() == b"END\n"
        writer.close()

    run(talk)


def test_a_delay_is_waited_for() -> None:
    async def talk(proxy: Proxy, heard: list[bytes]) -> None:
        proxy.weather = Weather(delay=0.4)
        began = time.monotonic()
        for _ in range(5):
            assert await ask(proxy, b"hello\n") == b"HELLO\n"
        assert time.monotonic() - began > 0.4

    run(talk)


def test_an_answer_is_lost_and_its_request_is_not() -> None:
    async def talk(proxy: Proxy, heard: list[bytes]) -> None:
        proxy.weather = Weather(mute=True)
        with pytest.raises(ConnectionResetError):
            await ask(proxy, b"hello\n")
        proxy.weather = FAIR
        assert await ask(proxy, b"again\n") == b"AGAIN\n"

    assert run(talk) == [b"hello\n", b"again\n"]


def test_refused_connections_are_reset_and_nothing_arrives() -> None:
    async def talk(proxy: Proxy, heard: list[bytes]) -> None:
        proxy.weather = Weather(refuse=True)
        with pytest.raises(ConnectionResetError):
            await ask(proxy, b"hello\n")

    assert run(talk) == []


def test_open_connections_can_be_reset() -> None:
    async def talk(proxy: Proxy, heard: list[bytes]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"hello\n")
        assert await reader.readline() == b"HELLO\n"
        proxy.reset()
        with pytest.raises(ConnectionResetError):
            await reader.readline()

    run(talk)


def test_a_server_that_is_away_is_a_reset() -> None:
    async def talk() -> None:
        closed = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
        port = closed.sockets[0].getsockname()[1]
        closed.close()
        await closed.wait_closed()
        proxy = await Proxy(port).start()
        with pytest.raises(ConnectionResetError):
            await ask(proxy, b"hello\n")
        await proxy.stop()

    asyncio.run(talk())
