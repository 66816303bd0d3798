"""Whatever the API accepts, and whatever state an experiment reaches, every model is built and every test of it passes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from api.experiments.states import Status, Step
from tests.integration.results.conftest import House
from tests.integration.results.walk import ARMS, BOUGHT, Experiments, edges, events, metrics
from tests.integration.warehouse import rows

pytestmark = pytest.mark.timeout(600)

KEPT = "kept"
MANY = ("every-metric-0", "every-metric-1", "every-metric-2")
CASES = Path(__file__).parents[4] / "shared" / "bug-cases"
TWO_DAYS = CASES / "same-id-on-two-days.json"


@pytest.fixture(scope="module")
def walked(empty_house: House) -> House:
    """Everything once, and one build from nothing."""
    house, made, now = empty_house, Experiments(empty_house.api), datetime.now(UTC)
    _kept(house, made)
    made.walk()
    whole = list(metrics())
    for place, key in enumerate(MANY):
        population = ("exposed", "assigned", "exposed")[place]
        made.at(key, Status.RUNNING, metrics=whole[place :: len(MANY)], population=population)
        odd = {"plan": "pro", "": 1, "n": 2**62, "x": 1e29, "deep": {"a": [1]}, "long": "y" * 500, "none": None}
        for user in (f"{key}-1", f"{key}-2", "unit ' \" \\ 🛒 {{x}}", "u" * 256):
            made.enter(key, user, attributes=odd)
        made.enter(key, f"{key}-3", expose=False)
    for user in ("every-metric-0-1", "unit ' \" \\ 🛒 {{x}}", "u" * 256, "a stranger"):
        for experiment in (None, *MANY):
            _send(house, list(events(user, now - timedelta(seconds=30), now, experiment)))
    _send(house, list(edges("every-metric-1-1", now)))
    _import(house, now)
    _link_and_erase(house, made)
    house.carry()
    return house


def test_everything_that_the_api_accepts_passes_every_test_of_the_first_build(walked: House) -> None:
    assert walked.build_and_test() == {}
    assert rows(walked.clickhouse, "SELECT error, message FROM dead_letters") == []


def _kept(house: House, made: Experiments) -> None:
    """40 units, of which each arm's first five buy."""
    made.at(KEPT, Status.RUNNING, variants=ARMS[:2])
    arms: dict[str, list[str]] = {}
    for item in made.enter(KEPT, *(f"kept-{unit}" for unit in range(40))):
        arms.setdefault(item["variant_key"], []).append(item["user_id"])
    buyers = [user for users in arms.values() for user in users[:5]]
    _send(house, [{"user_id": user, "event_type": "purchase", "experiment": KEPT} for user in buyers])


def _send(house: House, items: Sequence[dict[str, Any]]) -> None:
    answer = house.api.post("/v1/events", json=list(items))
    assert answer.is_success, answer.text
    assert {item["status"] for item in answer.json()["items"]} <= {"accepted", "duplicate"}, [
        (item, sent) for item, sent in zip(answer.json()["items"], items) if item["status"] not in ("accepted", "duplicate")
    ][:3]


def _import(house: House, now: datetime) -> None:
    """History of an external experiment, from 1970 until today."""
    for key, population in (("imported", "exposed"), ("imported-assigned", "assigned")):
        house.create(key, variants=ARMS, metrics=[BOUGHT], population=population, unit_type="shop ' \" 🛒")
        house.api.post(f"/v1/experiments/{key}/start").raise_for_status()
        for user, at in (("oldest", datetime(1970, 1, 1, tzinfo=UTC)), ("old", now - timedelta(days=400)), ("new", now)):
            given = {"experiment": key, "user_id": user, "variant_key": ARMS[2]["key"], "timestamp": at.isoformat()}
            house.send("/v1/assignments", [given])
            _send(house, list(events(user, at, now, key, unit_type="shop ' \" 🛒"))[:13])


def _link_and_erase(house: House, made: Experiments) -> None:
    """Links before and after the assignment, into two arms; people erased after each."""
    for number in range(6):
        cookie, person = f"cookie-{number}", f"person-{number}"
        if number % 3 == 0:
            _link(house, cookie, person)
        made.enter(MANY[0], cookie)
        made.enter(MANY[1], cookie)
        if number % 3 < 2:
            made.enter(MANY[1], person)
        if number % 3:
            _link(house, cookie, person)
    for user in ("person-0", "cookie-1", "person-4", "every-metric-1-3", "of-running-changed"):
        house.api.delete(f"/v1/users/{user}").raise_for_status()


def _link(house: House, cookie: str, person: str) -> None:
    house.api.post("/v1/users/links", json={"anonymous_id": cookie, "user_id": person}).raise_for_status()
