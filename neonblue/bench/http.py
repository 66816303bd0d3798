"""A lean HTTP/1.1 client: it shares its cores with what it measures, so it does no more than it must."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Self, cast
from urllib.parse import urlsplit

HEADER_END = b"\r\n\r\n"
LENGTH = b"content-length:"
CLOSES = b"connection: close"


class Answer(NamedTuple):
    """Status and body of one response."""

    status: int
    body: bytes


class BrokenError(Exception):
    """The connection ended before the answer was complete."""


OnAnswer = Callable[[Answer], object]
OnBreak = Callable[[BrokenError], object]


class Connection(asyncio.Protocol):
    """One connection, one request at a time. The answer must carry Content-Length."""

    def __init__(self) -> None:
        self._buffer = b""
        self._answered: OnAnswer | None = None
        self._broken: OnBreak = _ignore
        self._transport: asyncio.Transport | None = None
        self.closing = False
        """Whether the server said that its last answer is the connection's last one."""

    @classmethod
    async def open(cls, host: str, port: int) -> Self:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(cls, host, port)
        return connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by class, only by its calls

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answered is not None:
            self._answered = None
            self._broken(BrokenError(str(exc or "closed by the server")))

    def send(self, request: bytes, answered: OnAnswer, broken: OnBreak) -> None:
        """Send `request`; one of the two is called once, when its answer is whole or can't come any more."""
        assert self._transport is not None  # noqa: S101 - set before `open` returns
        if self._transport.is_closing():
            broken(BrokenError("closed by the server"))
            return
        self._answered, self._broken = answered, broken
        self._transport.write(request)

    async def ask(self, request: bytes) -> Answer:
        """Send `request` and wait for its answer. Raises BrokenError."""
        waiting: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.send(request, waiting.set_result, waiting.set_exception)
        return await waiting

    def data_received(self, data: bytes) -> None:
        whole = self._buffer + data if self._buffer else data
        end = whole.find(HEADER_END)
        body_at = end + len(HEADER_END)
        head = whole[:end]
        if end < 0 or len(whole) < body_at + _content_length(head):
            self._buffer = whole
            return
        self._buffer = b""
        self.closing = CLOSES in head
        if self._answered is not None:
            answered, self._answered = self._answered, None
            answered(Answer(int(whole[9:12]), whole[body_at:]))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


def _ignore(_: BrokenError) -> None:
    pass


def _content_length(head: bytes) -> int:
    at = head.find(LENGTH)
    if at < 0 and (at := head.lower().find(LENGTH)) < 0:
        raise BrokenError("the answer has no Content-Length")
    return int(head[at + len(LENGTH) :].split(b"\r\n", 1)[0])


@dataclass(frozen=True, slots=True)
class Target:
    """Where requests go."""

    host: str
    port: int
    token: str

    @classmethod
    def of(cls, address: str, token: str) -> Target:
        parts = urlsplit(address)
        return cls(parts.hostname or "127.0.0.1", parts.port or 80, token)

    def post(self, path: str, body: bytes) -> bytes:
        """A complete POST request."""
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\n"
            f"Authorization: Bearer {self.token}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body
