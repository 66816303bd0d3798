"""The request's body: decoded, measured, in pieces."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

from neonblue.clickhouse_server.compression import Decoder
from neonblue.clickhouse_server.errors import QUERY_IS_TOO_LARGE, ClickHouseError

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
        self._received = False  # whether the last message came
        # Of the newest message. Kept here: whoever takes some pieces and comes back finds the others.
        self._decoded: Iterator[bytes] = iter(())
        self.ended = False

    async def pieces(self) -> AsyncIterator[bytes]:
        """What is left. Raises ClientGoneError, and ClickHouseError on broken or too much data."""
        while not self.ended:
            for piece in self._decoded:
                self._taken += len(piece)
                self._require(self._taken)
                yield piece
            if self._received:
                self.ended = True
                return
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGoneError
            self._received = not message.get("more_body", False)
            raw = message.get("body", b"")
            self._raw += len(raw)
            self._require(self._raw)
            self._decoded = self._decode(raw)

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
        while not self._received and self._raw <= self._limit + _DRAINED:
            message = await self._receive()
            self._raw += len(message.get("body", b""))
            self._received = not message.get("more_body", False)
        self._decoded = iter(())
        self.ended = self._received

    def _require(self, size: int) -> None:
        if size > self._limit:
            text = f"The body is larger than {self._limit} bytes"
            raise ClickHouseError(QUERY_IS_TOO_LARGE, "QUERY_IS_TOO_LARGE", text)

    def _decode(self, raw: bytes) -> Iterator[bytes]:
        if self._decoder is not None:
            yield from self._decoder.feed(raw)
            if self._received:
                self._decoder.finish()
        elif raw:
            yield raw
