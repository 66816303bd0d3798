"""Which requests are answered where their bytes arrive, and which go the usual way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from starlette.types import Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.server import Server

from api.http.at_once import Application, Response
from api.http.body import Headers
from api.http.protocol import Protocol

BODY = b'{"experiment":"e","user_id":"u"}'


class AtOnce:
    """Knows every body but one that says so."""

    def answer(self, headers: Headers, body: bytes) -> Response | None:
        return None if b"unknown" in body else Response([(b"x-way", b"at once")], b"[]")


async def usual(scope: Scope, receive: Receive, send: Send) -> None:
    body = (await receive())["body"]
    headers = [(b"x-way", b"usual"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def served(
    use: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[list[bytes]]],
) -> list[bytes]:
    """What `use` returns of a connection to the two."""
    application = Application(usual, AtOnce())  # type: ignore[arg-type]
    config = Config(application, lifespan="off", proxy_headers=False, log_level="warning")
    config.load()
    state = Server(config).server_state
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Protocol(config, state, {}, loop), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
    try:
        return await use(reader, writer)
    finally:
        writer.close()
        server.close()


async def read(reader: asyncio.StreamReader) -> bytes:
    """The next answer's way and body."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
    way = head.split(b"x-way: ")[1].split(b"\r\n")[0]
    return way + b" " + await reader.readexactly(length)


def request(body: bytes = BODY, line: str = "POST /v1/assignments HTTP/1.1", *headers: str) -> bytes:
    head = "\r\n".join([line, "host: x", f"content-length: {len(body)}", *headers, "", ""])
    return head.encode() + body


def ways(*requests: bytes) -> list[bytes]:
    async def use(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> list[bytes]:
        writer.write(b"".join(requests))
        return [await read(reader) for _ in requests]

    return asyncio.run(served(use))


def test_what_memory_knows_is_answered_at_once() -> None:
    assert ways(request(), request()) == [b"at once []"] * 2


@pytest.mark.parametrize(
    "unusual",
    [
        request(b'{"user_id":"unknown"}'),
        request(BODY, "POST /v1/assignments?x=1 HTTP/1.1"),
        request(BODY, "POST /v1/events HTTP/1.1"),
        request(BODY, "PUT /v1/assignments HTTP/1.1"),
        request(BODY, "POST /v1/assignments HTTP/1.0"),
        request(BODY, "POST /v1/assignments HTTP/1.1", "origin: http://a"),
        request(BODY, "POST /v1/assignments HTTP/1.1", "content-encoding: gzip"),
        request(BODY, "POST /v1/assignments HTTP/1.1", "connection: close"),
        request(BODY + b" " * 4_096),
    ],
)
def test_what_is_unusual_goes_the_usual_way_with_its_whole_body(unusual: bytes) -> None:
    assert ways(unusual) == [b"usual " + unusual.split(b"\r\n\r\n")[1]]


def test_the_order_holds_where_both_ways_meet_on_one_connection() -> None:
    new = request(b'{"user_id":"unknown"}')

    found = ways(request(), new, request(), new, new, request())

    # Behind a request that is still under way the usual way is taken, else the order would not hold.
    assert found[0] == b"at once []"
    assert [answer.split(b" ", 1)[1] for answer in found[1:]] == [
        b'{"user_id":"unknown"}', BODY, b'{"user_id":"unknown"}', b'{"user_id":"unknown"}', BODY,
    ]  # fmt: skip
