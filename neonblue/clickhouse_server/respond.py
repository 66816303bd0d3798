"""ASGI responses in ClickHouse's dress."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import string
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from neonblue.clickhouse_server import compression
from neonblue.clickhouse_server.engine import Outcome
from neonblue.clickhouse_server.errors import ClickHouseError

Send = Callable[[dict[str, Any]], Awaitable[None]]

_SMALL = 1024
_LARGE = 64 * 1024
_TYPES = {
    "JSON": "application/json; charset=UTF-8",
    "JSONCompact": "application/json; charset=UTF-8",
    "JSONStrings": "application/json; charset=UTF-8",
    "JSONColumns": "application/json; charset=UTF-8",
    "JSONEachRow": "application/x-ndjson; charset=UTF-8",
    "JSONLines": "application/x-ndjson; charset=UTF-8",
    "CSV": "text/csv; charset=UTF-8; header=absent",
    "CSVWithNames": "text/csv; charset=UTF-8; header=present",
    "CSVWithNamesAndTypes": "text/csv; charset=UTF-8; header=present",
    "XML": "application/xml; charset=UTF-8",
    "Markdown": "text/markdown; charset=UTF-8",
}
_BINARY = (
    "Native",
    "RowBinary",
    "Arrow",
    "Parquet",
    "ORC",
    "Avro",
    "MsgPack",
    "Protobuf",
    "CapnProto",
    "BSON",
    "Npy",
)
# No value that a request brought may end a header's line.
_UNPRINTABLE = re.compile(r"[^ -~]")
_ALPHABET = string.ascii_lowercase


def content_type(output_format: str) -> str:
    if output_format.startswith(_BINARY):
        return "application/octet-stream"
    if output_format.startswith(("TabSeparated", "TSV")):
        return "text/tab-separated-values; charset=UTF-8"
    return _TYPES.get(output_format, "text/plain; charset=UTF-8")


def summary(outcome: Outcome | None, elapsed: float, *, wrote: bool) -> str:
    """The header X-ClickHouse-Summary; every number in it is a string, as in ClickHouse."""
    rows = outcome.result_rows if outcome else 0
    values = {
        "read_rows": outcome.read_rows if outcome else 0,
        "read_bytes": outcome.read_bytes if outcome else 0,
        "written_rows": rows if wrote else 0,
        "written_bytes": 0,
        "total_rows_to_read": 0,
        "result_rows": rows,
        "result_bytes": len(outcome.output) if outcome else 0,
        "elapsed_ns": int(elapsed * 1e9),
    }
    return json.dumps({name: str(value) for name, value in values.items()}, separators=(",", ":"))


class Response:
    """One response: small ones whole, large ones in pieces, compressed where asked."""

    def __init__(
        self, send: Send, common: Mapping[str, str], coding: str | None, *, bodiless: bool = False
    ) -> None:
        self._send = send
        self._common = dict(common)
        self._coding = coding
        self._encoder: compression.Encoder | None = None
        self._bodiless = bodiless
        self.started = False
        self._tag = "".join(secrets.choice(_ALPHABET) for _ in range(16))

    def identify(self, query_id: str, coding: str | None) -> None:
        """Set what is known once the request is understood: its id, and the coding it accepts."""
        self._common["x-clickhouse-query-id"] = query_id
        self._coding = coding

    async def whole(self, status: int, headers: Mapping[str, str], content: bytes) -> None:
        """A complete response."""
        encoding = {}
        if self._coding and len(content) > _SMALL:
            self._encoder = compression.encoder(self._coding)
            content = await self._compressed(content) + self._encoder.flush()
            encoding = {"content-encoding": self._coding, "vary": "Accept-Encoding"}
        await self._start(status, {**headers, **encoding, "content-length": str(len(content))})
        await self._body(content, more=False)

    async def begin(self, headers: Mapping[str, str]) -> None:
        """The head of a response whose pieces follow."""
        tag = {"x-clickhouse-exception-tag": self._tag}
        if self._coding:
            self._encoder = compression.encoder(self._coding)
            tag |= {"content-encoding": self._coding, "vary": "Accept-Encoding"}
        await self._start(200, {**headers, **tag})

    async def piece(self, content: bytes) -> None:
        encoded = await self._compressed(content)
        if encoded:
            await self._body(encoded, more=True)

    async def end(self) -> None:
        await self._body(self._encoder.flush() if self._encoder else b"", more=False)

    async def fail(self, error: ClickHouseError) -> None:
        """Tell an exception: as a status, or after what was sent, whose last chunk then never comes."""
        text = str(error)
        if not self.started:
            headers = {
                "content-type": "text/plain; charset=UTF-8",
                "x-clickhouse-exception-code": str(error.code),
            }
            if error.status == 401:
                headers["www-authenticate"] = 'Basic realm="ClickHouse server HTTP API"'
            await self.whole(error.status, headers, f"{text}\n".encode())
            return
        message = f"{text}\n"
        size = len(message.encode())
        block = f"\r\n__exception__\r\n{self._tag}\r\n{message}{size} {self._tag}\r\n__exception__\r\n"
        await self.piece(block.encode())
        if self._encoder:
            await self._body(self._encoder.flush(), more=True)

    async def _compressed(self, content: bytes) -> bytes:
        """`content` in the response's coding; a large piece is compressed beside the loop."""
        if self._encoder is None:
            return content
        if len(content) < _LARGE:
            return self._encoder.compress(content)
        return await asyncio.to_thread(self._encoder.compress, content)

    async def _start(self, status: int, headers: Mapping[str, str]) -> None:
        self.started = True
        pairs = {**self._common, **headers}
        raw = [
            (name.encode("latin-1"), _UNPRINTABLE.sub("?", value).encode()) for name, value in pairs.items()
        ]
        await self._send({"type": "http.response.start", "status": status, "headers": raw})

    async def _body(self, content: bytes, *, more: bool) -> None:
        body = b"" if self._bodiless else content
        await self._send({"type": "http.response.body", "body": body, "more_body": more})
