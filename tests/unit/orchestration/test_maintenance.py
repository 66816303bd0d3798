"""Retention: which partitions go, and what counts as left of an erased person."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from orchestration.defs.maintenance.erasures import Pending, Receipt, Verification, troubles
from orchestration.defs.maintenance.partitions import (
    Partition,
    expired,
    missing_days,
    months_before,
    parse,
)

DAY = timedelta(days=1)
TODAY = date(2026, 3, 15)


def test_bounds_are_read_as_postgresql_writes_them() -> None:
    expected = Partition("p", date(2026, 3, 1), date(2026, 3, 2))

    assert parse("p", "FOR VALUES FROM ('2026-03-01') TO ('2026-03-02')") == expected
    assert parse("p", "FOR VALUES FROM ('2026-03-01 00:00:00+00') TO ('2026-03-02 00:00:00+00')") == expected
    assert parse("p", "DEFAULT") is None


def test_only_partitions_that_lie_wholly_before_the_day_go() -> None:
    days = [Partition(str(day), TODAY + day * DAY, TODAY + (day + 1) * DAY) for day in (0, -2, -1)]
    month = Partition("month", date(2026, 2, 1), date(2026, 3, 1))

    assert [p.name for p in expired([*days, month], TODAY)] == ["month", "-2", "-1"]
    assert expired(days, TODAY - 2 * DAY) == []


def test_days_without_a_partition_are_named() -> None:
    month = Partition("month", date(2026, 3, 1), date(2026, 4, 1))

    assert missing_days([month], [date(2026, 3, 31), date(2026, 4, 1)]) == [date(2026, 4, 1)]


@given(st.dates(min_value=date(1990, 1, 1), max_value=date(2100, 1, 1)), st.integers(0, 400))
def test_so_many_months_before_is_a_first_day(today: date, months: int) -> None:
    found = months_before(today, months)

    assert found.day == 1
    assert (today.year - found.year) * 12 + today.month - found.month == months


def test_an_erasure_is_trouble_when_a_store_is_late_or_unreachable_and_not_while_it_waits() -> None:
    now = datetime(2026, 3, 15, tzinfo=UTC)
    found = Verification(
        checked=4,
        pending=[
            Receipt("waits", [Pending("topic", "retention", now + DAY)]),
            Receipt("depends", [Pending("clickhouse", "on its way", None)]),
            Receipt("late", [Pending("outbox", "retention", now - DAY)]),
            Receipt("stuck", problem="ClickHouse refuses"),
        ],
        unreachable=["valkey"],
    )

    assert troubles(found, now) == [
        "valkey could not be looked at",
        "erasure late: outbox still holds the person: retention",
        "erasure stuck: ClickHouse refuses",
    ]
