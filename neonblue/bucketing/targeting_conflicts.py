"""Demands of a targeting expression that no unit can meet together, such as `a.x > 30 && a.x < 20`."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

from neonblue.bucketing.cel_tree import Kind, Node
from neonblue.bucketing.targeting import COMPARISONS, IN, SEMVER, is_version, refusal

_MIRRORED = {"_<_": "_>_", "_<=_": "_>=_", "_>_": "_<_", "_>=_": "_<=_"}
_HOLDS: dict[str, Callable[[Any, Any], bool]] = {
    "_<_": operator.lt,
    "_<=_": operator.le,
    "_>_": operator.gt,
    "_>=_": operator.ge,
}
_UPPER = frozenset({"_<_", "_<=_"})

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Demand:
    """What an expression asks of one attribute: to be one of `values`, or beyond the one that there is."""

    name: str
    values: tuple[Any, ...]
    node: Node

    def met_by(self, value: Any) -> bool:
        """A comparison of different kinds is not met: CEL has no answer for it."""
        same = [other for other in self.values if _kind(other) == _kind(value)]
        if self.name not in _HOLDS:
            return value in same
        return any(_HOLDS[self.name](value, other) for other in same)


def check_conflicts(root: Node) -> None:
    """Raises ValueError, with the place, where two demands that are joined by && exclude each other."""
    demands: dict[Path, list[_Demand]] = {}
    for part in _joined(root):
        for path, demand in _demands(part):
            others = demands.setdefault(path, [])
            for other in others:
                if not _possible(other, demand):
                    line, column = other.node.place
                    raise refusal(
                        demand.node, f"can't be true together with what line {line}, column {column} asks for"
                    )
            others.append(demand)


def _joined(node: Node) -> Iterator[Node]:
    if node.kind is Kind.CALL and node.name == "_&&_":
        yield from chain.from_iterable(map(_joined, node.children))
    else:
        yield node


def _demands(node: Node) -> Iterator[tuple[Path, _Demand]]:
    """The demand of a comparison of an attribute, or of its version, with constants."""
    if node.kind is not Kind.CALL or node.name not in COMPARISONS | {IN} or node.name == "_!=_":
        return
    left, right = node.children
    name = node.name
    if name != IN and left.kind is Kind.CONSTANT:
        left, right, name = right, left, _MIRRORED.get(name, name)
    constants = right.children if name == IN and right.kind is Kind.LIST else (right,)
    version = is_version(left)
    path = _path(left.children[0]) if version else _path(left)
    if not path or any(item.kind is not Kind.CONSTANT for item in constants):
        return
    yield (SEMVER, *path) if version else path, _Demand(name, tuple(item.value for item in constants), node)


def _path(node: Node) -> Path:
    """The fields from the name on; empty for what is no chain of fields."""
    if node.kind is Kind.NAME:
        return (node.name,)
    if node.kind is Kind.SELECT and node.type == "dyn":
        before = _path(node.children[0])
        return (*before, node.name) if before else ()
    if node.kind is Kind.CALL and node.name == "_[_]" and isinstance(node.children[1].value, str):
        before = _path(node.children[0])
        return (*before, node.children[1].value) if before else ()
    return ()


def _possible(one: _Demand, other: _Demand) -> bool:
    """Whether a value can meet both."""
    for first, second in ((one, other), (other, one)):
        if first.name not in _HOLDS:
            return any(second.met_by(value) for value in first.values)
    (a,), (b,) = one.values, other.values
    if _kind(a) != _kind(b):
        return False
    if (one.name in _UPPER) == (other.name in _UPPER):
        return True
    upper, lower = (one, other) if one.name in _UPPER else (other, one)
    (most,), (least,) = upper.values, lower.values
    return bool(least < most or (least == most and upper.name == "_<=_" and lower.name == "_>=_"))


def _kind(value: Any) -> type:
    return float if isinstance(value, int | float) and not isinstance(value, bool) else type(value)
