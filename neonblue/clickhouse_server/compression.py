"""HTTP content codings: gzip, deflate, zstd and LZ4 frames."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import Protocol

import lz4.frame
import zstandard

from neonblue.clickhouse_server.errors import CANNOT_DECOMPRESS, ClickHouseError

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
_PIECE = 1024**2
_SLICE = 1024
_MEMBERS = 1000
_PLAIN_OF_MEMBER = 1024
# What RFC 9659 allows in a Content-Encoding.
_MAX_WINDOW = 8 * 1024**2


class _Frame(Protocol):
    """One compressed frame or member; `unused` is what follows its end."""

    @property
    def ended(self) -> bool: ...
    @property
    def unused(self) -> bytes: ...
    def pieces(self, data: bytes) -> Iterator[bytes]: ...


class _Zlib:
    def __init__(self, wbits: int) -> None:
        self._raw = zlib.decompressobj(wbits=wbits)

    @property
    def ended(self) -> bool:
        return self._raw.eof

    @property
    def unused(self) -> bytes:
        return self._raw.unused_data

    def pieces(self, data: bytes) -> Iterator[bytes]:
        yield self._raw.decompress(data, _PIECE)
        # What follows the end is in `unused_data`; Python leaves it in `unconsumed_tail` as well.
        while self._raw.unconsumed_tail and not self._raw.eof:
            yield self._raw.decompress(self._raw.unconsumed_tail, _PIECE)


class _Zstd:
    """Its library bounds no output, so it gets a KiB at a time, of which no more than 32 MiB can be made."""

    def __init__(self) -> None:
        self._raw = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW).decompressobj()
        self.unused = b""

    @property
    def ended(self) -> bool:
        return bool(self._raw.eof)

    def pieces(self, data: bytes) -> Iterator[bytes]:
        for at in range(0, len(data), _SLICE):
            yield self._raw.decompress(data[at : at + _SLICE])
            if self._raw.eof:
                self.unused = self._raw.unused_data + data[at + _SLICE :]
                return


class _Lz4:
    def __init__(self) -> None:
        self._raw = lz4.frame.LZ4FrameDecompressor()

    @property
    def ended(self) -> bool:
        return bool(self._raw.eof)

    @property
    def unused(self) -> bytes:
        return self._raw.unused_data or b""

    def pieces(self, data: bytes) -> Iterator[bytes]:
        yield self._raw.decompress(data, max_length=_PIECE)
        while not (self._raw.eof or self._raw.needs_input):
            yield self._raw.decompress(b"", max_length=_PIECE)


_DECODERS: dict[str, Callable[[], _Frame]] = {
    "zstd": _Zstd,
    "lz4": _Lz4,
    "gzip": lambda: _Zlib(31),
    "x-gzip": lambda: _Zlib(31),
    "deflate": lambda: _Zlib(15),
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
        self._frame: _Frame | None = None
        self._frames = 0
        self._plain = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The plain bytes of the next piece, in parts of bounded size. Raises ClickHouseError on broken data."""
        while data:
            frame = self._frame = self._frame or self._next()
            try:
                for plain in frame.pieces(data):
                    self._plain += len(plain)
                    if plain:
                        yield plain
            except _ERRORS as error:
                raise self._broken(str(error)) from error
            data = b""
            if frame.ended:
                data = frame.unused
                self._frame = None

    def _next(self) -> _Frame:
        """A frame more; where many hold next to nothing, they are there to cost time."""
        self._frames += 1
        if self._frames > _MEMBERS + self._plain // _PLAIN_OF_MEMBER:
            raise self._broken("it has too many small parts")
        return self._make()

    def finish(self) -> None:
        """Raises ClickHouseError if the data ends inside a frame."""
        if self._frame is not None:
            raise self._broken("the data ends early")

    def _broken(self, reason: str) -> ClickHouseError:
        message = f"Cannot decompress the request's body ({self._coding}): {reason}"
        return ClickHouseError(CANNOT_DECOMPRESS, "CANNOT_DECOMPRESS", message, 400)
