"""A lean HTTP/1.1 client: it shares its cores with what it measures, so it does no more than it must."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Self, cast
from urllib.parse import urlsplit

HEADER_END = b"\r\n\r\n"
LENGTH = b"content-length:"


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and body of one response."""

    status: int
    body: bytes


class BrokenError(Exception):
    """The connection ended before the answer was complete."""


class Connection(asyncio.Protocol):
    """One connection, one request at a time. The answer must carry Content-Length."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._needed = 0
        self._body_at = 0
        self._waiting: asyncio.Future[Answer] | None = None
        self._transport: asyncio.Transport | None = None

    @classmethod
    async def open(cls, host: str, port: int) -> Self:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(cls, host, port)
        return connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by class, only by its calls

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(BrokenError(str(exc or "closed by the server")))

    async def ask(self, request: bytes) -> Answer:
        """Send `request` and wait for its answer."""
        assert self._transport is not None  # noqa: S101 - set before `open` returns
        if self._transport.is_closing():
            raise BrokenError("closed by the server")
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._waiting

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._needed:
            end = self._buffer.find(HEADER_END)
            if end < 0:
                return
            self._body_at = end + len(HEADER_END)
            self._needed = self._body_at + _content_length(bytes(self._buffer[:end]))
        if len(self._buffer) >= self._needed and self._waiting is not None:
            answer = Answer(int(self._buffer[9:12]), bytes(self._buffer[self._body_at : self._needed]))
            self._buffer.clear()
            self._needed = 0
            self._waiting.set_result(answer)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


def _content_length(head: bytes) -> int:
    lowered = head.lower()
    at = lowered.find(LENGTH)
    if at < 0:
        raise BrokenError("the answer has no Content-Length")
    return int(lowered[at + len(LENGTH) :].split(b"\r\n", 1)[0])


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
