"""Reads a request's body, never more of it than allowed."""

from __future__ import annotations

import zlib
from collections.abc import Mapping

from starlette.types import Receive

from api.http.problems import Problem
from neonblue.contract.limits import REQUEST_BYTES

Headers = Mapping[bytes, bytes]

NDJSON = "application/x-ndjson"
_JSON = "application/json"
_GZIP_WINDOW = 31


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


async def read_body(receive: Receive, headers: Headers) -> bytes:
    """The whole body, unpacked. Raises Problem: 413 past the limit, 415 for an unknown encoding, 400."""
    encoding = headers.get(b"content-encoding", b"identity").strip().lower()
    if encoding not in (b"identity", b"gzip"):
        raise Problem(415, "unsupported_encoding", "Content-Encoding must be gzip", field="content-encoding")
    body = await _receive_all(receive, headers)
    return body if encoding == b"identity" else _unpack(body)


async def _receive_all(receive: Receive, headers: Headers) -> bytes:
    declared = headers.get(b"content-length", b"")
    if declared.isdigit() and int(declared) > REQUEST_BYTES:
        raise _too_large()
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body"):
        body: bytes = message.get("body", b"")
        if len(body) > REQUEST_BYTES:
            raise _too_large()
        return body
    chunks: list[bytes] = []
    size = 0
    while True:
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > REQUEST_BYTES:
            raise _too_large()
        if not message.get("more_body"):
            return b"".join(chunks)
        message = await receive()


def _unpack(packed: bytes) -> bytes:
    """Stops at the limit, however much the rest would unpack to."""
    body = b""
    while packed:
        stream = zlib.decompressobj(_GZIP_WINDOW)
        try:
            body += stream.decompress(packed, REQUEST_BYTES + 1 - len(body))
        except zlib.error:
            raise Problem(400, "invalid_gzip", "The body is no valid gzip stream") from None
        if len(body) > REQUEST_BYTES:
            raise _too_large()
        if not stream.eof:
            raise Problem(400, "invalid_gzip", "The gzip stream does not end")
        packed = stream.unused_data
    return body


def _too_large() -> Problem:
    return Problem(
        413,
        "too_large",
        f"A request holds at most {REQUEST_BYTES} bytes, unpacked",
        headers={"connection": "close"},
    )
