"""How many units came lately, and by when so many more will have come."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neonblue.results.traffic import SEEN_DAYS, Seen, seen_of

NOW = datetime(2026, 3, 15, tzinfo=UTC)


def seen(*by_day: int, days: int = SEEN_DAYS) -> Seen:
    return Seen(tuple(accumulate((*by_day, *(0,) * (SEEN_DAYS - len(by_day))))), days)


def test_units_are_counted_back_from_their_last_event() -> None:
    first = (NOW - timedelta(days=3, hours=1)).replace(tzinfo=None)
    found = seen_of([(0, 500, first), (1, 40, first), (3, 10, first)], NOW)

    assert found.within == (500, 540, 540, *(550,) * (SEEN_DAYS - 3))
    assert (found.days, found.units) == (4, 550)


def test_where_nothing_came_nothing_is_expected() -> None:
    found = seen_of([], NOW)

    assert (found.units, found.days, found.days_until(1)) == (0, 0, None)


@pytest.mark.parametrize(
    ("found", "units", "days"),
    [
        (seen(100, days=1), 100, 1),
        # Of one day alone it is not known who comes again: as if all were new.
        (seen(100, days=1), 101, 2),
        (seen(100, 50, days=2), 150, 2),
        (seen(100, 50, days=2), 151, 3),
        (seen(100, 50, days=2), 200, 3),
        (seen(100, 50, days=2), 201, 4),
        (seen(100, days=14), 101, None),
    ],
)
def test_more_units_come_as_those_that_came_anew(found: Seen, units: int, days: int | None) -> None:
    assert found.days_until(units) == days


@given(
    st.lists(st.integers(0, 50), min_size=SEEN_DAYS, max_size=SEEN_DAYS),
    st.integers(1, SEEN_DAYS),
    st.integers(1, 5_000),
    st.integers(0, 5_000),
)
def test_more_units_take_no_less_time(by_day: list[int], days: int, units: int, more: int) -> None:
    found = seen(*by_day[:days], days=days)

    fewer, many = found.days_until(units), found.days_until(units + more)

    assert many is None or (fewer is not None and 1 <= fewer <= many)
