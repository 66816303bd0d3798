"""What a million takes, by what fewer took, and what so many a day need."""

from __future__ import annotations

import pytest

from neonblue.bench.sizing import Cost, SizingReport, Taken, capacity, cost, need
from neonblue.settings import Settings

BEFORE = Taken({"events": 100, "audit_log": 8}, {"events_processed": 50}, 10, 1_000, {"kafka": 2.0})
AFTER = Taken(
    {"events": 2_100, "audit_log": 9, "outbox_events": 4_000},
    {"events_processed": 350},
    1_010,
    6_000,
    {"kafka": 2.5},
)


def test_a_million_takes_what_ten_took_a_hundred_thousand_times() -> None:
    of = cost(BEFORE, AFTER, 10)

    assert of == Cost(
        {"events": 200e6, "outbox_events": 400e6},
        {"events_processed": 30e6},
        100e6,
        500e6,
        {"kafka": 50_000.0},
    )


def test_a_topic_that_is_not_here_takes_nothing_that_is_known() -> None:
    elsewhere = Taken({}, {}, None, 0, {})

    assert cost(elsewhere, elsewhere, 10).topic is None


def test_what_is_kept_for_days_stands_and_what_is_kept_for_ever_grows() -> None:
    report = SizingReport(
        of_events=Cost(
            {"events": 200.0, "outbox_events": 10.0},
            {"events_processed": 30.0, "recent_events": 1.0},
            5.0,
            0.0,
            {"api": 43.2},
        )
    )

    found = need(report, Settings(), 2_000_000)

    assert found.grows == 460
    assert found.stands == 2 * (7 * 10 + 7 * 5 + 9 * 1)
    assert found.processors == pytest.approx(0.001)


def test_the_topic_takes_no_more_than_its_limit() -> None:
    settings = Settings()
    report = SizingReport(of_events=Cost({}, {}, 1e12, 0.0, {}))

    assert need(report, settings, 1_000_000).stands == settings.kafka.retention_gigabytes * 1e9


@pytest.mark.parametrize(
    ("processors", "rate", "limit"), [(2, 10_000, "processors"), (16, 20_000, "connect")]
)
def test_a_machine_is_short_of_processors_or_of_one_for_its_busiest_service(
    processors: int, rate: float, limit: str
) -> None:
    kept = Cost(
        {"events": 400e6},
        {"events_processed": 100e6},
        None,
        0.0,
        {"connect": 50.0, "api": 30.0, "kafka": 20.0},
    )

    found = capacity(SizingReport(of_events=kept), Settings(), processors, 1e12)

    assert (found.rate, found.limit) == (rate, limit)
    assert found.days == pytest.approx(0.75e12 / (rate / 10 * 86_400 * 500))
