"""Where a column of the Native format ends: each type's part of it, by ClickHouse's `src/DataTypes/Serializations`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from neonblue.clickhouse_server.errors import NOT_IMPLEMENTED, ClickHouseError

Bytes = bytes | bytearray

_SIZES = {
    "Nothing": 1,
    "Bool": 1,
    "Enum8": 1,
    "Enum16": 2,
    "BFloat16": 2,
    "Date": 2,
    "Date32": 4,
    "DateTime": 4,
    "DateTime64": 8,
    "Time": 4,
    "Time64": 8,
    "IPv4": 4,
    "IPv6": 16,
    "UUID": 16,
    "Float32": 4,
    "Float64": 8,
} | {f"{sign}Int{bits}": bits // 8 for sign in ("", "U") for bits in (8, 16, 32, 64, 128, 256)}
_GEOMETRY = {
    "Point": "Tuple(Float64, Float64)",
    "Ring": "Array(Point)",
    "LineString": "Array(Point)",
    "MultiLineString": "Array(LineString)",
    "Polygon": "Array(Ring)",
    "MultiPolygon": "Array(Polygon)",
}
_DECIMALS = ((9, 4), (18, 8), (38, 16), (76, 32))
"""Digits, and bytes of a value that has at most so many."""
_NAMED = re.compile(r"(?:`(?:[^`\\]|\\.)*`|[A-Za-z_]\w*)\s+(?=[A-Z])")
_MORE, _BITS = 0x80, 0x7F
_KEYS = 1 << 9
"""In a dictionary's flags: keys of its own follow."""
_WIDTH = 0xFF


class IncompleteError(Exception):
    """The bytes end within what is to be read."""


@dataclass(frozen=True, slots=True)
class Column:
    """Where a column's data begin, after its name and type, and where they end."""

    data: int
    end: int


@dataclass(frozen=True, slots=True)
class Type:
    """A type's name, and its arguments as they are written."""

    name: str
    arguments: tuple[str, ...]


def number(held: Bytes, at: int) -> tuple[int, int]:
    """An unsigned LEB128 number, and where it ends. Raises IncompleteError."""
    value = shift = 0
    while at < len(held):
        byte = held[at]
        at += 1
        value |= (byte & _BITS) << shift
        if byte < _MORE:
            return value, at
        shift += 7
    raise IncompleteError


def column(held: Bytes, rows: int) -> Column:
    """The column at the start. Raises IncompleteError, and ClickHouseError on a type whose end can't be told."""
    at = _texts(held, 0, 1)
    size, start = number(held, at)
    data = _within(held, start + size)
    if not rows:
        return Column(data, data)
    kind = bytes(held[start:data]).decode()
    return Column(data, _data(held, _within(held, data + _prefix(kind)), kind, rows))


@lru_cache(maxsize=1_000)
def parsed(text: str) -> Type:
    """`Map(String, Array(UInt8))`: `Map`, with `String` and `Array(UInt8)`."""
    name, opened, rest = text.strip().partition("(")
    return Type(name.strip(), tuple(_arguments(rest[: rest.rindex(")")])) if opened else ())


def _arguments(text: str) -> list[str]:
    found, depth, start, quote, escaped = [], 0, 0, "", False
    for place, sign in enumerate(text):
        if quote:
            quote = quote if escaped or sign != quote else ""
            escaped = sign == "\\" and not escaped
        elif sign in "'`":
            quote = sign
        elif sign == "," and not depth:
            found.append(text[start:place].strip())
            start = place + 1
        else:
            depth += (sign == "(") - (sign == ")")
    last = text[start:].strip()
    return [*found, last] if last else found


@lru_cache(maxsize=1_000)
def _parts(text: str) -> tuple[str, tuple[str, ...]]:
    """What a type is built of: fixed, texts, nullable, array, tuple, dictionary or same; and the types within."""
    kind = parsed(text)
    match kind.name:
        case "String":
            return "texts", ()
        case "Nullable":
            return "nullable", kind.arguments
        case "Array":
            return "array", kind.arguments
        case "Map" | "Nested":
            return "array", (f"Tuple({', '.join(kind.arguments)})",)
        case "Tuple":
            return "tuple", tuple(_NAMED.sub("", item, count=1) for item in kind.arguments)
        case "LowCardinality":
            # The keys of a dictionary are never null.
            key = parsed(kind.arguments[0])
            return "dictionary", key.arguments if key.name == "Nullable" else kind.arguments
        case "SimpleAggregateFunction":
            return "same", kind.arguments[-1:]
        case name if name in _GEOMETRY:
            return "same", (_GEOMETRY[name],)
        case _:
            return "fixed", ()


@lru_cache(maxsize=1_000)
def _size(text: str) -> int:
    """Bytes of one value of a type whose values are all as long. Raises ClickHouseError on any other."""
    kind = parsed(text)
    if kind.name.startswith("Interval"):
        return 8
    if kind.name == "FixedString":
        return int(kind.arguments[0])
    if kind.name == "Decimal":
        return next(size for digits, size in _DECIMALS if int(kind.arguments[0]) <= digits)
    if kind.name not in _SIZES:
        message = (
            f"A column of type {text} can't be sent in the Native format of a client_protocol_version: "
            "convert it in the query, such as by toString or finalizeAggregation"
        )
        raise ClickHouseError(NOT_IMPLEMENTED, "NOT_IMPLEMENTED", message)
    return _SIZES[kind.name]


def _prefix(text: str) -> int:
    """Bytes before a column's data: the version of each dictionary in it."""
    shape, inner = _parts(text)
    return 8 if shape == "dictionary" else sum(_prefix(item) for item in inner)


def _data(held: Bytes, at: int, text: str, rows: int) -> int:
    """Where `rows` values of the type end."""
    shape, inner = _parts(text)
    match shape:
        case "fixed":
            return _within(held, at + rows * _size(text))
        case "texts":
            return _texts(held, at, rows)
        case "nullable":
            return _data(held, _within(held, at + rows), inner[0], rows)
        case "array":
            return _array(held, at, inner[0], rows)
        case "dictionary":
            return _dictionary(held, at, inner[0], rows)
        case "tuple" if not inner:
            return _within(held, at + rows)
        case _:
            for item in inner:
                at = _data(held, at, item, rows)
            return at


def _array(held: Bytes, at: int, inner: str, rows: int) -> int:
    if not rows:
        return at
    end = _within(held, at + 8 * rows)
    return _data(held, end, inner, _whole(held, end - 8))


def _dictionary(held: Bytes, at: int, inner: str, rows: int) -> int:
    """Parts of: flags with the width of an index, keys, indexes."""
    while rows > 0:
        flags, at = _whole(held, at), at + 8
        if flags & _KEYS:
            keys, at = _whole(held, at), at + 8
            at = _data(held, at, inner, keys)
        part, at = _whole(held, at), at + 8
        at = _within(held, at + (part << (flags & _WIDTH)))
        rows -= part
    return at


def _texts(held: Bytes, at: int, rows: int) -> int:
    try:
        for _ in range(rows):
            size = held[at]
            at += 1
            if size >= _MORE:
                size, at = number(held, at - 1)
            at += size
    except IndexError as error:
        raise IncompleteError from error
    return _within(held, at)


def _whole(held: Bytes, at: int) -> int:
    return int.from_bytes(held[at : _within(held, at + 8)], "little")


def _within(held: Bytes, at: int) -> int:
    if at > len(held):
        raise IncompleteError
    return at
