"""A server with short limits, a way to connect to it, and what it answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from starlette.types import Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.server import Server

from neonblue.serving.limits import ConnectionLimits
from neonblue.serving.protocol import BoundedProtocol

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Connect = Callable[[], Awaitable[Streams]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

QUICK = ConnectionLimits(
    first_request=0.5, head_time=0.5, silence=0.5, surplus_time=0.5, unread=0.5, surplus=64 * 1024
)
HEAD = b"POST / HTTP/1.1\r\nhost: x\r\n"
WAIT_SECONDS = 20
BIG = 32 * 1024 * 1024


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the number of header fields and the body; `/early` before the body, `/big` with much."""
    body, more = b"", scope["path"] != "/early"
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body += message.get("body", b"")
        more = message.get("more_body", False)
    if scope["path"] == "/big":
        body = bytes(BIG)
    answer = b"%d %s" % (len(scope["headers"]), body)
    headers = [(b"content-length", b"%d" % len(answer))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


def served(
    use: Callable[[Connect], Awaitable[None]], limits: ConnectionLimits = QUICK, app: App = echo
) -> None:
    """Run `use` with a way to open connections to a server with these limits."""

    class Limited(BoundedProtocol):
        def limits(self) -> ConnectionLimits:
            return limits

    async def run() -> None:
        config = Config(app, lifespan="off", proxy_headers=False, log_level="critical", timeout_keep_alive=60)
        config.load()
        state = Server(config).server_state
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Limited(config, state, {}, loop), "127.0.0.1", 0)
        address = server.sockets[0].getsockname()[:2]
        opened: list[asyncio.StreamWriter] = []

        async def connect() -> Streams:
            streams = await asyncio.open_connection(*address)
            opened.append(streams[1])
            return streams

        try:
            await use(connect)
        finally:
            for writer in opened:
                writer.transport.abort()
            server.close()

    asyncio.run(run())


async def rest(reader: asyncio.StreamReader) -> bytes:
    """Everything until the server closes."""
    return await asyncio.wait_for(reader.read(), WAIT_SECONDS)


async def answer(reader: asyncio.StreamReader) -> bytes:
    """The body of the next answer."""
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), WAIT_SECONDS)
    assert head.startswith(b"HTTP/1.1 200 "), head
    return await reader.readexactly(int(head.split(b"content-length: ")[1].split(b"\r\n")[0]))


def after(*pieces: bytes, limits: ConnectionLimits = QUICK) -> bytes:
    """All that a client is told that sends this."""
    told = b""

    async def use(connect: Connect) -> None:
        nonlocal told
        reader, writer = await connect()
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            for _ in range(3):
                await asyncio.sleep(0)
        told = await rest(reader)

    served(use, limits)
    return told
