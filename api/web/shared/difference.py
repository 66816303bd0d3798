"""What is not as it was, field by field, however deep it lies. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from neonblue.texts import plain

_LONGEST = 400
"""Characters of a value: the API's JSON has it whole."""
_DEEPEST = 6
"""Levels that are opened; what lies deeper is compared as one text."""
_MOST = 60
"""Fields of one entry."""
_ABSENT = object()


@dataclass(frozen=True, slots=True)
class Leaf:
    """A field by its path, before and after, as texts; None where it was not there."""

    path: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Difference:
    """leaves: those that differ, in the order of the state. more: how many are left out."""

    leaves: tuple[Leaf, ...]
    more: int = 0


def difference_of(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> Difference:
    """Of two states; None: there was none."""
    found = [
        Leaf(plain(".".join(path)), _text(old), _text(new))
        for path, old, new in _compared((), before or {}, after or {})
    ]
    return Difference(tuple(found[:_MOST]), max(0, len(found) - _MOST))


def _compared(path: tuple[str, ...], before: Any, after: Any) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    """Each leaf that differs."""
    if before is not _ABSENT and after is not _ABSENT and before == after:
        return
    olds, news = _parts(before, len(path)), _parts(after, len(path))
    if (olds is None and before is not _ABSENT) or (news is None and after is not _ABSENT):
        yield path, before, after
        return
    olds, news = olds or {}, news or {}
    for name in dict.fromkeys((*olds, *news)):
        yield from _compared((*path, name), olds.get(name, _ABSENT), news.get(name, _ABSENT))


def _parts(value: Any, depth: int) -> dict[str, Any] | None:
    """What lies within, by name: a list's items by their keys, where each has one. None of a value to show whole."""
    if depth >= _DEEPEST or not value:
        return None if depth else {}
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence) and all(isinstance(item, Mapping) and "key" in item for item in value):
        named = {str(item["key"]): item for item in value}
        return named if len(named) == len(value) else None
    return None


def _text(value: Any) -> str | None:
    if value is _ABSENT:
        return None
    text = plain(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
