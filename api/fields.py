"""Fields that people write, with the rules that every store and reader needs."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

import msgspec
from fastapi import Query
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
)

from neonblue.bucketing import FULL_ALLOCATION
from neonblue.contract.codes import Code
from neonblue.contract.limits import KEY_LENGTH
from neonblue.contract.texts import count_keys
from neonblue.contract.violation import ContractError

PAYLOAD_BYTES = 64 * 1024
"""Of a variant's payload, as JSON."""

_SHOWN_CHARACTERS = 40
_PERCENT = re.compile(r"(?P<whole>\d{1,3})(?:\.(?P<hundredths>\d{1,2}))?\s*%", re.ASCII)
_BASIS_POINTS = (
    f"must be a whole number of basis points from 0 to {FULL_ALLOCATION}, such as 1000 for 10 %, or a text "
    'such as "10 %"'
)
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)


class Strict(BaseModel):
    """No unknown fields, no change once made."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def storable(text: str) -> str:
    if "\x00" in text:
        raise ContractError(Code.NUL_CHARACTER, "must not contain the NUL character")
    return text


def _storable_object(value: dict[str, Any] | None) -> dict[str, Any] | None:
    if value is None:
        return None
    count_keys(value, "", texts=True)
    try:
        size = len(msgspec.json.encode(value))
    except UnicodeEncodeError:
        raise ContractError(
            Code.LONE_SURROGATE, "contains half of a surrogate pair, which is no character"
        ) from None
    if size > PAYLOAD_BYTES:
        raise ContractError(Code.TOO_LARGE, f"must hold at most {PAYLOAD_BYTES} bytes as JSON")
    return value


def _an_object(value: Any) -> Any:
    """A payload is an object; whoever writes a bare value is told how to wrap it."""
    if value is None or isinstance(value, dict):
        return value
    raise ContractError(Code.WRONG_TYPE, f'must be an object: write {{"value": {_shown(value)}}}')


def _shown(value: Any) -> str:
    """The value as JSON, cut where it is long."""
    text = msgspec.json.encode(value, enc_hook=str).decode(errors="replace")
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"


def _basis_points(value: Any) -> Any:
    """A share as a person writes it, `10 %`, in basis points. A fraction is refused: 0.1 may mean either."""
    if isinstance(value, str):
        percent = _PERCENT.fullmatch(value.strip())
        if percent is None:
            raise ContractError(Code.WRONG_TYPE, _BASIS_POINTS)
        whole, hundredths = percent["whole"], (percent["hundredths"] or "").ljust(2, "0")
        return int(whole + hundredths)
    if isinstance(value, float):
        raise ContractError(Code.WRONG_TYPE, _BASIS_POINTS)
    return value


def _written(value: Any) -> Any:
    """A number is no time: seconds or milliseconds, nobody can tell."""
    if not isinstance(value, str | datetime):
        raise ContractError(Code.INVALID_TIMESTAMP, "must be a text such as 2026-03-01T09:30:00Z")
    return value


def unique(values: list[str], field: str) -> None:
    """Raises ContractError where two are the same."""
    if len(set(values)) != len(values):
        raise ContractError(Code.DUPLICATE, "two are the same", field)


def describe_patch(example: dict[str, Any]) -> Callable[[dict[str, Any]], None]:
    """For `json_schema_extra`: what a patch leaves out stays, so nothing in its schema has a default."""

    def describe(schema: dict[str, Any]) -> None:
        for field in schema["properties"].values():
            field.pop("default", None)
        schema["examples"] = [example]

    return describe


Key = Annotated[
    str, StringConstraints(min_length=1, max_length=KEY_LENGTH, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
]
"""Of what has an address."""

PlainKey = Annotated[
    str,
    StringConstraints(min_length=1, max_length=KEY_LENGTH, pattern=r"^[^\x00-\x1f]+$"),
    AfterValidator(storable),
]
Text = Annotated[str, StringConstraints(max_length=2_000), AfterValidator(storable)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(storable)]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=2_000), AfterValidator(storable)]
Tag = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f,]+$")]
Tags = Annotated[list[Tag], Field(max_length=20)]
Salt = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._-]+$")]
Payload = Annotated[dict[str, Any] | None, BeforeValidator(_an_object), AfterValidator(_storable_object)]
BasisPoints = Annotated[
    int,
    Field(ge=0, le=FULL_ALLOCATION, strict=True),
    BeforeValidator(
        _basis_points,
        json_schema_input_type=Annotated[int, Field(ge=0, le=FULL_ALLOCATION)]
        | Annotated[str, Field(pattern=r"^\d{1,3}(\.\d{1,2})?\s*%$", examples=["10 %"])],
    ),
]
"""A share of traffic: 10000 is all of it."""
Flag = Annotated[bool, Field(strict=True)]
Fraction = Annotated[Decimal, Field(gt=0, lt=1, max_digits=7, decimal_places=6)]
Amount = Annotated[Decimal, Field(gt=0, max_digits=18, decimal_places=6)]
Instant = Annotated[AwareDatetime, Field(ge=_EARLIEST, le=_LATEST), BeforeValidator(_written)]
SearchText = Annotated[
    Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(storable)] | None,
    Query(description="Part of a key, a name or a description, in any case"),
]
