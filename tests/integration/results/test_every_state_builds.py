"""Whatever the API accepts, and whatever state it leads to, every model is built and every test of it passes."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from neonblue.contract.life_cycle import Status
from neonblue.reconciliation.compare import Span
from neonblue.reconciliation.present import Present
from orchestration.defs.maintenance.repository import EVENTS, drop_partitions, read_partitions
from orchestration.defs.significance.analysis import result_rows
from orchestration.defs.significance.recompute import can_recompute
from orchestration.defs.significance.repository import read_configurations, read_experiments
from orchestration.defs.significance.sampling import differences
from tests.integration.results.conftest import House
from tests.integration.results.walk import ARMS, BOUGHT, Experiments, edges, events, metrics
from tests.integration.warehouse import rows

pytestmark = pytest.mark.timeout(600)

KEPT = "kept"
SHOPS = "shop ' \" 🛒"
MANY = ("every-metric-0", "every-metric-1", "every-metric-2")


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
        odd = {
            "plan": "pro",
            "": 1,
            "n": 2**62,
            "x": 1e29,
            "deep": {"a": [1]},
            "long": "y" * 500,
            "none": None,
        }
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
    assert {
        status for (status,) in rows(walked.clickhouse, "SELECT DISTINCT status FROM stg_experiments")
    } == set(Status)
    # One id on three days is three events, and all of them count.
    days = (
        "SELECT count(), sum(value) FROM stg_events WHERE event_id = '00000000-0000-0000-0000-000000000007'"
    )
    assert rows(walked.clickhouse, days) == [(3, 3)]
    assert rows(walked.clickhouse, "SELECT error, message FROM dead_letters") == []


def _kept(house: House, made: Experiments) -> None:
    """41 units, of which each arm's first five buy."""
    made.at(KEPT, Status.RUNNING, variants=ARMS[:2])
    arms: dict[str, list[str]] = {}
    for item in made.enter(KEPT, f"of-{KEPT}", *(f"kept-{unit}" for unit in range(40))):
        arms.setdefault(item["variant_key"], []).append(item["user_id"])
    buyers = [user for users in arms.values() for user in users[:5]]
    _send(house, [{"user_id": user, "event_type": "purchase", "experiment": KEPT} for user in buyers])


def _send(house: House, items: Sequence[dict[str, Any]]) -> None:
    answer = house.api.post("/v1/events", json=list(items))
    assert answer.is_success, answer.text
    assert {item["status"] for item in answer.json()["items"]} <= {"accepted", "duplicate"}, [
        (item, sent)
        for item, sent in zip(answer.json()["items"], items, strict=True)
        if item["status"] not in ("accepted", "duplicate")
    ][:3]


def _import(house: House, now: datetime) -> None:
    """History of an external experiment, from 1970 until today."""
    for key, population in (("imported", "exposed"), ("imported-assigned", "assigned")):
        house.create(key, variants=ARMS, metrics=[BOUGHT], population=population, unit_type=SHOPS)
        house.api.post(f"/v1/experiments/{key}/start").raise_for_status()
        for user, at in (
            ("oldest", datetime(1970, 1, 1, tzinfo=UTC)),
            ("old", now - timedelta(days=400)),
            ("new", now),
        ):
            given = {
                "experiment": key,
                "user_id": user,
                "variant_key": ARMS[2]["key"],
                "timestamp": at.isoformat(),
            }
            house.send("/v1/assignments", [given])
            _send(house, list(events(user, at, now, key, unit_type=SHOPS))[:13])


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


def test_an_untouched_experiment_has_its_results(walked: House) -> None:
    found = walked.get(f"{KEPT}/results")

    (item,) = found["items"]
    assert (found["status"], found["units"]) == ("too_early", 41)
    assert item["mean_control"] == pytest.approx(5 / item["n_control"])
    assert item["mean_variant"] == pytest.approx(5 / item["n_variant"])


