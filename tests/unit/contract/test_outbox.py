"""Packing messages into rows loses none, keeps their order, and respects the limit."""

from __future__ import annotations

import json
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from neonblue.contract.outbox import EVENTS, Message, pack

messages = st.lists(st.integers(0, 300), max_size=30).map(
    lambda sizes: [
        Message(str(n), json.dumps({"n": n, "x": "x" * size}).encode()) for n, size in enumerate(sizes)
    ]
)


def _content(payload: bytes) -> list[int]:
    read = json.loads(payload)
    return [item["n"] for item in (read if isinstance(read, list) else [read])]


@given(messages, st.integers(40, 700))
def test_every_message_is_in_exactly_one_row_in_order(given_messages: list[Message], limit: int) -> None:
    rows = list(pack(EVENTS, given_messages, row_bytes=limit))
    assert [n for row in rows for n in _content(row.payload)] == list(range(len(given_messages)))
    for row in rows:
        content = _content(row.payload)
        assert len(row.payload) <= limit or len(content) == 1
        assert row.aggregate_id == str(content[0])


@given(messages)
def test_a_lone_message_is_an_object_and_several_are_an_array(given_messages: list[Message]) -> None:
    for row in pack(EVENTS, given_messages, row_bytes=400):
        several = isinstance(json.loads(row.payload), list)
        names = ("event_batch", "EVENTS_CREATED") if several else ("event", "EVENT_CREATED")
        assert (row.aggregate_type, row.event_type) == names


@given(messages)
def test_without_batches_each_message_has_its_row(given_messages: list[Message]) -> None:
    rows = list(pack(EVENTS, given_messages, batch=False))
    assert [row.payload for row in rows] == [message.payload for message in given_messages]
    assert all(row.event_type == "EVENT_CREATED" for row in rows)


@given(st.lists(st.just(100), min_size=2, max_size=30), st.integers(250, 800))
def test_rows_are_filled(sizes: list[int], limit: int) -> None:
    """No two neighbours would have fitted into one row."""
    given_messages = [Message(str(n), b"x" * size) for n, size in enumerate(sizes)]
    rows = list(pack(EVENTS, given_messages, row_bytes=limit))
    for row, following in pairwise(rows):
        assert len(row.payload) + 1 + len(following.payload.split(b",")[0].strip(b"[]")) > limit - 2
