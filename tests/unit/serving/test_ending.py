"""A server that ends: what is under way is answered, and nobody is kept."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from time import monotonic

from uvicorn.config import Config
from uvicorn.server import Server

from neonblue.serving import protocol
from neonblue.serving.limits import ConnectionLimits
from neonblue.serving.protocol import BoundedProtocol
from tests.unit.serving.conversations import (
    HEAD,
    WAIT_SECONDS,
    Connect,
    Streams,
    echo,
    rest,
)


@contextlib.asynccontextmanager
async def ending(parting: float = 1.0) -> AsyncIterator[tuple[Server, Connect]]:
    """A whole server, which the test ends, and a way to connect to it."""

    class Limited(BoundedProtocol):
        def limits(self) -> ConnectionLimits:
            return ConnectionLimits(parting=parting)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = listening.getsockname()
        config = Config(
            echo, lifespan="off", http=Limited, log_level="critical", timeout_graceful_shutdown=10
        )
        server = Server(config)
        running = asyncio.create_task(server.serve([listening]))
        await until(lambda: server.started)
        opened: list[asyncio.StreamWriter] = []

        async def connect() -> Streams:
            streams = await asyncio.open_connection(*address)
            opened.append(streams[1])
            return streams

        yield server, connect
        await asyncio.wait_for(running, WAIT_SECONDS)
        for writer in opened:
            writer.transport.abort()


async def until(condition: Callable[[], bool]) -> None:
    deadline = monotonic() + WAIT_SECONDS
    while not condition():
        assert monotonic() < deadline
        await asyncio.sleep(0.01)


GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"


def test_a_server_that_ends_answers_what_is_on_its_way_and_says_that_it_is_the_last() -> None:
    async def run() -> None:
        async with ending() as (server, connect):
            kept, fresh, idle, begun = [await connect() for _ in range(4)]
            kept[1].write(GET)
            assert b"connection: close" not in await kept[0].readuntil(b"1 ")
            begun[1].write(HEAD + b"content-length: 4\r\n")
            await asyncio.sleep(0.1)

            server.should_exit = True
            await until(lambda: server.server_state in protocol._ENDING)
            started = monotonic()

            for reader, writer in (kept, fresh):
                writer.write(GET)
                assert b"connection: close" in await rest(reader)
            begun[1].write(b"\r\nbody")
            assert (await rest(begun[0])).endswith(b"\r\n\r\n2 body")
            assert monotonic() - started < 0.9
            assert await rest(idle[0]) == b""
            assert monotonic() - started >= 0.9

    asyncio.run(run())


def test_a_connection_that_comes_as_the_server_ends_is_not_kept() -> None:
    async def run() -> None:
        async with ending() as (server, connect):
            protocol.end_keeping(server.server_state)
            reader, writer = await connect()
            writer.write(GET)
            assert b"connection: close" in await rest(reader)
            server.should_exit = True

    asyncio.run(run())


def test_without_a_time_to_part_idle_connections_are_closed_at_once() -> None:
    async def run() -> None:
        async with ending(parting=0.0) as (server, connect):
            reader, _ = await connect()
            await asyncio.sleep(0.05)
            started = monotonic()
            server.should_exit = True
            assert await rest(reader) == b""
            assert monotonic() - started < 0.9

    asyncio.run(run())
