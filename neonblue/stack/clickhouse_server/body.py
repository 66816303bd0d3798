"""The request's body: decoded, measured, in pieces."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

from neonblue.stack.clickhouse_server.compression import Decoder
from neonblue.stack.clickhouse_server.errors import QUERY_IS_TOO_LARGE, ClickHouseError

_DRAINED = 8 * 1024**2
Receive = Callable[[], Awaitable[dict[str, Any]]]


class ClientGoneError(Exception):
    """The client closed the connection before it had sent everything."""


class Body:
    """The plain bytes of one request's body: at most `limit` of them, and of those that are sent."""

    def __init__(self, receive: Receive, content_encoding: str, limit: int) -> None:
        self._receive = receive
        self._decoder = Decoder(content_encoding) if content_encoding not in {"", "identity"} else None
        self._limit = limit
        self._raw = self._taken = 0
        self.ended = False

    async def pieces(self) -> AsyncIterator[bytes]:
        """What is left. Raises ClientGoneError, and ClickHouseError on broken or too much data."""
        while not self.ended:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGoneError
            self.ended = not message.get("more_body", False)
            raw = message.get("body", b"")
            self._raw += len(raw)
            self._require(self._raw)
            for piece in self._decoded(raw):
                self._taken += len(piece)
                self._require(self._taken)
                yield piece

    async def head(self, size: int) -> bytes:
        """The first bytes: all of them if there are no more than `size`, else somewhat more than `size`."""
        found = bytearray()
        if self.ended:
            return b""
        async for piece in self.pieces():
            found += piece
            if len(found) > size:
                break
        return bytes(found)

    async def drain(self) -> None:
        """Take the rest and forget it: a client that is still sending does not see a response.

        Past the limit and some more it is not waited for: the connection closes with the response.
        """
        while not self.ended and self._raw <= self._limit + _DRAINED:
            message = await self._receive()
            self._raw += len(message.get("body", b""))
            self.ended = not message.get("more_body", False)

    def _require(self, size: int) -> None:
        if size > self._limit:
            text = f"The body is larger than {self._limit} bytes"
            raise ClickHouseError(QUERY_IS_TOO_LARGE, "QUERY_IS_TOO_LARGE", text)

    def _decoded(self, raw: bytes) -> Iterator[bytes]:
        if self._decoder is not None:
            yield from self._decoder.feed(raw)
            if self.ended:
                self._decoder.finish()
        elif raw:
            yield raw
