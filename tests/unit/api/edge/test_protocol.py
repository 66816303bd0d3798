"""Which requests are answered where their bytes arrive, and which go the usual way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from starlette.types import Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.server import Server

from api.edge.at_once import Application, Call, Caller, Response
from api.edge.protocol import Protocol
from api.http.body import Headers
from api.recent import RecentMap
from neonblue.serving.limits import ConnectionLimits

BODY = b'{"experiment":"e","user_id":"u"}'


class AtOnce:
    """Knows every body but one that says so. read: how many heads it has been shown."""

    def __init__(self) -> None:
        self.heads: RecentMap[bytes, Call] = RecentMap(10)
        self.read = 0

    def caller(self, headers: Headers) -> Caller | None:
        self.read += 1
        return Caller(headers.get(b"authorization", b""), None)

    def answer(self, caller: Caller, body: bytes) -> Response | None:
        if b"unknown" in body:
            return None
        return Response(b"\r\nx-way: at once", caller.token_digest + body)


async def usual(scope: Scope, receive: Receive, send: Send) -> None:
    body = (await receive())["body"]
    headers = [(b"x-way", b"usual"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


Use = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[list[bytes]]]


async def served(
    use: Use, at_once: AtOnce, keep_alive: int = 5, limits: ConnectionLimits | None = None
) -> list[bytes]:
    """What `use` returns of a connection to the two."""
    application = Application(usual, at_once, limits or ConnectionLimits())  # type: ignore[arg-type]
    config = Config(
        application, lifespan="off", proxy_headers=False, log_level="warning", timeout_keep_alive=keep_alive
    )
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

    return asyncio.run(served(use, AtOnce()))


def in_turn(at_once: AtOnce, *requests: bytes) -> list[bytes]:
    """The answers to requests that are each sent when the one before is answered."""

    async def use(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> list[bytes]:
        answers = []
        for each in requests:
            writer.write(each)
            answers.append(await read(reader))
        return answers

    return asyncio.run(served(use, at_once))


def test_what_memory_knows_is_answered_at_once() -> None:
    assert ways(request(), request()) == [b"at once " + BODY] * 2


def test_a_head_is_read_once() -> None:
    at_once = AtOnce()
    bodies = [b'{"user_id":"%d"}' % n for n in range(5)]

    for _ in range(2):  # connections
        answers = in_turn(at_once, *(request(body) for body in bodies))
        assert answers == [b"at once " + body for body in bodies]

    assert at_once.read == 1


def test_each_head_is_its_own() -> None:
    at_once = AtOnce()
    line = "POST /v1/assignments HTTP/1.1"
    sent = [request(BODY, line, f"authorization: {who}") for who in "ababc"]

    assert in_turn(at_once, *sent) == [b"at once " + who.encode() + BODY for who in "ababc"]
    assert at_once.read == 3


@pytest.mark.parametrize(
    ("before", "body"),
    [
        (b"POST /v1/events HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(request()), request()),
        (b"POST /v1/events HTTP/1.1\r\nx-note: ", BODY),  # its first line is the rest of this one
    ],
)
def test_what_looks_like_a_known_request_inside_another_is_a_part_of_it(before: bytes, body: bytes) -> None:
    async def use(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> list[bytes]:
        writer.write(request())
        answers = [await read(reader)]
        writer.write(before)
        for _ in range(3):  # turns of the loop, in which the server reads what it has
            await asyncio.sleep(0)
        writer.write(request())
        return [*answers, await read(reader)]

    assert asyncio.run(served(use, AtOnce())) == [b"at once " + BODY, b"usual " + body]


def test_a_known_head_with_another_body_than_it_says_is_read_by_the_parser() -> None:
    short, rest = request()[:-3], request()[-3:]

    async def use(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> list[bytes]:
        writer.write(request())
        answers = [await read(reader)]
        writer.write(short)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.05)
        writer.write(rest + request())
        return [*answers, await read(reader), await read(reader)]

    assert asyncio.run(served(use, AtOnce())) == [b"at once " + BODY] * 3


@pytest.mark.parametrize("known", [False, True])
def test_a_connection_in_use_is_kept_and_an_idle_one_ends(known: bool) -> None:
    async def use(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> list[bytes]:
        loop = asyncio.get_running_loop()
        started = loop.time()
        while loop.time() - started < 1.5:  # longer than a connection is kept without use
            writer.write(request())
            assert await read(reader) == b"at once " + BODY
        last = loop.time()
        assert await asyncio.wait_for(reader.read(), 10) == b""
        return [b"%.0f" % (loop.time() - last)]

    at_once = AtOnce()
    if known:
        in_turn(at_once, request())
    assert asyncio.run(served(use, at_once, keep_alive=1)) == [b"1"]


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
    assert found[0] == b"at once " + BODY
    assert [answer.removeprefix(b"at once ").removeprefix(b"usual ") for answer in found[1:]] == [
        b'{"user_id":"unknown"}', BODY, b'{"user_id":"unknown"}', b'{"user_id":"unknown"}', BODY,
    ]  # fmt: skip


def test_a_refused_head_is_told_as_a_problem() -> None:
    twice = request(BODY, "POST /v1/assignments HTTP/1.1", "authorization: a", "authorization: b")

    async def use(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> list[bytes]:
        writer.write(twice)
        return [await asyncio.wait_for(reader.read(), 10)]

    (told,) = asyncio.run(served(use, AtOnce()))
    assert told.startswith(b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/problem+json\r\n")
    assert b'"code":"repeated_field"' in told


def test_a_short_body_may_come_later_than_its_head() -> None:
    async def use(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> list[bytes]:
        answers = []
        for _ in range(2):
            writer.write(request()[: -len(BODY)])
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.read(1), 1.8)  # longer than what follows an answer may take
            writer.write(BODY)
            answers.append(await read(reader))
        return answers

    limits = ConnectionLimits(surplus_time=0.5)
    assert asyncio.run(served(use, AtOnce(), 60, limits)) == [b"at once " + BODY] * 2
