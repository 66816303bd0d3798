"""Rules on free-form JSON and on texts that JSON allows but a store or a reader does not."""

from __future__ import annotations

import re
from typing import Any, get_args, get_origin, get_type_hints

from msgspec import Struct

from neonblue.contract.codes import Code
from neonblue.contract.limits import INTEGER_MAXIMUM, INTEGER_MINIMUM, NESTING_DEPTH
from neonblue.contract.violation import ContractError

FLOAT_MAXIMUM = 1e30
FLOAT_MINIMUM = 1e-30
"""PostgreSQL writes a jsonb number out in full: `1e300` would grow from 5 characters to 301, and a message of
such numbers past every limit of the stream."""

_CONTROL = re.compile(r"[\x00-\x1f]")


def check_text(text: str, field: str) -> None:
    """Refuse control characters, which would make ids that look alike differ."""
    found = _CONTROL.search(text)
    if found is None:
        return
    if found[0] == "\x00":
        raise ContractError(Code.NUL_CHARACTER, "must not contain the NUL character", field)
    raise ContractError(Code.CONTROL_CHARACTER, "must not contain control characters", field)


def text_fields(struct: type[Struct]) -> tuple[str, ...]:
    """The fields that hold a text, by their types: what is new is among them without being told."""
    return tuple(name for name, kinds in _kinds(struct).items() if str in kinds)


def object_fields(struct: type[Struct]) -> tuple[str, ...]:
    """The fields that hold a free-form object."""
    return tuple(
        name for name, kinds in _kinds(struct).items() if any(get_origin(kind) is dict for kind in kinds)
    )


def _kinds(struct: type[Struct]) -> dict[str, tuple[object, ...]]:
    hints = get_type_hints(struct)
    return {name: get_args(hints[name]) or (hints[name],) for name in struct.__struct_fields__}


def count_keys(value: dict[str, Any], field: str, *, texts: bool = False, depth: int = 1) -> int:
    """Keys of an object and of all objects in it, checking depth and numbers on the way.

    texts: whether to look for NUL characters, which PostgreSQL's jsonb can't hold.
    """
    count = len(value)
    for item in value.values():
        kind = type(item)
        if kind is not str or texts:
            count += _count_value(item, field, texts, depth)
    if texts and any("\x00" in key for key in value):
        raise ContractError(Code.NUL_CHARACTER, "must not contain the NUL character", field)
    return count


def _count_value(value: Any, field: str, texts: bool, depth: int) -> int:
    if isinstance(value, str):
        if texts and "\x00" in value:
            raise ContractError(Code.NUL_CHARACTER, "must not contain the NUL character", field)
    elif isinstance(value, float):
        if value and not FLOAT_MINIMUM < abs(value) < FLOAT_MAXIMUM:
            raise ContractError(Code.VALUE_OUT_OF_RANGE, "numbers must lie between 1e-30 and 1e30", field)
    elif isinstance(value, int):
        if not INTEGER_MINIMUM <= value <= INTEGER_MAXIMUM:
            raise ContractError(Code.VALUE_OUT_OF_RANGE, "integers must fit 64 bits", field)
    elif value is not None:
        if depth >= NESTING_DEPTH:
            raise ContractError(Code.TOO_DEEP, f"must not nest deeper than {NESTING_DEPTH} levels", field)
        if isinstance(value, dict):
            return count_keys(value, field, texts=texts, depth=depth + 1)
        return sum(_count_value(item, field, texts, depth + 1) for item in value)
    return 0
