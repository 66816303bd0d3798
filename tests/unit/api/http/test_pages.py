"""Cursors name a place in a list, and only those that were given out."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.http.pages import cut, read_cursor, write_cursor
from api.http.problems import Problem


@given(st.integers(0, 2**63 - 1))
def test_a_cursor_is_read_as_it_was_written(last: int) -> None:
    assert read_cursor(write_cursor(last)) == last


@given(st.text(min_size=1, max_size=64))
def test_a_made_up_cursor_is_refused(text: str) -> None:
    with suppress(Problem):
        assert write_cursor(read_cursor(text) or 0) == text


@pytest.mark.parametrize("last", [-1, 2**63])
def test_a_cursor_beyond_all_ids_is_refused(last: int) -> None:
    with pytest.raises(Problem):
        read_cursor(write_cursor(last))


@given(st.lists(st.integers(1, 10**6), max_size=60, unique=True), st.integers(1, 20))
def test_the_pages_hold_every_row_once(rows: list[int], limit: int) -> None:
    rows.sort()
    seen: list[int] = []
    cursor: str | None = None
    while True:
        last = read_cursor(cursor) or 0
        page, cursor = cut([row for row in rows if row > last][: limit + 1], limit, key=lambda row: row)
        assert len(page) <= limit
        seen += page
        if cursor is None:
            break
    assert seen == rows
