"""A unit's value from its raw events: the same definitions as the models', without SQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from neonblue.analysis.windows import Standstill
from neonblue.contract.messages import MetricMessage
from orchestration.defs.significance.recompute import RawEvent, can_compare, can_recompute, unit_value

START = datetime(2026, 3, 1, tzinfo=UTC)


def metric(**fields: Any) -> MetricMessage:
    return MetricMessage(
        **{"key": "m", "type": "mean", "event_type": "purchase", "aggregation": "sum", **fields}
    )


def event(name: str, kind: str = "purchase", seconds: float = 1, **fields: Any) -> RawEvent:
    neutral: dict[str, Any] = {"experiment_id": 0, "value": Decimal(0), "properties": ""}
    at = START + timedelta(seconds=seconds)
    return RawEvent(
        event_id=name, event_type=kind, occurred_at=at, **({"received_at": at} | neutral | fields)
    )


EXPOSURE = event("e", "exposure", 0, experiment_id=1)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"aggregation": "any"}, 1),
        ({"aggregation": "count"}, 3),
        ({}, Decimal("12.5")),
        ({"cap": "7.25"}, Decimal("7.25")),
        ({"window_seconds": 5}, Decimal("2.5")),
        ({"window_start_seconds": 5}, Decimal(10)),
        ({"property_filter": {"device": "mobile", "build": "7"}}, Decimal(8)),
        ({"event_type": "refund"}, 0),
    ],
)
def test_a_value_counts_each_event_once_within_its_window(fields: dict[str, Any], expected: Any) -> None:
    first = event("a", seconds=0, value=Decimal("2.5"))
    events = [
        EXPOSURE,
        first,
        first,
        event("b", seconds=5, value=Decimal(8), properties='{"device": "mobile", "build": 7}'),
        event("c", seconds=9, value=Decimal(2), experiment_id=1, properties='{"device": "mobile"}'),
        event("before", seconds=-1, value=Decimal(50)),
        event("elsewhere", seconds=3, value=Decimal(50), experiment_id=2),
    ]

    assert unit_value(metric(**fields), 1, events, None) == expected


def test_a_unit_without_an_exposure_has_no_value_unless_all_assigned_are_analysed() -> None:
    events = [event("a", value=Decimal(3))]

    assert unit_value(metric(), 1, events, None) is None
    assert unit_value(metric(), 1, events, START) == 3
    assert unit_value(metric(), 1, events, START + timedelta(seconds=2)) == 0


def test_an_exposure_while_the_experiment_is_stopped_is_none() -> None:
    """The next one is, after it goes on; and one that is stamped ahead was met by the time at which it came."""
    stopped = [Standstill(START, START + timedelta(seconds=5)), Standstill(START + timedelta(seconds=20))]
    bought = event("a", seconds=6, value=Decimal(3))

    assert unit_value(metric(), 1, [EXPOSURE, bought], None, stopped) is None
    for seconds, expected in ((4.9, None), (5, 3), (19, 0), (20, None)):
        again = event("again", "exposure", seconds, experiment_id=1)
        assert unit_value(metric(), 1, [EXPOSURE, bought, again], None, stopped) == expected, seconds
    ahead = event("e", "exposure", 3, experiment_id=1, received_at=START - timedelta(seconds=1))
    assert unit_value(metric(), 1, [ahead, bought], None, stopped) == 3


def test_a_cap_over_all_units_cannot_be_seen_in_one() -> None:
    assert can_recompute(metric(cap="1"))
    assert not can_recompute(metric(cap_percentile="0.99"))


def test_the_same_id_on_two_days_is_two_events() -> None:
    events = [EXPOSURE, *(event("a", seconds=86_400 * day, value=Decimal(3)) for day in (1, 2, 2))]

    assert unit_value(metric(), 1, events, None) == 6


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ("", True),
        ('{"other": [1]}', True),
        ('{"plan": "1.0"}', True),
        ('{"plan": 7}', True),
        ('{"plan": false}', True),
        ('{"plan": null}', True),
        ('{"plan": 1.0}', False),
        ('{"plan": [1]}', False),
        ('{"plan": {}}', False),
    ],
)
def test_only_what_reads_alike_everywhere_is_compared(properties: str, expected: bool) -> None:
    filtered = metric(property_filter={"plan": "[1]"})

    assert can_compare(filtered, [EXPOSURE, event("a", properties=properties)]) is expected
    assert can_compare(metric(), [event("a", properties=properties)])
