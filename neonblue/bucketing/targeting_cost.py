"""What evaluating a targeting expression costs at most, from its tree alone.

A step is a tenth of a microsecond, as measured on one core of 2024. What comes from the attributes is taken as `ITEMS`
long where it is gone through, and as `CHARACTERS` long where it is a text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from neonblue.bucketing.cel_tree import Kind, Node, Tree

ITEMS = 30
CHARACTERS = 100
BOUND = 20_000
"""Steps that an expression may take: 2 milliseconds."""

_NODE = 1.0
_ITERATION = 1.5
_PER_ITEM_COPIED = 0.6
_PER_ITEM_COMPARED = 0.5
_PER_CHARACTER = 0.02
_PER_INSTRUCTION = 20.0
"""A pattern is compiled at each evaluation."""
_OF_CALLS = {"semver": 60.0, "timestamp": 10.0, "duration": 10.0, "string": 5.0}
_REPETITION = re.compile(r"\{(\d+)?(,)?(\d+)?\}$")
_MOST_INSTRUCTIONS = 10_000.0
MOST_AT_ONCE = 500_000
"""Steps of one evaluation, whatever the attributes: 50 milliseconds."""


@dataclass(frozen=True, slots=True)
class _Part:
    """What a part of an expression costs, and how much it gives: items or characters, and of each item the same."""

    cost: float
    length: float = 1.0
    item: float = CHARACTERS
    loops: int = field(default=0, compare=False)


_Names = Mapping[str, tuple[float, float]]
_ATTRIBUTE = (float(ITEMS), float(CHARACTERS))


def check_cost(root: Node) -> None:
    """Raises ValueError, with what to do, where the expression may take more than `BOUND` steps."""
    steps, _ = cost_of(root)
    if steps > BOUND:
        raise ValueError(
            f"takes too long to evaluate, {_times(steps / BOUND)} of what is allowed: go through fewer lists inside "
            "each other, through shorter ones, or use simpler patterns"
        )


def cost_of(root: Node) -> tuple[float, int]:
    """Steps, and how many loops stand inside each other: with lists k times as long it is k to that power."""
    part = _part(root, {})
    return part.cost, part.loops


def is_too_long(tree: Callable[[], Tree], attributes: Mapping[str, Any]) -> bool:
    """Whether lists in the attributes are so long that the expression takes more than `MOST_AT_ONCE` steps."""
    longest = _longest(attributes)
    if longest <= ITEMS:
        return False
    steps, loops = cost_of(tree().root)
    return steps * (longest / ITEMS) ** loops > MOST_AT_ONCE


def _longest(value: Any) -> int:
    """Items of the longest list, or map, in the attributes."""
    if isinstance(value, Mapping):
        return max(len(value), max((_longest(item) for item in value.values()), default=0))
    if isinstance(value, list | tuple):
        return max(
            len(value), max((_longest(item) for item in value if not isinstance(item, str)), default=0)
        )
    return 0


def _times(share: float) -> str:
    return f"{share:.1f} times" if share < 100 else "over 100 times"


def _part(node: Node, names: _Names) -> _Part:
    if node.kind is Kind.COMPREHENSION:
        return _comprehension(node, names)
    if node.kind is Kind.CONSTANT:
        return _Part(_NODE, float(len(node.value)) if isinstance(node.value, str | bytes) else 1.0)
    if node.kind is Kind.NAME:
        return _Part(_NODE, *names.get(node.name, _ATTRIBUTE))
    children = [_part(child, names) for child in node.children]
    cost = _NODE + sum(child.cost for child in children)
    loops = max((child.loops for child in children), default=0)
    if node.kind in (Kind.LIST, Kind.MAP):
        longest = max((child.length for child in children), default=1.0)
        return _Part(cost, float(len(children)), longest, loops)
    if node.kind is Kind.CALL:
        return _call(node, children, cost, loops)
    return _Part(cost, *_ATTRIBUTE, loops)


def _call(node: Node, children: list[_Part], cost: float, loops: int) -> _Part:
    lengths = [child.length for child in children]
    item = max((child.item for child in children), default=1.0)
    match node.name:
        case "_+_" if node.type not in ("int", "uint", "double"):
            grows = node.children[0].kind is Kind.NAME and _is_result(node.children[0].name)
            copied = lengths[1] if grows else sum(lengths)
            rate = _PER_CHARACTER if node.type == "string" else _PER_ITEM_COPIED
            return _Part(cost + rate * copied, sum(lengths), item, loops)
        case "_?_:_":
            return _Part(cost, max(lengths[1:]), item, loops)
        case "_[_]":
            return _Part(cost, children[0].item, CHARACTERS, loops)
        case "matches":
            pattern = node.children[-1]
            return _Part(cost + _pattern(pattern, lengths[-1]) + _PER_CHARACTER * lengths[0], loops=loops)
        case "@in":
            return _Part(cost + _PER_ITEM_COMPARED * lengths[1], loops=loops)
        case _:
            own = _OF_CALLS.get(node.name, 0.0)
            return _Part(cost + own + _PER_CHARACTER * sum(lengths), loops=loops)


def _pattern(node: Node, length: float) -> float:
    if node.kind is Kind.CONSTANT and isinstance(node.value, str):
        return _PER_INSTRUCTION * instructions(node.value)
    return _PER_INSTRUCTION * max(length, CHARACTERS)


def instructions(pattern: str) -> float:
    """About how many instructions a pattern is compiled to, at most: what is repeated is written out."""
    levels = [0.0]  # of each open group
    last = 0.0  # what a repetition behind it repeats
    place = 0
    while place < len(pattern):
        letter = pattern[place]
        step = 1
        if letter == "(":
            levels.append(0.0)
            last = 0.0
        elif letter == ")" and len(levels) > 1:
            last = levels.pop() + 2
            levels[-1] += last
        elif (
            letter == "{"
            and (end := pattern.find("}", place)) > 0
            and (found := _REPETITION.match(pattern[place : end + 1]))
        ):
            times = max(int(found[1] or 0), int(found[3] or 0), 1)
            levels[-1] += last * (times - 1) + (times if found[2] else 0)
            last *= times
            step = end + 1 - place
        else:
            step, last = _atom(pattern, place)
            levels[-1] += last
        if levels[-1] > _MOST_INSTRUCTIONS:
            return _MOST_INSTRUCTIONS
        place += step
    return sum(levels) + 1


def _atom(pattern: str, place: int) -> tuple[int, float]:
    """Letters of a part of a pattern that is no group, and its instructions. A class of Unicode letters has many."""
    if pattern[place] == "\\":
        many = pattern[place + 1 : place + 2] in ("p", "P")
        end = pattern.find("}", place) + 1 if pattern[place + 2 : place + 3] == "{" and many else 0
        return max(2, end - place), 100.0 if many else 3.0
    if pattern[place] == "[":
        end = place + 1 + pattern[place + 1 : place + 3].startswith("^")
        while end < len(pattern) and (pattern[end] != "]" or end == place + 1):
            end += 2 if pattern[end] == "\\" else 1
        inner = pattern[place : end + 1]
        return len(inner), 100.0 if "\\p" in inner or "\\P" in inner else 4.0 + len(inner) / 4
    return 1, 3.0 if pattern[place] == "." or not pattern[place].isascii() else 1.0


def _comprehension(node: Node, names: _Names) -> _Part:
    through, first, *each = (node.children[0], node.children[1], *node.children[2:])
    goes, start = _part(through, names), _part(first, names)
    inner = dict(names) | {
        name: (start.length, goes.item) if _is_result(name) else (goes.item, CHARACTERS)
        for name in node.bound
    }
    condition, step, result = (_part(child, inner) for child in each)
    cost = goes.cost + start.cost + result.cost + goes.length * (condition.cost + step.cost + _ITERATION)
    loops = 1 + max(condition.loops, step.loops)
    found = _Part(cost + _NODE, goes.length, step.item, max(loops, goes.loops, start.loops))
    return (
        found if node.type.startswith("list") or node.type == "dyn" else _Part(found.cost, loops=found.loops)
    )


def _is_result(name: str) -> bool:
    """Whether the name is what a comprehension builds, not what it goes through."""
    return name.startswith(("@", "__"))
