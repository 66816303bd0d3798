"""A plain body read the short way says what it says the long way."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neonblue.contract.assignments import assignment_decoder
from neonblue.contract.violation import ContractError

DECODER = assignment_decoder()
PLAIN = b'{"experiment":"e","user_id":"u"}'

names = st.sampled_from(
    ["user_id", "experiment", "unit_type", "expose", "attributes", "variant_key", "other"]
)
texts = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(
    ['"', "\\", "a: b", '":', '" ', "u"]
)
values = texts | st.booleans() | st.none() | st.integers() | st.dictionaries(texts, texts, max_size=2)
members = st.lists(st.tuples(names, values), max_size=5)
separators = st.sampled_from([(",", ":"), (", ", ": "), (",", " :"), (",\n", ":")])


def written(pairs: list[tuple[str, object]], between: tuple[str, str], ascii_only: bool) -> bytes:
    """A JSON object that may name a key twice."""
    comma, colon = between
    parts = [f"{json.dumps(k)}{colon}{json.dumps(v, ensure_ascii=ascii_only)}" for k, v in pairs]
    return b"{" + comma.join(parts).encode() + b"}"


@given(st.builds(written, members, separators, st.booleans()) | st.binary(max_size=40))
def test_what_is_read_the_short_way_is_what_the_long_way_reads(body: bytes) -> None:
    item = DECODER.decode_plain(body)

    if item is not None:
        decoded = DECODER.decode(body)
        assert decoded.single
        assert decoded.items == [item]


@pytest.mark.parametrize("body", [PLAIN, b'{"user_id": "u", "experiment": "e"}', '{"user_id":"é"}'.encode()])
def test_what_clients_send_is_plain(body: bytes) -> None:
    assert DECODER.decode_plain(body) == DECODER.decode(body).items[0]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"[" + PLAIN + b"]",
        b'{"user_id":"u","user_id":"v"}',
        b'{"user_id":"u","user_id" :"v","experiment":"e"}',
        b'{"user_id":"u","other":1}',
        b'{"user_id":1}',
        b'{"user_id":"u"',
        b'{"user_id":"\xff"}',
        b'{"user_id":"\\u0000"}',
        b'{"user_id":"u","attributes":' + b"[" * 5_000 + b"]" * 5_000 + b"}",
    ],
)
def test_what_has_a_fault_is_left_to_the_long_way(body: bytes) -> None:
    assert DECODER.decode_plain(body) is None


def test_the_long_way_refuses_an_empty_body() -> None:
    with pytest.raises(ContractError):
        DECODER.decode(b" ")
