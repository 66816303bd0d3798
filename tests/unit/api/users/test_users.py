"""Attributes merged, ids kept or hashed."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from api.identity.identify import identifier, person_digest
from api.users.schemas import ATTRIBUTES_BYTES, AttributesIn
from api.users.service import merged

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text(max_size=3), VALUES, max_size=4)


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        # Of RFC 7396, appendix A, those between objects.
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_attributes_are_merged_as_the_standard_says(
    target: dict[str, object], patch: dict[str, object], result: dict[str, object]
) -> None:
    assert merged(target, patch) == result


@given(OBJECTS, OBJECTS)
def test_merging_the_same_twice_is_merging_once(target: dict[str, object], patch: dict[str, object]) -> None:
    once = merged(target, patch)
    assert merged(once, patch) == once


@given(st.text(max_size=50))
def test_without_a_key_ids_stay_and_with_one_they_are_their_hmac(user_id: str) -> None:
    assert identifier("")(user_id) == user_id
    assert identifier("k")(user_id) == hmac.new(b"k", user_id.encode(), hashlib.sha256).hexdigest()


def test_an_id_of_another_unit_type_has_another_digest() -> None:
    assert person_digest("user", "a") != person_digest("device", "a")
    assert person_digest("user", "a") == hashlib.sha256(b"user\x00a").digest()


@pytest.mark.parametrize(
    "attributes",
    [
        {"a": "x" * ATTRIBUTES_BYTES},
        {"a": "\x00"},
        {"\x00": 1},
        {"a": "\ud800"},
        {"\ud800": 1},
        {"a": 2**63},
        {"a": float("nan")},
        {"a": [[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]},
    ],
)
def test_attributes_that_no_store_can_hold_are_refused(attributes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        AttributesIn(attributes=attributes)
