"""What came after the last build, in every answer that is live; and watermarks that promise no more than is counted."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from neonblue.results.warehouse import Warehouse
from tests.integration.results import history
from tests.integration.results.conftest import House
from tests.integration.warehouse import rows


@pytest.fixture
def newcomer(house: House, now: datetime, request: pytest.FixtureRequest) -> str:
    """A unit of treatment that the last build does not know: it has just been exposed and bought."""
    user = f"newcomer-{request.node.name}"
    place = {"experiment": history.KEY, "user_id": user, "timestamp": now.isoformat()}
    house.send("/v1/assignments", [{**place, "variant_key": "treatment"}])
    house.send("/v1/events", [{**place, "event_type": "purchase", "value": "3"}])
    return user


def _counts(house: House) -> dict[str, Any]:
    """Of treatment: units at each step, who bought and nothing else, who was active on the first day, the stages."""

    def items(part: str, **parameters: Any) -> list[dict[str, Any]]:
        found = house.get(f"{history.KEY}/{part}", **parameters)["items"]
        return [item for item in found if item["variant_key"] == "treatment"]

    return {
        "funnel": {item["step"]: item["units"] for item in items("funnel")},
        "journeys": sum(
            item["units"] for item in items("journeys", limit=1000) if item["path"] == ["purchase"]
        ),
        "cohorts": sum(item["active_units"] for item in items("cohorts") if item["day_since"] == 0),
        "health": [
            sum(item[f"{stage}_units"] for item in items("health"))
            for stage in ("assigned", "exposed", "active", "analysed")
        ],
        "results": house.get(f"{history.KEY}/results")["units"],
    }


@pytest.mark.usefixtures("newcomer")
def test_an_event_that_came_after_the_last_build_shows_in_every_live_answer(house: House) -> None:
    before = _counts(house)

    house.carry()
    house.refresh_live()

    assert _counts(house) == {
        "funnel": {step: units + 1 for step, units in before["funnel"].items()},
        "journeys": before["journeys"] + 1,
        "cohorts": before["cohorts"] + 1,
        "health": [units + 1 for units in before["health"]],
        "results": before["results"] + 1,
    }


@pytest.mark.usefixtures("newcomer")
def test_the_next_build_says_what_was_live(house: House) -> None:
    house.carry()
    house.refresh_live()
    live = _counts(house)

    house.build()

    assert _counts(house) == live


@pytest.mark.usefixtures("newcomer")
def test_no_answer_promises_an_event_that_it_does_not_count(house: House) -> None:
    before = _counts(house)["funnel"][2]
    house.carry()
    ((received,),) = rows(house.clickhouse, "SELECT max(received_at) FROM events_processed")

    def counted() -> bool:
        found = house.get(f"{history.KEY}/funnel")
        units = sum(i["units"] for i in found["items"] if (i["variant_key"], i["step"]) == ("treatment", 2))
        promised = datetime.fromisoformat(found["watermark"]).replace(tzinfo=None) >= received.replace(
            tzinfo=None
        )
        assert units > before or not promised
        return units > before and promised

    counted()
    for _ in range(20):
        house.refresh_live()
        if counted():
            return
    raise AssertionError("the watermark stays behind")


@pytest.mark.usefixtures("newcomer")
def test_the_tables_promise_what_their_last_build_had_read(house: House) -> None:
    house.carry()
    ((newest,),) = rows(house.clickhouse, "SELECT max(received_at) FROM events_processed")
    received = newest.replace(tzinfo=UTC)

    before = Warehouse.of(house.clickhouse, live=False).watermark()
    house.build()
    after = Warehouse.of(house.clickhouse, live=False).watermark()

    assert before is not None
    assert before < received
    assert after == received


def test_nothing_is_promised_before_the_first_build(house: House) -> None:
    assert Warehouse(house.clickhouse, frozenset()).watermark() is None
