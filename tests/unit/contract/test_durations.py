"""Durations: what is read, what is refused, and that a text written is read as the same."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neonblue.contract.durations import format_duration, read_duration


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("P1D", timedelta(days=1)),
        ("P2W", timedelta(weeks=2)),
        ("P1W2D", timedelta(days=9)),
        ("PT36H", timedelta(hours=36)),
        ("PT90M", timedelta(minutes=90)),
        ("PT5S", timedelta(seconds=5)),
        ("P1DT2H3M4S", timedelta(days=1, hours=2, minutes=3, seconds=4)),
        ("PT0S", timedelta(0)),
    ],
)
def test_a_duration_is_read(text: str, expected: timedelta) -> None:
    assert read_duration(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "", "P", "PT", "P1DT", "1D", "P1M", "P1Y", "P-1D", "-P1D", "P1.5D", "PT1,5H", "p1d", "P1D ", "P1D\n",
        "PT1M1H", "P99999D", "P\u0661D",
    ],
)  # fmt: skip
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be a duration such as P1D"):
        read_duration(text)


@given(st.integers(0, 10**8))
def test_what_is_written_is_read_as_the_same(seconds: int) -> None:
    duration = timedelta(seconds=seconds)

    assert read_duration(format_duration(duration)) == duration


@pytest.mark.parametrize(("text", "written"), [("PT24H", "P1D"), ("P1W", "P7D"), ("PT90M", "PT1H30M")])
def test_one_duration_has_one_text(text: str, written: str) -> None:
    assert format_duration(read_duration(text)) == written
