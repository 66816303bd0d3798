"""Days that PostgreSQL keeps, with those between that retention let go."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from neonblue.reconciliation.kept import KeptDays

FIRST = date(2026, 1, 1)
DAY = timedelta(days=1)


@given(st.sets(st.integers(0, 60), min_size=1), st.integers(-5, 70))
def test_a_day_is_kept_where_a_partition_holds_it_or_all_before_it_are_over(
    days: set[int], asked: int
) -> None:
    kept = KeptDays.of((FIRST + day * DAY, FIRST + (day + 1) * DAY) for day in days)

    assert (FIRST + asked * DAY in kept) == (asked in days or asked > max(days))
    assert len(kept.spans) == sum(day + 1 not in days for day in days)


def test_a_day_that_was_dropped_and_is_there_again_is_not_kept() -> None:
    kept = KeptDays.of([(FIRST, FIRST + DAY), (FIRST + DAY, FIRST + 2 * DAY)], {FIRST})

    assert FIRST not in kept
    assert FIRST + DAY in kept


def test_without_a_partition_no_day_is_kept() -> None:
    assert FIRST not in KeptDays.of([])
