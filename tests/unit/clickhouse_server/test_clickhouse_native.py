"""The Native format of a client's protocol version."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neonblue.clickhouse_server.errors import ClickHouseError
from neonblue.clickhouse_server.native import Reframer
from neonblue.clickhouse_server.native_types import column, parsed


def named(name: str, kind: str) -> bytes:
    """A column's head."""
    return b"".join(bytes([len(text.encode())]) + text.encode() for text in (name, kind))


_BLOCK = b"\x01\x02\x01a\x06String\x02hi\x00"
"""One column `a` of two texts, as the engine writes it."""
_LOW = (
    b"\x01\x02"
    + named("l", "LowCardinality(Nullable(String))")
    + (1).to_bytes(8, "little")
    + (0x600).to_bytes(8, "little")
    + (3).to_bytes(8, "little")
    + b"\x00\x00\x01b"
    + (2).to_bytes(8, "little")
    + b"\x02\x00"
)
_NESTED = (
    b"\x02\x02"
    + named("m", "Map(String, Array(UInt8))")
    + b"\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0"
    + b"\x01a\x01b"
    + b"\x02\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0"
    + b"\x07\x08\x09"
    + named("t", "Tuple(a Nullable(Int16), `b,(c` DateTime64(3))")
    + b"\x00\x01"
    + b"\x01\0\0\0"
    + bytes(16)
)


def reframed(result: bytes, version: int, size: int = 1_000_000) -> bytes:
    reframer = Reframer(version)
    pieces = [result[at : at + size] for at in range(0, len(result), size)]
    return b"".join(map(reframer.feed, pieces)) + reframer.end()


@pytest.mark.parametrize(
    ("version", "block", "before_data"),
    [
        (54454, b"\x01\x00\x02\xff\xff\xff\xff\x00", b"\x00"),
        (54480, b"\x01\x00\x02\xff\xff\xff\xff\x03\x00\x00", b"\x00"),
    ],
)
def test_each_version_brings_what_it_adds(version: int, block: bytes, before_data: bytes) -> None:
    assert reframed(_BLOCK, version) == block + b"\x01\x02\x01a\x06String" + before_data + b"\x02hi\x00"


@given(st.lists(st.sampled_from([_BLOCK, _LOW, _NESTED]), max_size=6), st.integers(1, 60))
def test_the_pieces_that_it_comes_in_make_no_difference(blocks: list[bytes], size: int) -> None:
    whole = b"".join(reframed(block, 54460) for block in blocks)
    assert reframed(b"".join(blocks), 54460, size) == whole


@pytest.mark.parametrize("block", [_LOW, _NESTED])
def test_every_column_is_found_to_its_last_byte(block: bytes) -> None:
    added = len(reframed(block, 54460)) - len(block)
    assert added == 8 + block[0]


def test_a_result_that_ends_within_a_column_is_no_result() -> None:
    with pytest.raises(ValueError, match="ends within a column"):
        reframed(_BLOCK[:-1], 54460)


def test_a_type_of_unknown_length_is_refused_by_name() -> None:
    with pytest.raises(ClickHouseError, match="uniq"):
        column(named("a", "AggregateFunction(uniq, UInt8)") + b"\x00", 1)


def test_the_arguments_of_a_type_are_told_apart() -> None:
    text = "Tuple(`a, (` Enum8('x,)' = 1, 'it\\'s' = 2), Array(Map(String, UInt8)))"
    assert parsed(text).arguments == ("`a, (` Enum8('x,)' = 1, 'it\\'s' = 2)", "Array(Map(String, UInt8))")
