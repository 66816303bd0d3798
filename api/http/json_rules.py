"""Rules on a JSON body that hold whatever the call: checked before any endpoint sees it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import islice
from math import isfinite
from typing import Any

from api.fairness import off_the_loop
from api.http.problems import Problem
from neonblue.contract.codes import Code
from neonblue.contract.limits import INTEGER_MAXIMUM, INTEGER_MINIMUM

NESTING_DEPTH = 32
"""Levels of a whole body; free-form objects in it may have fewer."""

VALUES = 50_000
"""Of a whole body: texts, numbers, lists, objects and the rest."""

_LARGE = 16 * 1024
"""Bytes that take so long to read that a thread does."""
_TEXT = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
_INTEGER_DIGITS = 20
_ERRORS = 20


class _DuplicateKeyError(ValueError):
    """An object names a key twice: readers would disagree on which counts."""


async def check_body(body: bytes) -> None:
    """As `check_json`; large bodies beside the loop."""
    if len(body) < _LARGE:
        check_json(body)
    else:
        await off_the_loop(check_json, body)


def check_json(body: bytes) -> None:
    """Raises Problem: 400 where it is no JSON, nests too deeply or names a key twice; 422 for values that can't be
    stored, with each one's field; 413 for too many values."""
    if len(body) > 2 * VALUES:
        _check_size(body)
    try:
        document = json.loads(body, object_pairs_hook=_unique, parse_int=_integer, parse_constant=_refuse)
    except _DuplicateKeyError as error:
        raise Problem(400, Code.DUPLICATE_KEY, f"an object names the key {error} twice") from None
    except RecursionError:
        raise _too_deep() from None
    except UnicodeDecodeError:
        raise Problem(400, Code.NOT_UTF8, "must be UTF-8") from None
    except ValueError:
        raise Problem(400, Code.NOT_JSON, "is no JSON") from None
    errors = list(islice(_errors(document, "", 1), _ERRORS))
    if errors:
        first = errors[0]
        raise Problem(422, first["code"], first["message"], field=first["field"], members={"errors": errors})


def _check_size(body: bytes) -> None:
    """Raises Problem. By what stands outside of texts, before the body is read: reading takes long."""
    bare = _TEXT.sub(b"", body)
    innermost, around = 1 + bare.count(b","), bare.count(b"[") + bare.count(b"{")
    if around > innermost * NESTING_DEPTH:
        raise _too_deep()
    if innermost + around > VALUES:
        raise Problem(413, Code.TOO_MANY_ITEMS, f"a body holds at most {VALUES} values")


def _errors(value: Any, field: str, depth: int) -> Iterator[dict[str, str]]:
    if depth > NESTING_DEPTH:
        raise _too_deep()
    if isinstance(value, dict):
        for key, item in value.items():
            place = f"{field}.{_shown(key)}" if field else _shown(key)
            yield from _errors(key, place, depth)
            yield from _errors(item, place, depth + 1)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _errors(item, f"{field}.{index}" if field else str(index), depth + 1)
    elif isinstance(value, str):
        if "\x00" in value:
            yield _error(Code.NUL_CHARACTER, "must not contain the NUL character", field)
        elif not _storable(value):
            yield _error(
                Code.LONE_SURROGATE, "contains half of a surrogate pair, which is no character", field
            )
    elif isinstance(value, int) and not INTEGER_MINIMUM <= value <= INTEGER_MAXIMUM:
        yield _error(Code.VALUE_OUT_OF_RANGE, "integers must fit 64 bits", field)
    elif isinstance(value, float) and not isfinite(value):
        yield _error(Code.VALUE_OUT_OF_RANGE, "is too large a number", field)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _DuplicateKeyError(_shown(key))
            seen.add(key)
    return found


def _integer(digits: str) -> int:
    """Past 64 bits the value does not matter, and reading a million digits would take long."""
    return int(digits) if len(digits) <= _INTEGER_DIGITS else INTEGER_MAXIMUM + 1


def _refuse(_: str) -> None:
    raise ValueError("NaN and Infinity are no JSON")


def _storable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _shown(key: str) -> str:
    """A key as it may stand in an answer."""
    return key[:100].encode("ascii", "backslashreplace").decode().replace("\x00", "\\x00")


def _error(code: Code, message: str, field: str) -> dict[str, str]:
    return {"field": field, "code": code, "message": message}


def _too_deep() -> Problem:
    return Problem(400, Code.TOO_DEEP, f"nests deeper than {NESTING_DEPTH} levels")
