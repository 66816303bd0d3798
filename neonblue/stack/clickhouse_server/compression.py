"""HTTP content codings: gzip, deflate, zstd and LZ4 frames."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Protocol

import lz4.frame
import zstandard

from neonblue.stack.clickhouse_server.errors import CANNOT_DECOMPRESS, ClickHouseError

_PREFERRED = ("zstd", "lz4", "gzip", "deflate")
_ERRORS = (zlib.error, zstandard.ZstdError, RuntimeError, EOFError)


class Encoder(Protocol):
    def compress(self, data: bytes) -> bytes: ...
    def flush(self) -> bytes: ...


class _Lz4Encoder:
    def __init__(self) -> None:
        self._frame = lz4.frame.LZ4FrameCompressor()
        self._begun = False

    def compress(self, data: bytes) -> bytes:
        start = b"" if self._begun else self._frame.begin()
        self._begun = True
        return bytes(start + self._frame.compress(data))

    def flush(self) -> bytes:
        start = b"" if self._begun else self._frame.begin()
        return bytes(start + self._frame.flush())


_ENCODERS: dict[str, Callable[[], Encoder]] = {
    "zstd": lambda: zstandard.ZstdCompressor(level=1).compressobj(),
    "lz4": _Lz4Encoder,
    "gzip": lambda: zlib.compressobj(3, wbits=31),
    "deflate": lambda: zlib.compressobj(3, wbits=15),
}
_DECODERS: dict[str, Callable[[], object]] = {
    "zstd": lambda: zstandard.ZstdDecompressor().decompressobj(),
    "lz4": lz4.frame.LZ4FrameDecompressor,
    "gzip": lambda: zlib.decompressobj(wbits=31),
    "x-gzip": lambda: zlib.decompressobj(wbits=31),
    "deflate": lambda: zlib.decompressobj(wbits=15),
}


def chosen(accept_encoding: str) -> str | None:
    """The coding for an Accept-Encoding header, or None for none that we have."""
    offered = {}
    for part in accept_encoding.lower().split(","):
        name, _, quality = part.strip().partition(";")
        offered[name.strip()] = quality.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return next((name for name in _PREFERRED if offered.get(name)), None)


def encoder(coding: str) -> Encoder:
    return _ENCODERS[coding]()


class Decoder:
    """Undoes a Content-Encoding piece by piece; several frames or members may follow each other."""

    def __init__(self, coding: str) -> None:
        if coding not in _DECODERS:
            known = ", ".join(_PREFERRED)
            raise ClickHouseError(
                CANNOT_DECOMPRESS,
                "UNKNOWN_COMPRESSION_METHOD",
                f"Content-Encoding {coding}: use {known}",
                400,
            )
        self._coding = coding
        self._make = _DECODERS[coding]
        self._part: object | None = None

    def feed(self, data: bytes) -> bytes:
        """The plain bytes of the next piece. Raises ClickHouseError on broken data."""
        found = []
        while data:
            part = self._part or self._make()
            self._part = part
            try:
                found.append(part.decompress(data))  # type: ignore[attr-defined]
            except _ERRORS as error:
                raise self._broken(str(error)) from error
            data = b""
            if part.eof:  # type: ignore[attr-defined]
                data = part.unused_data or b""  # type: ignore[attr-defined]
                self._part = None
        return b"".join(found)

    def finish(self) -> None:
        """Raises ClickHouseError if the data ends inside a frame."""
        if self._part is not None:
            raise self._broken("the data ends early")

    def _broken(self, reason: str) -> ClickHouseError:
        message = f"Cannot decompress the request's body ({self._coding}): {reason}"
        return ClickHouseError(CANNOT_DECOMPRESS, "CANNOT_DECOMPRESS", message, 400)
