"""Protocol Buffers' wire format: a message as its fields (protobuf.dev, Encoding)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from enum import IntEnum
from typing import NamedTuple


class Wire(IntEnum):
    """How a field's value is written."""

    VARINT = 0
    FIXED64 = 1
    BYTES = 2
    FIXED32 = 5


class Field(NamedTuple):
    """One field. `number` holds the value of a VARINT, `content` that of all others, unread."""

    name: int
    wire: Wire
    number: int = 0
    content: bytes = b""


Message = Sequence[Field]


def read(data: bytes) -> list[Field]:
    """The fields of a message, in order. Raises ValueError for what is none."""
    fields = []
    at = 0
    while at < len(data):
        tag, at = _read_varint(data, at)
        name, wire = tag >> 3, Wire(tag & 7)
        if wire is Wire.VARINT:
            number, at = _read_varint(data, at)
            fields.append(Field(name, wire, number))
            continue
        size = {Wire.FIXED64: 8, Wire.FIXED32: 4}.get(wire)
        if size is None:
            size, at = _read_varint(data, at)
        fields.append(Field(name, wire, content=data[at : at + size]))
        at += size
    return fields


def write(fields: Iterable[Field]) -> bytes:
    """The message of these fields."""
    data = bytearray()
    for field in fields:
        _write_varint(data, field.name << 3 | field.wire)
        if field.wire is Wire.VARINT:
            _write_varint(data, field.number)
            continue
        if field.wire is Wire.BYTES:
            _write_varint(data, len(field.content))
        data += field.content
    return bytes(data)


def contents(message: Message, *names: int) -> Iterator[bytes]:
    """The values of these fields, in the order of the message."""
    return (field.content for field in message if field.name in names)


def content(message: Message, name: int) -> bytes:
    """The value of a field; empty where it is absent."""
    return next(contents(message, name), b"")


def number(message: Message, name: int) -> int:
    """The value of a field that is a number; 0 where it is absent."""
    return next((field.number for field in message if field.name == name), 0)


def numbers(data: bytes) -> list[int]:
    """The numbers of a packed field."""
    found = []
    at = 0
    while at < len(data):
        value, at = _read_varint(data, at)
        found.append(value)
    return found


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data):
            raise ValueError("the message ends within a number")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _write_varint(data: bytearray, value: int) -> None:
    while value >= 0x80:
        data.append(value & 0x7F | 0x80)
        value >>= 7
    data.append(value)
