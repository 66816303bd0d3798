"""The macros give what the plugin gives."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.dashboards.expanding import View, promql, sql

END = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR = View(END - timedelta(hours=1), END, 600, {"experiment": "it's"})


def test_times_become_moments() -> None:
    assert sql("$__timeFilter(at)", HOUR) == "at >= toDateTime(1772449200) AND at <= toDateTime(1772452800)"
    assert sql("$__dateFilter(day)", HOUR) == "day >= toDate('2026-03-02') AND day <= toDate('2026-03-02')"
    assert sql("$__timeInterval(at)", HOUR) == "toStartOfInterval(toDateTime(at), INTERVAL 5 second)"


def test_a_value_is_quoted() -> None:
    assert sql("key = ${experiment:sqlstring}", HOUR) == "key = 'it''s'"


def test_a_rate_looks_at_four_scrapes_and_no_less_than_a_step() -> None:
    assert promql("rate(x[$__rate_interval])", HOUR) == "rate(x[40s])"
    month = View(END - timedelta(days=30), END)
    assert promql("rate(x[$__rate_interval])", month) == "rate(x[3610s])"


@pytest.mark.parametrize("text", ["$__timeGroup(at, 5m)", "$experiment", "${experiment}", "$__to"])
def test_what_is_not_known_is_not_passed_on(text: str) -> None:
    with pytest.raises(ValueError, match=r"\$"):
        sql(text, HOUR)
