"""Errors in log lines: where and what, but not the values that were at hand.

An error's text is written by whoever raised it, often with the value in it: a store's ``Key (user_id)=(ann) already
exists``, a parser's ``invalid literal``. So the text of a kind that quotes values is left out; its type and its place
are enough to find it.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator
from typing import Any

_SPEAKING = (
    OSError,
    ImportError,
    RuntimeError,
    AttributeError,
    NameError,
    MemoryError,
    TimeoutError,
    AssertionError,
)
"""What these say names files, addresses, modules, attributes."""
_OWN = ("neonblue.", "api.", "orchestration.")
_QUOTING = ("neonblue.contract.",)
"""Ours, whose words are for the caller who sent the value."""
_DEPTH = 8
_QUERY = re.compile(r"\?[^\s'\"<>]+")
WITHHELD = "its text is left out, for it may quote a value"


def told(error: BaseException) -> str:
    """The trace of an error and of what led to it, as Python writes it, without quoted values."""
    return "\n".join(_chain(error, set(), _DEPTH))


def sentence(error: BaseException) -> str:
    """The error in one line."""
    name = type(error).__qualname__
    if isinstance(state := getattr(error, "sqlstate", None), str):  # PostgreSQL's: its text quotes rows
        place = getattr(error, "diag", None)
        known = {part: getattr(place, f"{part}_name", None) for part in ("table", "column", "constraint")}
        return " ".join([f"{name}: sqlstate={state}", *(f"{k}={v}" for k, v in known.items() if v)])
    try:
        text = str(error).partition("\n")[0]
    except Exception:
        return f"{name}: its text can't be told"
    return (
        f"{name}: {without_queries(text)}"
        if text and _speaks(error)
        else f"{name}: {WITHHELD}"
        if text
        else name
    )


def without_queries(text: str) -> str:
    """The text, with addresses in it that end before their query, which holds values."""
    return _QUERY.sub("?…", text)


def _speaks(error: BaseException) -> bool:
    module = f"{type(error).__module__}."
    if module.startswith(_OWN):
        return not module.startswith(_QUOTING)
    return isinstance(error, _SPEAKING) and not isinstance(error, UnicodeError)


def _chain(error: BaseException, seen: set[int], depth: int) -> Iterator[str]:
    seen.add(id(error))
    before: Any = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None and id(before) not in seen and depth:
        yield from _chain(before, seen, depth - 1)
        yield "which led to:"
    yield "Traceback (most recent call last):"
    for frame in traceback.format_tb(error.__traceback__):
        yield frame.rstrip("\n")
    yield sentence(error)
    if isinstance(error, BaseExceptionGroup) and depth:
        for number, part in enumerate(error.exceptions, 1):
            yield f"its part {number}:"
            yield from _chain(part, seen, depth - 1)
