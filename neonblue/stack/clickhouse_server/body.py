"""The request's body: decoded, measured, in pieces."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from neonblue.stack.clickhouse_server.compression import Decoder
from neonblue.stack.clickhouse_server.errors import QUERY_IS_TOO_LARGE, ClickHouseError

Receive = Callable[[], Awaitable[dict[str, Any]]]


class ClientGoneError(Exception):
    """The client closed the connection before it had sent everything."""


class Body:
    """The plain bytes of one request's body, at most `limit` of them."""

    def __init__(self, receive: Receive, content_encoding: str, limit: int) -> None:
        self._receive = receive
        self._decoder = Decoder(content_encoding) if content_encoding not in {"", "identity"} else None
        self._limit = limit
        self._taken = 0
        self.ended = False

    async def pieces(self) -> AsyncIterator[bytes]:
        """What is left. Raises ClientGoneError, and ClickHouseError on broken or too much data."""
        while not self.ended:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGoneError
            self.ended = not message.get("more_body", False)
            piece = self._decoded(message.get("body", b""))
            self._taken += len(piece)
            if self._taken > self._limit:
                text = f"The body is larger than {self._limit} bytes"
                raise ClickHouseError(QUERY_IS_TOO_LARGE, "QUERY_IS_TOO_LARGE", text)
            if piece:
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
        """Take the rest and forget it: a client that is still sending does not see a response."""
        while not self.ended:
            message = await self._receive()
            self.ended = not message.get("more_body", False)

    def _decoded(self, raw: bytes) -> bytes:
        if self._decoder is None:
            return raw
        plain = self._decoder.feed(raw)
        if self.ended:
            self._decoder.finish()
        return plain
