"""Of which hours the watch asks the units one by one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import example, given
from hypothesis import strategies as st

from orchestration.defs.guardrails.repository import doubtful_hours

START = datetime(2026, 3, 1, tzinfo=UTC)
moments = st.integers(0, 40 * 3600).map(lambda seconds: START + timedelta(seconds=seconds))


@given(
    now=moments,
    window=st.integers(1, 20 * 3600),
    cuts=st.lists(moments, max_size=3),
    entered=st.lists(moments, min_size=1, max_size=30),
)
@example(START + timedelta(hours=5), 3600, [START + timedelta(hours=2)], [START, START + timedelta(hours=1)])
def test_every_unit_counts_once_by_its_hour_or_by_itself_as_its_own_window_says(
    now: datetime, window: int, cuts: list[datetime], entered: list[datetime]
) -> None:
    """The rules of the statement: sums of whole hours, and units of the hours in doubt."""
    ends = timedelta(seconds=window)
    doubtful = doubtful_hours(now, window, cuts)
    assert doubtful == sorted(set(doubtful))
    assert len(doubtful) <= 1 + 2 * len(cuts)
    for first in entered:
        hour = first.replace(minute=0, second=0)
        finishes = hour + timedelta(hours=1) + ends
        by_hour = finishes <= now and not any(hour < cut < finishes for cut in cuts)
        counts = first + ends <= now and not any(first < cut < first + ends for cut in cuts)
        by_itself = hour in doubtful and counts

        assert not (by_hour and hour in doubtful)
        assert (by_hour or by_itself) == counts
