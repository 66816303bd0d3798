"""Which days of events ClickHouse keeps by its settings, and so may be repaired."""

from __future__ import annotations

from datetime import date

import pytest

from neonblue.republication.repair import first_day_kept
from neonblue.settings import RetentionSettings


@pytest.mark.parametrize(
    ("months", "first"),
    [(0, date.min), (2, date(2026, 1, 1)), (3, date(2025, 12, 1)), (15, date(2024, 12, 1))],
)
def test_whole_months_are_kept_and_all_where_none_is_set(months: int, first: date) -> None:
    assert first_day_kept(months, date(2026, 3, 17)) == first


def test_events_are_kept_for_ever_unless_their_keeper_says_how_long() -> None:
    retention = RetentionSettings()

    assert (retention.events_days, retention.analysis_months) == (0, 0)
