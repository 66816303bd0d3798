"""The Native format of a client's protocol version, made out of the engine's, which always writes that of version 0.

From version 1 on a block begins with its information, and from 54454 on each column says whether its serialization is
its own; ours never is. So each column's end has to be found, which takes its type. Source: ClickHouse's
`src/Core/ProtocolDefines.h`, `src/Core/BlockInfo.h` and `src/Formats/NativeWriter.cpp`. What stays that of version 0:
the type `DateTime` without its time zone.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from neonblue.clickhouse_server.native_types import Column, IncompleteError, column, number

WITH_CUSTOM_SERIALIZATION = 54454
"""Clients of lower versions, clickhouse-connect among them, are given what the engine writes."""
WITH_OUT_OF_ORDER_BUCKETS = 54480
_LARGE = 64 * 1024
_INFORMATION = b"\x01\x00\x02\xff\xff\xff\xff"
"""Fields 1 and 2: no overflow rows, no bucket."""
_OWN = b"\0"
"""Before a column's data: its serialization is its type's own."""
_BUCKETS = b"\x03\x00"
"""Field 3: no buckets out of order."""


class Reframer:
    """Takes a result in pieces, gives it out column by column. version: from WITH_CUSTOM_SERIALIZATION on."""

    def __init__(self, version: int) -> None:
        self._information = _INFORMATION + (_BUCKETS if version >= WITH_OUT_OF_ORDER_BUCKETS else b"") + b"\0"
        self._held = bytearray()
        self._wanted = 1
        self._columns = 0
        self._rows = 0

    @property
    def held(self) -> int:
        """Bytes that wait for the rest of their column."""
        return len(self._held)

    def feed(self, piece: bytes) -> bytes:
        """What can be given out with this piece. Raises ClickHouseError on a type whose end can't be told."""
        self._held += piece
        made = bytearray()
        while len(self._held) >= self._wanted:
            try:
                made += self._step()
                self._wanted = 1
            except IncompleteError:
                self._wanted = 2 * len(self._held)  # a column is not read again for every piece of it
        return bytes(made)

    def end(self) -> bytes:
        """The rest. Raises ClickHouseError as `feed`, ValueError where the result ends within a column."""
        made = bytearray()
        while self._held:
            try:
                made += self._step()
            except IncompleteError as error:
                raise ValueError("the engine's result ends within a column") from error
        return bytes(made)

    def _step(self) -> bytes:
        """A block's head, or a column of it. Raises IncompleteError and takes nothing where it is not whole."""
        if not self._columns:
            columns, at = number(self._held, 0)
            self._rows, at = number(self._held, at)
            self._columns = columns
            return self._information + self._taken(at)
        found: Column = column(self._held, self._rows)
        self._columns -= 1
        head = self._taken(found.data)
        return head + _OWN + self._taken(found.end - found.data)

    def _taken(self, size: int) -> bytes:
        taken = bytes(self._held[:size])
        del self._held[:size]
        return taken


async def reframed(pieces: AsyncIterator[bytes], version: int) -> AsyncIterator[bytes]:
    """The result in the client's version; what is large is read beside the loop."""
    reframer = Reframer(version)
    async for piece in pieces:
        large = reframer.held + len(piece) >= _LARGE
        made = await asyncio.to_thread(reframer.feed, piece) if large else reframer.feed(piece)
        if made:
            yield made
    rest = await asyncio.to_thread(reframer.end) if reframer.held >= _LARGE else reframer.end()
    if rest:
        yield rest
