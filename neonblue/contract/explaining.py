"""Turns a decoder's refusal of one item into the rule that it broke."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, NoReturn

import msgspec

from neonblue.contract.codes import Code
from neonblue.contract.violation import ContractError, Violation

_PLACE = re.compile(r" - at `\$\.?(?P<path>[^`]*)`$")
_NAMED = re.compile(r"field `(?P<name>[^`]*)`")
_RULES: tuple[tuple[re.Pattern[str], Code], ...] = (
    (re.compile(r"Object missing required field"), Code.MISSING_FIELD),
    (re.compile(r"Object contains unknown field"), Code.UNKNOWN_FIELD),
    (re.compile(r"Expected `str` of length <="), Code.TOO_LONG),
    (re.compile(r"Expected `str` of length >="), Code.TOO_SHORT),
    (re.compile(r"Expected `int` [<>]="), Code.VALUE_OUT_OF_RANGE),
    (re.compile(r"(Number|Integer|Float) .*out of range|out of range"), Code.VALUE_OUT_OF_RANGE),
    (re.compile(r"Invalid RFC3339|timezone component"), Code.INVALID_TIMESTAMP),
    (re.compile(r"Invalid decimal"), Code.INVALID_DECIMAL),
    (re.compile(r"Expected .*, got "), Code.WRONG_TYPE),
)


def decode_item(decode: Callable[[bytes], Any], item: bytes) -> Any:
    """The decoded item, or the Violation that says why it can't be. Never raises on any input."""
    try:
        return decode(item)
    except RecursionError:
        return Violation(Code.TOO_DEEP, "nests too deeply")
    except UnicodeDecodeError:
        return Violation(Code.NOT_UTF8, "must be UTF-8")
    except msgspec.ValidationError as error:
        return _explain(str(error))
    except msgspec.DecodeError:
        return _why_not_json(item)


def find_duplicate_key(item: bytes) -> Violation | None:
    """The violation if an object in the item names a key twice: readers would disagree on which counts.

    None too for what is no JSON, which is for others to tell.
    """
    try:
        json.loads(item, object_pairs_hook=_unique, parse_int=_unread, parse_float=_unread)
    except ContractError as error:
        return error.violation
    except RecursionError:
        return Violation(Code.TOO_DEEP, "nests too deeply")
    except ValueError:
        return None
    return None


def _explain(message: str) -> Violation:
    place = _PLACE.search(message)
    named = _NAMED.search(message)
    path = place["path"] if place else ""
    text = message[: place.start()] if place else message
    code = next((code for pattern, code in _RULES if pattern.search(text)), Code.INVALID)
    field = ".".join(part for part in (path, named["name"] if named else "") if part)
    return Violation(code, text[0].lower() + text[1:], field or None)


def _why_not_json(item: bytes) -> Violation:
    """The standard library reads lone surrogates, which the decoder refuses as broken JSON."""
    try:
        json.loads(item, parse_constant=_refuse, parse_int=_unread, parse_float=_unread)
    except RecursionError:
        return Violation(Code.TOO_DEEP, "nests too deeply")
    except UnicodeDecodeError:
        return Violation(Code.NOT_UTF8, "must be UTF-8")
    except ValueError:
        return Violation(Code.NOT_JSON, "is no JSON")
    return Violation(Code.LONE_SURROGATE, "contains half of a surrogate pair, which is no character")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ContractError(Code.DUPLICATE_KEY, "an object must not name a key twice", key[:256])
        found[key] = value
    return found


def _unread(number: str) -> str:
    """Only keys matter here, and a number of a million digits costs time."""
    return number


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")
