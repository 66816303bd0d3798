"""Times in the ways that people and programs write them."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neonblue.tables.errors import CellError
from neonblue.tables.times import moment

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "cell",
    [
        *(
            "2025-07-01T12:00:00Z",
            "2025-07-01 12:00:00",
            "2025-07-01T14:00:00+02:00",
            "2025-07-01 12:00:00 UTC",
        ),
        *(
            "2025-07-01 14:00:00 +0200",
            "2025/07/01 12:00",
            "2025/7/1 12:00:00",
            "2025-07-01T12:00:00.000000Z",
        ),
        *("1751371200", "1751371200.0", "1751371200000", "1751371200000000", "1751371200000000000"),
    ],
)
def test_times_in_several_forms_are_one_moment(cell: str) -> None:
    assert moment(cell, NOW) == datetime(2025, 7, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("cell", ["2025-07-01", "2025/07/01", "20250701", "2025-07-01 UTC"])
def test_a_date_is_its_midnight_in_utc(cell: str) -> None:
    assert moment(cell, NOW) == datetime(2025, 7, 1, tzinfo=UTC)


def test_thirteen_digits_are_milliseconds() -> None:
    assert moment("1612010112345", NOW) == datetime(2021, 1, 30, 12, 35, 12, 345000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("", "no time (the cell is blank)"),
        ("NaT", "no time"),
        ("yesterday", "is not a time such as"),
        ("45839.07", "Excel's number of a day (2025-07-01)"),
        ("2025", "looks like a year"),
        ("0", "is no time"),
        ("1.75E+09", "a spreadsheet has shortened"),
        ("1e30", "is no time"),
        ("9" * 30, "is no time"),
        ("03/04/2025", "which is the day, which the month?"),
        ("25.12.2025", "which is the day, which the month?"),
        ("2025-02-30", "is not a time"),
        ("1612-01-01", "lies before 1970"),
        ("0001-01-01T00:00:00+05:00", "is not a time"),
        ("9999-12-31", "lies ahead"),
        ("2026-03-01T00:10:00Z", "lies ahead"),
    ],
)
def test_what_is_no_time_says_why(cell: str, words: str) -> None:
    with pytest.raises(CellError) as caught:
        moment(cell, NOW)

    assert words in str(caught.value)


@given(st.integers(0, 26 * 365 * 24 * 3600 * 1_000_000))
def test_any_scale_of_unix_time_is_told_by_its_size(since_2000: int) -> None:
    exact = datetime(2000, 1, 2, tzinfo=UTC) + timedelta(microseconds=since_2000)
    microseconds = (exact - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)

    assert moment(str(microseconds), NOW) == exact
    assert moment(str(microseconds // 1_000), NOW) == exact - timedelta(
        microseconds=exact.microsecond % 1_000
    )
    assert moment(str(microseconds // 1_000_000), NOW) == exact.replace(microsecond=0)


@given(st.text())
def test_any_cell_is_a_time_or_refused(cell: str) -> None:
    with suppress(CellError):
        assert moment(cell, NOW) <= NOW + timedelta(minutes=5)
