"""Ready to start? Each item's rule, over what was found."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api.checklist.before import (
    Beside,
    Size,
    asked_item,
    beside_item,
    events_item,
    guardrail_item,
    metrics_item,
    size_item,
    sources_of,
)
from api.experiments.readiness import Grade
from neonblue.contract.messages import DenominatorMessage, MetricMessage
from neonblue.results.traffic import Arrived, Seen, Source

AT = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
STEADY = Seen(tuple(1_000 + 100 * day for day in range(14)), 14)
"""A thousand units a day, a tenth of them new."""
SAME = Seen((1_000,) * 14, 14)
"""The same thousand units each day."""


def metric(key: str = "bought", **fields: Any) -> MetricMessage:
    return MetricMessage(key=key, type="proportion", event_type="purchase", aggregation="any", **fields)


def size(planned_units: int | None = None, **fields: Any) -> Size:
    given: dict[str, Any] = {
        "planned_days": None,
        "starts_at": AT,
        "stops_at": None,
        "entering": 1.0,
        "meant": 1.0,
    }
    return Size(planned_units, **(given | fields))


@pytest.mark.parametrize(
    ("roles", "metrics_grade", "guardrail_grade"),
    [
        ((), Grade.WARNING, Grade.WARNING),
        (("secondary",), Grade.WARNING, Grade.WARNING),
        (("guardrail",), Grade.WARNING, Grade.OK),
        (("primary",), Grade.OK, Grade.WARNING),
        (("primary", "guardrail"), Grade.OK, Grade.OK),
    ],
)
def test_there_is_something_to_decide_by_and_something_that_may_not_get_worse(
    roles: tuple[str, ...], metrics_grade: Grade, guardrail_grade: Grade
) -> None:
    metrics = [metric(role, role=role) for role in roles]

    assert metrics_item(metrics).status is metrics_grade
    assert guardrail_item(metrics).status is guardrail_grade


RATIO = metric(
    "rate",
    property_filter={"shop": "de", "app": "ios"},
    denominator=DenominatorMessage(event_type="visit", aggregation="count"),
)
OF_RATIO = (Source("purchase", (("app", "ios"), ("shop", "de"))), Source("visit"))


def test_a_ratio_needs_the_events_of_both_its_parts() -> None:
    assert sources_of(RATIO) == list(OF_RATIO)
    assert sources_of(metric()) == [Source("purchase")]


@pytest.mark.parametrize(
    ("events", "silent"),
    [
        ({Source("purchase"): 3, OF_RATIO[0]: 2, OF_RATIO[1]: 1}, ()),
        ({Source("purchase"): 3, OF_RATIO[0]: 2}, ("rate",)),
        ({Source("purchase"): 3, OF_RATIO[1]: 2}, ("rate",)),
        ({OF_RATIO[0]: 1, OF_RATIO[1]: 2}, ("bought",)),
        ({}, ("bought", "rate")),
    ],
)
def test_a_metric_without_events_is_named(events: dict[Source, int], silent: tuple[str, ...]) -> None:
    arrived = {source: Arrived(count, AT) for source, count in events.items()}

    item = events_item([metric(), RATIO], "user", arrived)

    assert item is not None
    assert item.status is (Grade.WARNING if silent else Grade.OK)
    assert tuple(key for key, count in item.evidence["events"].items() if not count) == silent
    assert all(key in item.headline for key in silent)


def test_without_an_answer_nothing_is_claimed_of_events_and_of_the_size() -> None:
    for item in (events_item([metric()], "user", None), size_item(size(1_000), None)):
        assert item is not None
        assert (item.status, item.evidence) == (Grade.WARNING, {"known": False})
        assert item.headline.startswith("It is not known whether")
        assert "2 seconds" in (item.cause or "")


def test_without_metrics_there_is_nothing_to_say_of_events() -> None:
    assert events_item([], "user", None) is None


@pytest.mark.parametrize(
    ("planned", "seen", "days", "grade"),
    [
        (size(1_000), STEADY, 1, Grade.OK),
        (size(1_001), STEADY, 2, Grade.OK),
        (size(2_300), STEADY, 14, Grade.OK),
        # Beyond what was seen by the new units of a day, a hundred.
        (size(2_301), STEADY, 15, Grade.OK),
        (size(3_300), STEADY, 24, Grade.OK),
        (size(650, entering=0.5), STEADY, 4, Grade.OK),
        (size(65, entering=0.5, meant=0.1), STEADY, 4, Grade.OK),
        (size(3_300, planned_days=24), STEADY, 24, Grade.OK),
        (size(3_300, planned_days=23), STEADY, 24, Grade.WARNING),
        (size(3_300, stops_at=AT + 24 * DAY), STEADY, 24, Grade.OK),
        (size(3_300, stops_at=AT + 23 * DAY), STEADY, 24, Grade.WARNING),
        (size(1_000), SAME, 1, Grade.OK),
        (size(1_001), SAME, None, Grade.WARNING),
        (size(10, entering=0.0), STEADY, None, Grade.WARNING),
        (size(10, meant=0.0), STEADY, None, Grade.WARNING),
    ],
)
def test_the_planned_size_is_reached_by_the_units_that_come_anew(
    planned: Size, seen: Seen, days: int | None, grade: Grade
) -> None:
    item = size_item(planned, seen)

    assert (item.status, item.evidence.get("days")) == (grade, days)
    if days is not None:
        assert item.evidence["reached_at"] == (AT + days * DAY).date().isoformat()


@pytest.mark.parametrize(
    ("planned", "seen", "grade"),
    [
        (size(), STEADY, Grade.OK),
        (size(), Seen((0,) * 14, 0), Grade.WARNING),
        (size(10), Seen((0,) * 14, 0), Grade.WARNING),
    ],
)
def test_without_a_plan_or_traffic_no_date_is_named(planned: Size, seen: Seen, grade: Grade) -> None:
    item = size_item(planned, seen)

    assert item.status is grade
    assert "reached_at" not in item.evidence


def test_targeting_that_is_not_known_is_told_beside_the_date() -> None:
    assert "targeting" in size_item(size(100, meant=None), STEADY).evidence
    assert "targeting" not in size_item(size(100), STEADY).evidence


@pytest.mark.parametrize(
    ("others", "grade"),
    [
        ([], Grade.OK),
        ([Beside("a", release=False, same_salt=False), Beside("b", release=True, same_salt=False)], Grade.OK),
        ([Beside("a", release=False, same_salt=True)], Grade.WARNING),
    ],
)
def test_who_shares_its_units_is_named_and_an_equal_division_is_warned_of(
    others: list[Beside], grade: Grade
) -> None:
    item = beside_item(others)

    assert item.status is grade
    assert item.evidence["count"] == len(others)
    assert item.evidence["experiments"] == [other.key for other in others if not other.release]
    assert item.evidence["releases"] == [other.key for other in others if other.release]


def test_a_key_that_nobody_asks_for_is_a_warning() -> None:
    silent, once = asked_item(0, None), asked_item(1, datetime(2026, 3, 1, tzinfo=UTC))

    assert (silent.status, once.status) == (Grade.WARNING, Grade.OK)
    assert silent.evidence == {"evaluations": 0, "last_asked_at": None}
    assert "once" in once.headline
    assert asked_item(1_234, None).headline == "The key was asked for 1,234 times in the last 7 days"