def test_every_experiment_has_an_answer(walked: House) -> None:
    for experiment in _all(walked):
        walked.get(f"{experiment}/results")
    for experiment in (MANY[0], "again", "archived-changed", "scheduled-changed", "imported"):
        for part in ("timeseries", "funnel", "journeys", "cohorts", "segments", "revenue", "health"):
            walked.get(f"{experiment}/{part}")


def test_every_value_is_the_one_that_its_raw_events_give(walked: House) -> None:
    later = datetime.now(UTC) + timedelta(days=1)
    looked_at = 0
    for versions in read_configurations(walked.clickhouse).values():
        newest = versions[max(versions)]
        for metric in filter(can_recompute, newest.metrics):
            units, found = differences(walked.clickhouse, newest, metric, later, "a seed")
            assert found == [], (newest.key, metric)
            looked_at += units
    assert looked_at > 300


def test_every_experiment_is_tested(walked: House) -> None:
    for experiment in read_experiments(walked.clickhouse):
        question = experiment.ask()
        result_rows(question, question.answer())


def test_what_comes_while_a_build_runs_does_not_make_it_fail(walked: House) -> None:
    """Events of now and of closed hours, first exposures, links and erasures, as fast as they go."""
    made, ended = Experiments(walked.api), Event()
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(_keep_sending, walked, made, ended)
        try:
            failed = walked.build_and_test()
        finally:
            ended.set()
        assert sending.result() > 20
    assert failed == {}


def _keep_sending(house: House, made: Experiments, ended: Event) -> int:
    round_ = 0
    while not ended.is_set():
        round_ += 1
        now = datetime.now(UTC)
        users = [f"busy-{round_}-{number}" for number in range(5)]
        for key in (MANY[1], KEPT):
            made.enter(key, *users)
        for days in (0, 1, 3):
            at = now - timedelta(days=days, seconds=20)
            _send(
                house,
                [e for user in (*users[:2], "every-metric-1-1", "kept-1") for e in events(user, at, now)],
            )
        given = {
            "experiment": "imported-assigned",
            "variant_key": "b",
            "timestamp": (now - timedelta(days=400)).isoformat(),
        }
        house.send("/v1/assignments", [{**given, "user_id": user} for user in users])
        _link(house, users[0], users[1])
        house.api.delete(f"/v1/users/{users[2]}").raise_for_status()
        house.api.delete(f"/v1/users/busy-{max(round_ - 1, 1)}-3").raise_for_status()
        house.carry()
    return round_


def _all(house: House) -> list[str]:
    found, cursor = [], None
    while True:
        page = house.api.get(
            "/v1/experiments", params={"limit": 50} | ({"cursor": cursor} if cursor else {})
        ).json()
        found += [item["key"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


def test_an_id_that_comes_again_after_its_day_was_let_go_is_set_aside_by_the_row(walked: House) -> None:
    day = datetime.now(UTC) - timedelta(days=300)
    item = {
        "id": str(uuid4()),
        "user_id": "old",
        "unit_type": SHOPS,
        "event_type": "purchase",
        "experiment": "imported",
    }
    first = {**item, "timestamp": day.isoformat(), "value": "7"}
    _send(walked, [first])
    walked.carry()
    _let_go(walked, day)
    _send(
        walked,
        [
            {**first, "user_id": "new", "value": "9"},
            {**item, "id": str(uuid4()), "timestamp": day.isoformat()},
        ],
    )
    walked.carry()

    assert walked.build_and_test() == {}

    client = walked.clickhouse
    assert rows(client, f"SELECT user_id, value FROM stg_events WHERE event_id = '{item['id']}'") == [
        ("old", 7)
    ]
    assert rows(client, "SELECT rule, user_id FROM set_aside") == [("id_came_again", "new")]
    assert Present(client, Span(datetime.now(UTC), datetime.now(UTC))).set_aside() == {"id_came_again": 1}


def _let_go(house: House, day: datetime) -> None:
    """As retention does: the day's partition goes."""
    with psycopg.connect(house.dsn) as connection:
        partitions = read_partitions(connection, EVENTS)
        drop_partitions(connection, [one for one in partitions if one.start <= day.date() < one.end])
