"""What may go: past its retention, announced all through the notice, and needed by no experiment."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from orchestration.defs.maintenance.letting_go import finished_months
from orchestration.defs.maintenance.retention import (
    LOOK_BACK,
    NOTICE,
    Announcement,
    Needed,
    limits,
    said_of,
)

DAY = timedelta(days=1)
NOW = datetime(2026, 3, 15, 2, 50, tzinfo=UTC)
PAST = date(2025, 2, 8)
EVERY_DAY = [
    Announcement(NOW - ago * DAY, PAST - ago * DAY + NOTICE) for ago in range(NOTICE.days + 5, -1, -1)
]


def test_day_by_day_what_is_past_goes_at_once() -> None:
    assert limits(PAST, [], EVERY_DAY, NOW).before == PAST


def test_nothing_goes_before_it_was_announced() -> None:
    first = Announcement(NOW - NOTICE + DAY, PAST)

    assert limits(PAST, [], [], NOW).before == date.min
    assert limits(PAST, [], [first], NOW).before == date.min
    assert limits(PAST, [], [first], NOW + DAY).before == PAST
    assert limits(PAST, [], [], NOW).on_notice


def test_a_setting_that_was_made_shorter_is_announced_anew() -> None:
    longer = [Announcement(one.made_at, one.before - 100 * DAY) for one in EVERY_DAY[:-3]]
    shorter = EVERY_DAY[-3:]

    assert limits(PAST, [], [*longer, *shorter], NOW).before == PAST - 100 * DAY
    kept_all = [*EVERY_DAY[:20], Announcement(NOW - 5 * DAY, date.min), *EVERY_DAY[-3:]]
    assert limits(PAST, [], kept_all, NOW).before == date.min


@given(st.lists(st.integers(-500, 500), max_size=4), st.integers(0, 60))
def test_no_day_goes_that_an_undecided_experiment_needs(since: list[int], told: int) -> None:
    needed = [Needed(f"e{n}", PAST + more * DAY) for n, more in enumerate(since)]

    found = limits(PAST, needed, [Announcement(NOW - told * DAY, PAST + NOTICE)], NOW)

    assert found.before <= PAST
    assert all(found.before <= one.since - LOOK_BACK for one in needed)
    assert (found.before == date.min) == (told < NOTICE.days)
    if told >= NOTICE.days and all(one.since - LOOK_BACK >= PAST for one in needed):
        assert found.before == PAST


def test_the_keeper_is_told_what_waits_and_for_whom() -> None:
    oldest = PAST - 200 * DAY
    old = Needed("checkout", PAST - 10 * DAY)

    assert said_of(limits(PAST, [], EVERY_DAY, NOW), "events", "S", PAST) == []
    assert said_of(limits(PAST, [], EVERY_DAY, NOW), "events", "S", None) == []
    (waits,) = said_of(limits(PAST, [], [], NOW), "events of the days", "S", oldest)
    assert "S=0" in waits
    assert str(oldest) in waits
    assert "30 days" in waits
    (held,) = said_of(limits(PAST, [old], EVERY_DAY, NOW), "events", "S", PAST - 100 * DAY)
    assert "checkout is not decided" in held
    assert len(said_of(limits(PAST, [old], [], NOW), "events", "S", oldest)) == 2


def test_a_month_goes_when_it_is_over_and_nothing_of_it_came_since() -> None:
    then, since = datetime(2024, 3, 1, tzinfo=UTC), datetime(2025, 6, 1, tzinfo=UTC)
    months = {date(2024, 1, 1): then, date(2024, 2, 1): since, date(2024, 12, 1): then}

    assert finished_months(months, date(2025, 1, 1), date(2025, 2, 1)) == [
        date(2024, 1, 1),
        date(2024, 12, 1),
    ]
    assert finished_months(months, date(2024, 12, 31), date(2025, 2, 1)) == [date(2024, 1, 1)]
    assert finished_months(months, date(2025, 1, 1), date(2025, 6, 2)) == [*months]
