"""What a targeting expression may not say although it compiles: what can never be read, or never be true.

An attribute is a value of JSON: a text, a number, true, false, null, a list or an object. So it is never a time, and a
text beside `<` is compared letter by letter, where "1.9.0" comes after "1.10.0".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isnan
from typing import Any

from neonblue.bucketing.cel_tree import Kind, Node, Tree, call, constant
from neonblue.bucketing.targeting import (
    ATTRIBUTES,
    COMPARISONS,
    IN,
    ORDERINGS,
    compile_expression,
    evaluate_part,
    is_version,
    refusal,
)
from neonblue.bucketing.targeting_conflicts import check_conflicts
from neonblue.bucketing.targeting_cost import check_cost

_ARITHMETIC = frozenset({"_+_", "_-_", "_*_", "_/_", "_%_"})
_DIVISIONS = frozenset({"_/_", "_%_"})
_NUMBERS = frozenset({"int", "uint", "double"})
_INDEX = "_[_]"
_NOT_JSON = {
    "timestamp": "a time: write timestamp(…) around it",
    "duration": "a duration: write duration(…) around it",
    "bytes": "bytes: compare it with a text, without the b",
}
_OF_TIMES = frozenset(
    f"get{part}"
    for part in (
        "Date", "DayOfMonth", "DayOfWeek", "DayOfYear", "FullYear", "Hours", "Milliseconds", "Minutes", "Month",
        "Seconds",
    )
)  # fmt: skip
_WORDS = {"string": "texts", "bool": "true or false"} | dict.fromkeys(_NUMBERS, "numbers")
_SHAPES = {
    "timestamp": "; a time is written 2026-03-01T09:30:00Z",
    "duration": "; a duration is written 90s, 1.5h or 1h30m",
}
_LETTER_BY_LETTER = (
    "texts are compared letter by letter, so '1.9.0' comes after '1.10.0' and '9' after '10': compare versions with "
    "semver(…), numbers with a number without quotes, times with timestamp(…)"
)


def check_expression(text: str) -> None:
    """Raises ValueError, with the place, where the text is no expression (as `compile_expression`), or holds a part
    that has no answer for anybody, or is true for nobody, or may take long to evaluate."""
    rules = _Rules(compile_expression(text).tree())
    rules.check()
    check_cost(rules.tree.root)
    check_conflicts(rules.tree.root)


@dataclass(slots=True)
class _Rules:
    tree: Tree
    json: set[str] = field(default_factory=lambda: {ATTRIBUTES})
    """Names of values that stand in the attributes: the attributes themselves, and variables that go through them."""
    read: set[str] = field(default_factory=lambda: {ATTRIBUTES})
    """Names whose values depend on the attributes, also where they are made of them."""

    def check(self) -> None:
        parts = list(self.tree.root.walk())
        for node in reversed(parts):  # the outer ones first: a variable is read within its comprehension
            if node.kind is Kind.COMPREHENSION and self._from_json(node.children[0]):
                self.json |= node.bound
            if node.kind is Kind.COMPREHENSION and node.children[0].free_names() & self.read:
                self.read |= node.bound
        for node in parts:
            if node.kind is not Kind.CONSTANT and _is_constant(node):
                self._value(node)
            if node.kind is Kind.CALL:
                self._check_call(node)
        if _is_constant(self.tree.root) and self._value(self.tree.root) is False:
            raise ValueError("is never true: for nobody, set the allocation to 0")

    def _check_call(self, node: Node) -> None:
        if node.name in ORDERINGS:
            self._check_ordering(node)
        if node.name in COMPARISONS | _ARITHMETIC:
            self._check_operands(node)
        elif node.name == IN:
            self._check_in(node)
        elif node.name == "matches":
            self._check_pattern(node.children[-1])
        elif node.name in _OF_TIMES:
            self._check_time(node)
        elif node.name == _INDEX:
            self._check_index(node.children[1])

    def _check_ordering(self, node: Node) -> None:
        for operand in node.children:
            if operand.type == "string" and not any(map(is_version, node.children)):
                raise refusal(node, _LETTER_BY_LETTER)
            if operand.type in ("null", "bool"):
                word = _WORDS.get(operand.type, operand.type)
                raise refusal(operand, f"nothing is more or less than {word}: use == or !=")
            if operand.type == "double" and _is_constant(operand) and isnan(self._value(operand)):
                raise refusal(operand, "nothing is more or less than NaN")

    def _check_operands(self, node: Node) -> None:
        left, right = node.children
        for one, other in ((left, right), (right, left)):
            if other.type in _NOT_JSON and self._from_json(one):
                raise refusal(one, f"an attribute is never {_NOT_JSON[other.type]}")
        whole = right.type in ("int", "uint")
        if node.name in _DIVISIONS and whole and _is_constant(right) and self._value(right) == 0:
            raise refusal(node, "divides by zero")

    def _check_in(self, node: Node) -> None:
        value, items = node.children
        if items.kind is not Kind.LIST or is_version(value):
            return
        if not items.children:
            raise refusal(items, "nothing is in an empty list")
        kinds = {_WORDS.get(item.type, item.type) for item in items.children} - {"dyn", "null"}
        if len(kinds) > 1:
            raise refusal(
                items,
                f"the list mixes {' and '.join(sorted(kinds))}, and a value equals only one of its own kind: "
                "write them all alike, or one list for each kind with || between",
            )
        for item in items.children:
            if item.type in _NOT_JSON and self._from_json(value):
                raise refusal(item, f"an attribute is never {_NOT_JSON[item.type]}")

    def _check_pattern(self, pattern: Node) -> None:
        if pattern.free_names() & self.read:
            raise refusal(
                pattern,
                "write the pattern itself: who sends one among the attributes can make it cost seconds",
            )
        if _is_constant(pattern):
            self._evaluated(pattern, call("matches", pattern.raw, on=constant("")))

    def _check_time(self, node: Node) -> None:
        target, *zone = node.children
        if self._from_json(target):
            raise refusal(target, "an attribute is never a time: write timestamp(…) around it")
        if zone and _is_constant(zone[0]):
            time = call("timestamp", constant("2026-03-01T00:00:00Z"))
            self._evaluated(zone[0], call("getHours", zone[0].raw, on=time))

    def _check_index(self, index: Node) -> None:
        if index.type in _NUMBERS and _is_constant(index):
            place = self._value(index)
            if place < 0 or place % 1:
                raise refusal(index, "a list has places 0, 1, 2 and so on")

    def _value(self, node: Node) -> Any:
        return self._evaluated(node, node.raw)

    def _evaluated(self, node: Node, expression: bytes) -> Any:
        try:
            return evaluate_part(self.tree, expression)
        except ValueError as error:
            shape = _SHAPES.get(node.name, "")
            raise refusal(node, f"can never be read: {error}{shape}") from None

    def _from_json(self, node: Node) -> bool:
        """Whether the part is a value that stands somewhere in the attributes."""
        while node.kind is Kind.SELECT or (node.kind is Kind.CALL and node.name == _INDEX):
            node = node.children[0]
        return node.type in ("dyn", "map") and node.kind is Kind.NAME and node.name in self.json


def _is_constant(node: Node) -> bool:
    """A part that reads nothing from outside has one answer, or is wrong each time."""
    return node.kind is not Kind.EMPTY and not node.free_names()
