"""The CSRF token of a session: as it is, or as a page masks it, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.access.sessions import Session
from api.http.problems import Problem

SESSION = Session(b"digest", "kq7Yd0Zb_-3Xk2", 0.0)


def passes(given_: str | None) -> bool:
    try:
        SESSION.check_csrf(given_, 1)
    except Problem as problem:
        return (problem.status, problem.code) != (403, "csrf")
    return True


def test_each_page_has_another_text_and_each_is_accepted() -> None:
    masked = {SESSION.masked_csrf() for _ in range(50)}
    assert len(masked) == 50
    assert all(passes(text) for text in (*masked, SESSION.csrf_token))
    assert not any(SESSION.csrf_token in text for text in masked)


@given(st.text(max_size=80) | st.binary(max_size=60).map(lambda raw: raw.hex()))
def test_nothing_else_is(text: str) -> None:
    assert not passes(text)


@pytest.mark.parametrize(
    "text", [None, "", "=", "A", "é", "\ud800", SESSION.csrf_token[:-1], SESSION.csrf_token + "x"]
)
def test_what_is_no_token_is_refused(text: str | None) -> None:
    assert not passes(text)


@given(st.integers(0, 200), st.integers(1, 255))
def test_a_masked_token_that_was_touched_is_refused(place: int, change: int) -> None:
    masked = SESSION.masked_csrf()
    place %= len(masked) - 1  # the last character has bits that say nothing
    touched = masked[:place] + chr((ord(masked[place]) + change) % 128) + masked[place + 1 :]
    assert touched == masked or not passes(touched)
