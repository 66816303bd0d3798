"""Reads a request's body, never more of it than allowed."""

from __future__ import annotations

import zlib
from collections.abc import Mapping

from starlette.types import Receive

from api.fairness import off_the_loop
from api.http.problems import Problem
from neonblue.contract.limits import REQUEST_BYTES

Headers = Mapping[bytes, bytes]

NDJSON = "application/x-ndjson"
_JSON = "application/json"
_GZIP_WINDOW = 31
_GZIP_MEMBERS = 100
"""Streams of packed bytes behind each other, as writers leave them that pack in parts."""
_GZIP_RATIO = 200
_RATIO_COUNTS = 64 * 1024
"""Bytes unpacked from which on the ratio is looked at. JSON with an id in each item packs 10 to 50 times."""
_LARGE = 64 * 1024
"""Packed bytes that are unpacked in a thread: a millisecond or more."""


class ClientGone(Exception):  # noqa: N818
    """The client closed the connection before its request was whole."""


def is_lines(headers: Headers) -> bool:
    """Whether the body is one JSON text per line. Raises Problem for a type that is neither that nor JSON."""
    sent = headers.get(b"content-type", b"")
    if sent == b"application/json":
        return False
    given = sent.decode("latin-1").partition(";")[0].strip().lower()
    if given in (_JSON, ""):
        return False
    if given == NDJSON:
        return True
    raise Problem(
        415, "unsupported_media_type", f"The body must be {_JSON} or {NDJSON}", field="content-type"
    )


async def read_body(receive: Receive, headers: Headers, limit: int = REQUEST_BYTES) -> bytes:
    """The whole body, unpacked. Raises Problem: 413 past the limit, 415 for an unknown encoding, 400."""
    encoding = headers.get(b"content-encoding", b"identity").strip().lower()
    if encoding not in (b"identity", b"gzip"):
        raise Problem(415, "unsupported_encoding", "Content-Encoding must be gzip", field="content-encoding")
    body = await _receive_all(receive, headers, limit)
    if encoding == b"identity":
        return body
    return _unpack(body, limit) if len(body) < _LARGE else await off_the_loop(_unpack, body, limit)


async def _receive_all(receive: Receive, headers: Headers, limit: int) -> bytes:
    declared = headers.get(b"content-length", b"")
    if declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body"):
        body: bytes = message.get("body", b"")
        if len(body) > limit:
            raise _too_large(limit)
        return body
    chunks: list[bytes] = []
    size = 0
    while True:
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > limit:
            raise _too_large(limit)
        if not message.get("more_body"):
            return b"".join(chunks)
        message = await receive()


def _unpack(packed: bytes, limit: int) -> bytes:
    """Stops at the limits, however much the rest would unpack to."""
    parts: list[bytes] = []
    size, most = 0, max(_RATIO_COUNTS, _GZIP_RATIO * len(packed))
    while packed:
        if len(parts) == _GZIP_MEMBERS:
            raise Problem(400, "invalid_gzip", f"A gzip body has at most {_GZIP_MEMBERS} members")
        stream = zlib.decompressobj(_GZIP_WINDOW)
        try:
            parts.append(stream.decompress(packed, min(limit, most) + 1 - size))
        except zlib.error:
            raise Problem(400, "invalid_gzip", "The body is no valid gzip stream") from None
        size += len(parts[-1])
        if size > limit:
            raise _too_large(limit)
        if size > most:
            raise Problem(
                400,
                "invalid_gzip",
                f"A gzip body unpacks to at most {_GZIP_RATIO} times its size: send it unpacked",
            )
        if not stream.eof:
            raise Problem(400, "invalid_gzip", "The gzip stream does not end")
        packed = stream.unused_data
    return b"".join(parts)


def _too_large(limit: int) -> Problem:
    return Problem(
        413,
        "too_large",
        f"A request holds at most {limit} bytes, unpacked",
        headers={"connection": "close"},
    )
