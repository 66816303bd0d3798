"""What every JSON body is checked for before a call sees it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.http.json_rules import NESTING_DEPTH, check_json
from api.http.problems import Problem

leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
)
documents = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")), inner, max_size=4
        )
    ),
    max_leaves=20,
)


@given(documents, st.booleans())
def test_what_can_be_stored_goes_through(document: Any, escaped: bool) -> None:
    check_json(json.dumps(document, ensure_ascii=escaped).encode())


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        check_json(body)
    except Problem as problem:
        refused: Problem | None = problem
    else:
        refused = None
    assert refused is None or refused.status in (400, 422)


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        (b'{"a": [1, {"b": "x\\u0000"}]}', 422, "nul_character", "a.1.b"),
        (b'{"a": "\\ud800"}', 422, "lone_surrogate", "a"),
        (b'{"\\ud800": 1}', 422, "lone_surrogate", "\\ud800"),
        (b'{"a": 9223372036854775808}', 422, "value_out_of_range", "a"),
        (b'{"a": -9223372036854775809}', 422, "value_out_of_range", "a"),
        (b'{"a": -' + b"9" * 10_000 + b"}", 422, "value_out_of_range", "a"),
        (b'{"a": 1e999}', 422, "value_out_of_range", "a"),
        (b'{"a": 1, "a": 1}', 400, "duplicate_key", None),
        (b'{"a": Infinity}', 400, "not_json", None),
        (b"{", 400, "not_json", None),
        (b'"\xff"', 400, "not_utf8", None),
        (b"[" * (NESTING_DEPTH + 1) + b"]" * (NESTING_DEPTH + 1), 400, "too_deep", None),
        (b"[" * 500_000, 400, "too_deep", None),
    ],
)
def test_what_cannot_be_stored_is_refused_by_field_and_code(
    body: bytes, status: int, code: str, field: str | None
) -> None:
    with pytest.raises(Problem) as refused:
        check_json(body)
    assert (refused.value.status, refused.value.code, refused.value.field) == (status, code, field)
    json.loads(refused.value.body("r"))


def test_every_value_is_named_up_to_a_bound() -> None:
    body = json.dumps([2**64] * 50).encode()
    with pytest.raises(Problem) as refused:
        check_json(body)
    fields = [error["field"] for error in refused.value.members["errors"]]
    assert fields == [str(number) for number in range(20)]
