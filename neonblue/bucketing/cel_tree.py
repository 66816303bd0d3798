"""A compiled expression as a tree: what CEL's checker knows of each part, read from its serialized form.

The form is `cel.expr.CheckedExpr` (cel-spec, checked.proto and syntax.proto) in an `Any`. What is not read here is
carried along unchanged, so a tree can be written again with some parts replaced.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Any

from neonblue.bucketing import wire
from neonblue.bucketing.wire import Field, Message, Wire


class Kind(IntEnum):
    """What a part of an expression is: the number of its field in `Expr`."""

    EMPTY = 0
    CONSTANT = 3
    NAME = 4
    SELECT = 5
    CALL = 6
    LIST = 7
    MAP = 8
    COMPREHENSION = 9


_PARTS: dict[int, Any] = {}
_PARTS |= {
    Kind.SELECT: {1: _PARTS},
    Kind.CALL: {1: _PARTS, 3: _PARTS},
    Kind.LIST: {1: _PARTS},
    Kind.MAP: {2: {3: _PARTS, 4: _PARTS}},
    Kind.COMPREHENSION: {2: _PARTS, 4: _PARTS, 5: _PARTS, 6: _PARTS, 7: _PARTS},
}
"""Where expressions stand in an expression."""

_NUMBER = 2
_ANY_VALUE = 2
_TYPES, _ROOT, _SOURCE = 3, 4, 5
_LINE_ENDS, _POSITIONS = 3, 4
_PRIMITIVES = {1: "bool", 2: "int", 3: "uint", 4: "double", 5: "string", 6: "bytes"}
_WELL_KNOWN = {2: "timestamp", 3: "duration"}


@dataclass(frozen=True, slots=True)
class Node:
    """A part of an expression.

    type: the checker's, such as `int`, `string`, `list(string)`; `dyn`: not known before it is evaluated. place: its
    line and column, from 1. raw: it alone, as an `Expr`. name: of a name, a selected field or a called function.
    value: of a constant. member: the first child of a call is what it is called on. bound: the names that a
    comprehension (`exists`, `all`, …) defines for its children after the first, which is what it goes through.
    """

    number: int
    type: str
    place: tuple[int, int]
    raw: bytes = field(repr=False)
    kind: Kind = Kind.EMPTY
    name: str = ""
    value: Any = None
    children: tuple[Node, ...] = ()
    member: bool = False
    bound: frozenset[str] = frozenset()

    def walk(self) -> Iterator[Node]:
        """Every part, the inner ones first."""
        for child in self.children:
            yield from child.walk()
        yield self

    def free_names(self) -> frozenset[str]:
        """The names that the part takes from outside of it."""
        if self.kind is Kind.NAME:
            return frozenset({self.name})
        first, *others = [child.free_names() for child in self.children] or [frozenset()]
        return first | (frozenset().union(*others) - self.bound)


@dataclass(frozen=True, slots=True)
class Tree:
    """A serialized expression, taken apart."""

    root: Node
    _checked: list[Field]
    _envelope: list[Field]

    def of(self, expression: bytes) -> bytes:
        """The serialized form of an `Expr` alone, to evaluate it."""
        return self._enclosed([Field(_ROOT, Wire.BYTES, content=expression)])

    def with_parts(self, replaced: Mapping[int, bytes]) -> bytes:
        """The serialized form with some parts, by their numbers, replaced."""
        return self._enclosed(_with(self._checked, _ROOT, _replaced(self.root.raw, _PARTS, replaced)))

    def _enclosed(self, checked: Message) -> bytes:
        return wire.write(_with(self._envelope, _ANY_VALUE, wire.write(checked)))


def read_tree(serialized: bytes) -> Tree:
    """The tree of what `Expression.serialize` gives."""
    envelope = wire.read(serialized)
    checked = wire.read(wire.content(envelope, _ANY_VALUE))
    source = wire.read(wire.content(checked, _SOURCE))
    entries = [wire.read(entry) for entry in wire.contents(source, _POSITIONS)]
    types = [wire.read(entry) for entry in wire.contents(checked, _TYPES)]
    reader = _Reader(
        {wire.number(entry, 1): _type(wire.content(entry, 2)) for entry in types},
        {wire.number(entry, 1): wire.number(entry, 2) for entry in entries},
        wire.numbers(wire.content(source, _LINE_ENDS)),
    )
    return Tree(reader.node(wire.content(checked, _ROOT)), checked, envelope)


def constant(value: str | bytes) -> bytes:
    """The `Expr` that is this text, or these bytes."""
    content = value.encode() if isinstance(value, str) else value
    name = 6 if isinstance(value, str) else 7
    return _message(Kind.CONSTANT, [Field(name, Wire.BYTES, content=content)])


def call(function: str, *arguments: bytes, on: bytes | None = None) -> bytes:
    """The `Expr` that calls a function with these, `on` something where it is a member."""
    target = [] if on is None else [Field(1, Wire.BYTES, content=on)]
    given = [Field(3, Wire.BYTES, content=argument) for argument in arguments]
    return _message(Kind.CALL, [*target, Field(2, Wire.BYTES, content=function.encode()), *given])


@dataclass(frozen=True, slots=True)
class _Reader:
    types: Mapping[int, str]
    positions: Mapping[int, int]
    line_ends: list[int]

    def node(self, raw: bytes) -> Node:
        fields = wire.read(raw)
        number = wire.number(fields, _NUMBER)
        kind = next((Kind(item.name) for item in fields if item.name != _NUMBER), Kind.EMPTY)
        node = Node(number, self.types.get(number, "dyn"), self._place(number), raw, kind)
        return self._filled(node, wire.read(wire.content(fields, kind)))

    def _filled(self, node: Node, fields: Message) -> Node:
        match node.kind:
            case Kind.CONSTANT:
                return replace(node, value=_value(fields))
            case Kind.NAME:
                return replace(node, name=_text(fields, 1))
            case Kind.SELECT:
                return replace(node, name=_text(fields, 2), children=self._nodes(fields, 1))
            case Kind.CALL:
                children = self._nodes(fields, 1, 3)
                member = any(item.name == 1 for item in fields)
                return replace(node, name=_text(fields, 2), children=children, member=member)
            case Kind.LIST:
                return replace(node, children=self._nodes(fields, 1))
            case Kind.MAP:
                entries = [wire.read(entry) for entry in wire.contents(fields, 2)]
                return replace(node, children=tuple(n for entry in entries for n in self._nodes(entry, 3, 4)))
            case Kind.COMPREHENSION:
                bound = frozenset(map(bytes.decode, wire.contents(fields, 1, 3, 8)))
                return replace(node, children=self._nodes(fields, 2, 4, 5, 6, 7), bound=bound)
        return node

    def _nodes(self, fields: Message, *names: int) -> tuple[Node, ...]:
        return tuple(self.node(content) for content in wire.contents(fields, *names))

    def _place(self, number: int) -> tuple[int, int]:
        offset = self.positions.get(number, 0)
        before = [end for end in self.line_ends if end <= offset]
        return len(before) + 1, offset - (before[-1] if before else 0) + 1


def _type(message: bytes) -> str:
    for item in wire.read(message):
        if item.name == 2:
            return "null"
        if item.name == 3:
            return _PRIMITIVES.get(item.number, "dyn")
        if item.name == 5:
            return _WELL_KNOWN.get(item.number, "dyn")
        if item.name == 6:
            return f"list({_type(wire.content(wire.read(item.content), 1))})"
        if item.name in (7, 11):
            return "map" if item.name == 7 else "type"
    return "dyn"


def _value(fields: Message) -> Any:
    """A constant's value; of kinds that no expression is written with, None."""
    for item in fields:
        if item.name in (2, 4):
            return bool(item.number) if item.name == 2 else item.number
        if item.name == 3:
            return item.number - 2**64 if item.number >= 2**63 else item.number
        if item.name == 5:
            return struct.unpack("<d", item.content)[0]
        if item.name in (6, 7):
            return item.content.decode() if item.name == 6 else item.content
    return None


def _text(fields: Message, name: int) -> str:
    return wire.content(fields, name).decode()


def _message(name: int, fields: Message) -> bytes:
    return wire.write([Field(name, Wire.BYTES, content=wire.write(fields))])


def _with(message: Message, name: int, content: bytes) -> list[Field]:
    return [item._replace(content=content) if item.name == name else item for item in message]


def _replaced(message: bytes, parts: Mapping[int, Any], by: Mapping[int, bytes]) -> bytes:
    fields = wire.read(message)
    if parts is _PARTS and wire.number(fields, _NUMBER) in by:
        return by[wire.number(fields, _NUMBER)]
    return wire.write(
        item._replace(content=_replaced(item.content, parts[item.name], by)) if item.name in parts else item
        for item in fields
    )
