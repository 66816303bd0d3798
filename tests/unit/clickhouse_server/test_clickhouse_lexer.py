"""Texts are read in time that grows with their length, whatever they open and never close."""

from __future__ import annotations

import contextlib
import time

import pytest

from neonblue.clickhouse_server.errors import ClickHouseError
from neonblue.clickhouse_server.lexer import Kind, tokens
from neonblue.clickhouse_server.statement import read

SIZE = 1024**2


def seconds(text: str) -> float:
    began = time.process_time()
    with contextlib.suppress(ClickHouseError):
        read(text.encode(), SIZE)
    return time.process_time() - began


@pytest.mark.parametrize(
    "hostile",
    [
        "SELECT " + " ".join(f"$a{number}$" for number in range(100_000)),
        "SELECT " + "$" * 900_000,
        "SELECT " + "“ " * 200_000,
        "SELECT " + "‘ " * 200_000,
        "SELECT '" + "\\'" * 400_000,
        "SELECT `" + "\\`" * 400_000,
        "SELECT " + "/* " * 300_000,
        "SELECT " + "'' " * 300_000,
        "INSERT INTO t SELECT " + "FORMAT a " * 100_000,
        "INSERT INTO t SELECT " + "VALUES a " * 100_000,
        "INSERT INTO t " + "INTO VALUES " * 80_000,
    ],
)
def test_a_megabyte_of_unclosed_marks_is_read_in_seconds(hostile: str) -> None:
    """Read quadratically, 63 KB took 16 s and these would take an hour. The bound allows for a slow machine."""
    assert len(hostile.encode()) <= SIZE
    assert seconds(hostile) < 30


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("$a$it's$a$ x", [Kind.TEXT, Kind.WORD]),
        ("$$it's$$ x", [Kind.TEXT, Kind.WORD]),
        ("$a$ $b$ $a$ x", [Kind.TEXT, Kind.WORD]),
        ("$a$$a$", [Kind.TEXT]),
        ("$a$ x", [Kind.SIGN, Kind.WORD, Kind.WORD]),
        ("$ x", [Kind.SIGN, Kind.WORD]),
        ("'a''b' 'c\\'d'", [Kind.TEXT, Kind.TEXT]),
        ("“a” ‘b’", [Kind.QUOTED, Kind.TEXT]),
        ("a “b", [Kind.WORD, Kind.BROKEN]),
        ("a ' b ' ' c", [Kind.WORD, Kind.TEXT, Kind.BROKEN]),
    ],
)
def test_texts_end_where_the_engine_ends_them(text: str, kinds: list[Kind]) -> None:
    found = [token.kind for token in tokens(text.encode(), SIZE)]
    assert found == kinds
