"""What a variant's payload may be, and what is said of a bare value."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from api.fields import Payload

PAYLOAD: TypeAdapter[Any] = TypeAdapter(Payload)


@pytest.mark.parametrize("value", [None, {}, {"value": False}, {"colour": "green"}])
def test_an_object_or_none_is_taken(value: Any) -> None:
    assert PAYLOAD.validate_python(value) == value


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        (False, '{"value": false}'),
        (0, '{"value": 0}'),
        ("green", '{"value": "green"}'),
        ([1, 2], '{"value": [1,2]}'),
    ],
)
def test_a_bare_value_is_told_how_to_wrap_it(value: Any, hint: str) -> None:
    with pytest.raises(ValidationError) as refused:
        PAYLOAD.validate_python(value)
    assert refused.value.errors()[0]["ctx"]["error"].violation.message == f"must be an object: write {hint}"


def test_a_long_one_is_cut() -> None:
    with pytest.raises(ValidationError) as refused:
        PAYLOAD.validate_python("x" * 10_000)
    assert len(refused.value.errors()[0]["msg"]) < 100
