"""The checklist over what ClickHouse has: events of metrics, units seen, events that were sent twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from neonblue.results.traffic import read_seen
from tests.integration.results import history
from tests.integration.results.conftest import House

UNITS = 40
NOW = datetime.now(UTC)
FILTERED = {
    "key": "bought_here",
    "type": "proportion",
    "event_type": "purchase",
    "aggregation": "any",
    "property_filter": {"shop": "here"},
}


@pytest.fixture(scope="module")
def busy(empty_house: House) -> House:
    """Units of the type device that bought elsewhere, each seen on another of the last days; one event is doubled."""
    events = [
        {
            "id": str(uuid4()),
            "user_id": f"device-{unit}",
            "unit_type": "device",
            "event_type": "purchase",
            "timestamp": (NOW - timedelta(days=unit % 4, minutes=1)).isoformat(),
            "properties": {"shop": "elsewhere"},
        }
        for unit in range(UNITS)
    ]
    again = [events[0] | {"id": str(uuid4())}]
    # The times are those of other clocks, whatever the clock of who sends them.
    empty_house.send("/v1/events", events + again, **{"Sent-At": "1999-12-31T23:59:59Z"})
    for key, status in (("waiting", "draft"), ("running", "running")):
        empty_house.create(
            key,
            source="internal",
            unit_type="device",
            allocation=5_000,
            planned_units=10,
            metrics=[*history.METRICS[:1], FILTERED],
        )
        if status == "running":
            empty_house.api.post(f"/v1/experiments/{key}/start").raise_for_status()
    empty_house.carry()
    return empty_house


def items(house: House, key: str) -> dict[str, dict[str, Any]]:
    return {item["code"]: item for item in house.get(f"{key}/checklist")["items"]}


def test_each_metric_is_told_how_many_of_its_events_came(busy: House) -> None:
    item = items(busy, "waiting")["metric_events"]

    assert item["status"] == "warning"
    assert item["evidence"]["events"] == {"bought": UNITS + 1, "bought_here": 0}


def test_the_planned_size_is_reached_by_the_units_seen(busy: House) -> None:
    item = items(busy, "waiting")["planned_size"]

    # Ten units seen on each of four days, of which half enter: ten are reached on the second.
    assert (item["status"], item["evidence"]["days"]) == ("ok", 2)
    assert item["evidence"]["units_seen"] == UNITS
    assert item["evidence"]["days_seen"] == 4
    assert item["evidence"]["share"] == 0.5
    seen = read_seen(busy.clickhouse, "device")
    assert seen.within[:4] == (10, 20, 30, 40)
    assert read_seen(busy.clickhouse, "user").units == 0


def test_the_doctor_counts_events_under_new_ids_and_says_why_the_rest_is_not_known(busy: House) -> None:
    found = items(busy, "running")

    assert found["repeats"]["evidence"] == {"events": UNITS // 4 + 1, "repeated": 1}
    assert found["repeats"]["status"] == "warning"
    assert found["metric_events"]["evidence"]["events"]["bought"] == UNITS + 1
    assert found["sample_ratio"]["evidence"] == {"known": False}
    assert "no build" in found["sample_ratio"]["cause"]
