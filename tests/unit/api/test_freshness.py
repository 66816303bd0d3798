"""How long the oldest position that is not published yet has been there."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from api.freshness import LONGEST, Freshness


def test_what_is_confirmed_has_no_age() -> None:
    freshness = Freshness()
    assert freshness.note(0, 100, 50) == 0
    assert freshness.note(5, 200, 100) == 0
    assert freshness.note(7, 200, 200) == 0


def test_the_age_is_that_of_the_oldest_position_that_waits() -> None:
    freshness = Freshness()
    freshness.note(0, 100, 0)
    freshness.note(10, 200, 0)
    assert freshness.note(20, 300, 0) == 20
    assert freshness.note(25, 300, 100) == 15
    assert freshness.note(26, 300, 299) == 6


def test_an_idle_database_grows_older_only_from_the_position_that_waits() -> None:
    freshness = Freshness()
    for second in range(60):
        freshness.note(second, 100, 100)
    freshness.note(60, 101, 100)
    assert freshness.note(63, 101, 100) == 3


def test_without_any_confirmation_the_age_counts_from_the_first_look() -> None:
    freshness = Freshness()
    freshness.note(3, 100, None)
    assert freshness.note(40, 100, None) == 37


def test_a_server_whose_log_begins_anew_is_looked_at_anew() -> None:
    freshness = Freshness()
    freshness.note(0, 1_000, 0)
    freshness.note(50, 10, 0)
    assert freshness.note(52, 11, 0) == 2


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=3 * LONGEST))
def test_however_long_it_lasts_the_age_is_exact_and_memory_bounded(steps: list[tuple[int, int]]) -> None:
    freshness, now, end = Freshness(), 0, 100
    freshness.note(0, end, 0)
    for seconds, written in steps:
        now, end = now + seconds, end + written
        assert freshness.note(now, end, 0) == now
        assert len(freshness._samples) <= LONGEST
