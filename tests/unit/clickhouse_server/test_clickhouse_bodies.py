"""Bodies that unpack to more than they may, or consist of many nothings, and forms."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import time
import zlib
from collections.abc import Callable
from typing import Any

import lz4.frame
import pytest
import zstandard

from neonblue.clickhouse_server.body import Body
from neonblue.clickhouse_server.compression import Decoder
from neonblue.clickhouse_server.errors import ClickHouseError
from neonblue.clickhouse_server.form import read_fields

MEGABYTE = 1024**2
ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "zstd": zstandard.ZstdCompressor(level=3).compress,
    "lz4": lz4.frame.compress,
    "gzip": gzip.compress,
    "deflate": zlib.compress,
}


def body(raw: bytes, coding: str = "", limit: int = 2 * MEGABYTE, piece: int = 64 * 1024) -> Body:
    pieces = [raw[at : at + piece] for at in range(0, len(raw), piece)] or [b""]
    messages = [
        {"type": "http.request", "body": part, "more_body": number + 1 < len(pieces)}
        for number, part in enumerate(pieces)
    ]

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    return Body(receive, coding, limit)


async def whole(given: Body) -> bytes:
    return b"".join([piece async for piece in given.pieces()])


@pytest.mark.parametrize("coding", ENCODERS)
@pytest.mark.parametrize("piece", [1, 1000, 64 * 1024])
def test_what_was_packed_comes_out(coding: str, piece: int) -> None:
    plain = bytes(range(256)) * 40 + b"x" * 70_000
    packed = ENCODERS[coding](plain) + ENCODERS[coding](b"a second part")
    assert asyncio.run(whole(body(packed, coding, piece=piece))) == plain + b"a second part"


@pytest.mark.parametrize("coding", ["", *ENCODERS])
@pytest.mark.parametrize("piece", [64 * 1024, 16 * MEGABYTE])
@pytest.mark.parametrize("size", [10, 300_000, 9 * MEGABYTE])
def test_what_is_behind_the_head_is_not_lost(coding: str, piece: int, size: int) -> None:
    """Also where one message unpacks to many pieces, of several parts."""
    first, second = b"x" * size, bytes(range(256)) * 20_000
    pack = ENCODERS.get(coding, bytes)
    given = body(pack(first) + pack(second), coding, limit=32 * MEGABYTE, piece=piece)

    async def taken() -> bytes:
        head = await given.head(100_000)
        assert len(head) > 100_000
        assert not given.ended
        return head + await whole(given)

    assert asyncio.run(taken()) == first + second
    assert given.ended


@pytest.mark.parametrize("coding", ENCODERS)
def test_a_bomb_is_refused_after_no_more_than_a_few_pieces(coding: str) -> None:
    bomb = ENCODERS[coding](bytes(256 * MEGABYTE))
    with pytest.raises(ClickHouseError, match="larger than"):
        asyncio.run(whole(body(bomb, coding)))
    assert max(map(len, Decoder(coding).feed(bomb))) <= 32 * MEGABYTE


@pytest.mark.parametrize("coding", ENCODERS)
def test_many_empty_parts_are_refused(coding: str) -> None:
    with pytest.raises(ClickHouseError, match="too many small parts"):
        asyncio.run(whole(body(ENCODERS[coding](b"") * 50_000, coding)))


def test_a_body_that_ends_early_is_refused() -> None:
    with pytest.raises(ClickHouseError, match="ends early"):
        asyncio.run(whole(body(gzip.compress(b"abc")[:-3], "gzip")))


def test_a_body_larger_than_its_limit_is_refused_and_not_taken_for_ever() -> None:
    given = body(bytes(40 * MEGABYTE))
    with pytest.raises(ClickHouseError, match="larger than"):
        asyncio.run(whole(given))
    asyncio.run(given.drain())
    assert not given.ended


FORM = 'multipart/form-data; boundary="x y"'


def part(name: str, content: str, more: str = "") -> str:
    return f'--x y\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n{content}\r\n'


def fields(text: str, content_type: str = FORM) -> dict[str, str]:
    return asyncio.run(read_fields(content_type, body(text.encode())))


def test_the_fields_of_a_form_are_read() -> None:
    text = part("query", "SELECT {a:String}\r\n-- x") + part("param_a", "é\r\n\r\n--x") + "--x y--\r\n"
    assert fields(text) == {"query": "SELECT {a:String}\r\n-- x", "param_a": "é\r\n\r\n--x"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no form",
        part("query", "SELECT 1"),
        "--x y\r\n\r\nno name\r\n--x y--",
        "--x y\r\n" + "a" * 10_000 + "\r\n\r\n\r\n--x y--",
        part("t", "1", '; filename="t"') + "--x y--",
        part("a", "1") * 20_000 + "--x y--",
    ],
)
def test_what_is_no_form_is_refused(text: str) -> None:
    with pytest.raises(ClickHouseError):
        fields(text)


def test_a_form_without_a_boundary_is_refused() -> None:
    with pytest.raises(ClickHouseError, match="boundary"):
        fields(part("a", "1"), "multipart/form-data")


def test_a_form_is_read_as_clients_write_it() -> None:
    heads = (
        'content-disposition: form-data; name="a\\"b"',
        "Content-Type: text/plain\r\nContent-Disposition: form-data; name=c",
        'CONTENT-DISPOSITION:form-data ;name = "param_d"\r\nContent-Length: 1',
    )
    text = "".join(f"--x y\r\n{head}\r\n\r\n1\r\n" for head in heads)
    assert fields(f"{text}--x y--") == {'a"b': "1", "c": "1", "param_d": "1"}


@pytest.mark.parametrize(
    "head",
    [
        'name="a"' + ";" * 4_000,
        "name=a" + "(" * 4_000,
        'name="' + '\\"' * 1_900,
        'name="a"' + "; a=b" * 790,
        'name="a"; ' + "; b*1*=a" * 480,
    ],
)
def test_a_form_of_any_head_is_read_in_a_moment(head: str) -> None:
    """The standard library's parser took a fifth of a second for one such head, and a form has hundreds."""
    text = f"--x y\r\nContent-Disposition: form-data; {head}\r\n\r\n1\r\n" * 480 + "--x y--"
    began = time.perf_counter()
    with contextlib.suppress(ClickHouseError):
        fields(text)
    assert time.perf_counter() - began < 5


@pytest.mark.parametrize("field", ["filename", "FileName", "filename*"])
def test_a_file_in_a_form_is_refused(field: str) -> None:
    with pytest.raises(ClickHouseError, match="external tables"):
        fields(part("a", "1", f'; {field}="f"') + "--x y--")
