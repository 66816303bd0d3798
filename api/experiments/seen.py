"""Whom an experiment's targeting means among the units seen: a sample of what is known of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import Any

from api.experiments.readiness import Matches
from api.fairness import Turns
from api.postgres.database import Connection
from api.users.repository import read_sample
from neonblue.bucketing import Targeting, TargetingError, compile_expression
from neonblue.bucketing.cel_tree import Kind, Node
from neonblue.bucketing.targeting import ATTRIBUTES, IN

SAMPLE = 2_000
_SECONDS = 0.5
"""An expression may be slow: what was looked at by then is the sample."""
_INDEX = "_[_]"


async def read_matches(connection: Connection, unit_type: str, text: str | None) -> Matches | None:
    """Of at most `SAMPLE` units of this type with attributes; None without an expression, or with an unreadable one."""
    if text is None:
        return None
    try:
        targeting = compile_expression(text)
    except ValueError:
        return None
    return await match(targeting, await read_sample(connection, unit_type, SAMPLE))


async def match(targeting: Targeting, sample: Sequence[Mapping[str, Any]]) -> Matches:
    """Others have their turn meanwhile."""
    read = attributes_read(targeting.tree().root)
    turns, until = Turns(), perf_counter() + _SECONDS
    units = meant = unanswered = 0
    why: str | None = None
    for attributes in sample:
        if turns.is_over():
            await turns.next()
            if perf_counter() > until:
                break
        units += 1
        try:
            if targeting.matches(attributes):
                meant += 1
            elif read and not read.intersection(attributes):
                unanswered += 1
        except TargetingError as error:
            unanswered += 1
            why = why or str(error).partition(" : ")[0]  # what follows may be a value of somebody's
    return Matches(units, meant, unanswered, why)


def attributes_read(root: Node) -> frozenset[str]:
    """The names of the attributes that an expression reads; without those that it works out."""
    named = (_named(node) for node in root.walk())
    return frozenset(name for name in named if name is not None)


def _named(node: Node) -> str | None:
    """The attribute that this part alone reads; None: none, or one that is worked out."""
    if node.kind is Kind.SELECT:
        read, name = node.children[0], node.name
    elif node.kind is Kind.CALL and node.name in (_INDEX, IN) and len(node.children) == 2:
        key, read = node.children if node.name == IN else reversed(node.children)
        name = key.value
    else:
        return None
    whole = read.kind is Kind.NAME and read.name == ATTRIBUTES
    return name if whole and isinstance(name, str) else None
