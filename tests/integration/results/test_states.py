"""What is answered while the numbers are not there: nothing that reads like a verdict, in any table or report."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

import pytest

from neonblue.findings.said import said_of
from neonblue.results.look import look
from neonblue.results.report import report_of
from neonblue.results.run import publish_experiment
from neonblue.results.store import ReportStore
from neonblue.results.warehouse import Warehouse
from orchestration.defs.experiments.looking import waiting
from orchestration.defs.significance.repository import read_experiments
from tests.integration.dbt_project.conftest import LIVE_DATABASE, REFRESHED
from tests.integration.results import history
from tests.integration.results.conftest import House
from tests.integration.warehouse import envelope

PARTS = ("results", "timeseries", "funnel", "journeys", "cohorts", "segments", "revenue", "health")
BOUGHT = {"key": "bought", "type": "proportion", "event_type": "purchase", "aggregation": "any"}


def imported(house: House, key: str, units: range) -> None:
    """Units of the known history in an experiment of this key, under ids of their own."""

    def renamed(row: dict[str, Any]) -> dict[str, Any]:
        user = f"{key}-{row['user_id']}"
        return {**row, "experiment": key, "user_id": user} | (
            {"id": uuid_of(key, row["id"])} if "id" in row else {}
        )

    wanted = {f"user-{unit}" for unit in units}
    house.send("/v1/assignments", [renamed(r) for r in history.assignments() if r["user_id"] in wanted])
    house.send("/v1/events", [renamed(r) for r in history.events() if r["user_id"] in wanted])
    house.carry()


def uuid_of(key: str, known: str) -> str:
    return str(uuid5(UUID(known), key))


def running(house: House, key: str, **fields: Any) -> None:
    house.create(key, source="internal", metrics=[BOUGHT], **fields)
    house.api.post(f"/v1/experiments/{key}/start").raise_for_status()


def entered(house: House, key: str, units: int, **fields: Any) -> list[dict[str, Any]]:
    items = [{"experiment": key, "user_id": f"{key}-{unit}", **fields} for unit in range(units)]
    answer = house.api.post("/v1/assignments", json=items)
    answer.raise_for_status()
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


@contextmanager
def views_at_rest(house: House) -> Iterator[None]:
    """The live views as they are: no refresh begins."""
    for view in REFRESHED:
        house.clickhouse.command(f"SYSTEM STOP VIEW {LIVE_DATABASE}.{view}")
    try:
        yield
    finally:
        for view in REFRESHED:
            house.clickhouse.command(f"SYSTEM START VIEW {LIVE_DATABASE}.{view}")


def refresh(house: House, *views: str) -> None:
    for view in views:
        house.clickhouse.command(f"SYSTEM START VIEW {LIVE_DATABASE}.{view}")
        house.clickhouse.command(f"SYSTEM REFRESH VIEW {LIVE_DATABASE}.{view}")
        house.clickhouse.command(f"SYSTEM WAIT VIEW {LIVE_DATABASE}.{view}")
        house.clickhouse.command(f"SYSTEM STOP VIEW {LIVE_DATABASE}.{view}")


def without_seconds(reason: str) -> str:
    """The age of the view grows between two readings."""
    return re.sub(r"\d+ seconds ago", "", reason)


def assert_nothing_is_said(house: House, key: str, status: str) -> None:
    for part in PARTS:
        found = house.get(f"{key}/{part}")
        assert (found["status"], found["items"]) == (status, []), part
        assert found["reason"]
    whole = house.get(f"{key}/results")
    assert (whole["decision"], whole["health"]) == (None, [])
    warehouse = Warehouse.of(house.clickhouse)
    report = report_of(warehouse, look(warehouse, key))
    reason = without_seconds(whole["reason"])
    said = replace(report.said, sentence=without_seconds(report.said.sentence))
    assert (said, report.effects) == (said_of(status, reason), ())


def test_imported_data_are_no_verdict_until_all_of_them_are_built(house: House) -> None:
    house.create("gate")
    house.api.post("/v1/experiments/gate/start").raise_for_status()
    imported(house, "gate", range(400))
    house.refresh_live()

    assert_nothing_is_said(house, "gate", "not_built")
    reason = house.get("gate/results")["reason"]
    assert "assignments of 400 ids are stored" in reason
    assert "The next build begins at" in reason
    made = publish_experiment(house.clickhouse, ReportStore.of(house.settings), "gate", "run-not-built")
    assert made.snapshot is None
    (data,) = read_experiments(house.clickhouse, "gate")
    assert waiting(house.clickhouse, data).startswith(
        "The numbers have not been computed: assignments of 400 ids are stored"
    )

    house.build()
    first = house.get("gate/results")
    assert (first["status"], first["units"], first["decision"]["action"]) == ("ok", 400, "ship")
    (data,) = read_experiments(house.clickhouse, "gate")
    assert waiting(house.clickhouse, data) == ""

    imported(house, "gate", range(400, 600))
    house.refresh_live()
    assert_nothing_is_said(house, "gate", "not_built")
    assert (
        "assignments of 600 ids are stored, 400 units are in the numbers"
        in house.get("gate/results")["reason"]
    )

    house.build()
    assert house.get("gate/results")["units"] == 600


def test_days_that_a_build_of_chosen_days_left_behind_are_not_built(house: House) -> None:
    house.create("some-days")
    house.api.post("/v1/experiments/some-days/start").raise_for_status()
    imported(house, "some-days", range(600))

    house.build(days=["2026-02-01"])
    assert_nothing_is_said(house, "some-days", "not_built")
    assert "of 5 days on which units entered" in house.get("some-days/results")["reason"]

    house.build()
    assert house.get("some-days/results")["status"] == "ok"


def test_units_are_on_their_way_then_too_few_to_say_anything(house: House) -> None:
    running(house, "fresh", planned_days=14)
    house.carry()
    house.refresh_live()
    found = house.get("fresh/results")
    assert found["status"] == "no_data"
    assert found["reason"].startswith("No unit has been assigned yet. What had arrived by ")
    assert found["decision"] is None

    with views_at_rest(house):
        entered(house, "fresh", 2)
        house.carry()
        assert_nothing_is_said(house, "fresh", "on_its_way")

    house.refresh_live()
    found = house.get("fresh/results")
    assert (found["status"], found["units"], found["units_needed"]) == ("too_early", 2, 200)
    (item,) = found["items"]
    assert (item["status"], item["verdict"]) == ("too_early", "unknown")
    assert item["status_reason"].startswith("Too early: ")
    assert {
        item[name]
        for name in ("difference", "ci_low", "ci_high", "relative_lift", "relative_ci_high", "p_value")
    } == {None}
    ratio = next(check for check in found["health"] if check["name"].startswith("sample_ratio"))
    assert (ratio["passed"], ratio["told"]) == (True, False)
    assert "Too few units to tell" in ratio["message"]
    assert found["decision"]["sentence"].endswith("Day 1 of 14.")
    assert (found["plan"]["day"], found["plan"]["planned_days"]) == (1, 14)
    assert found["plan"]["days_left"] == pytest.approx(14, abs=0.1)
    effects = house.get("fresh/timeseries")["effects"]
    assert {(effect["status"], effect["difference"]) for effect in effects} <= {
        ("too_early", None),
        ("missing_arm", None),
    }


def test_units_that_are_assigned_and_never_exposed_are_told_with_what_to_do(house: House) -> None:
    running(house, "unseen")
    entered(house, "unseen", 3, expose=False)
    house.carry()
    # As if it had started an hour ago.
    ((snapshot,),) = house.clickhouse.query(
        "SELECT snapshot FROM experiments WHERE key = 'unseen' ORDER BY version DESC LIMIT 1"
    ).result_rows
    known = json.loads(snapshot)
    started = (datetime.now(UTC) - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S.000000Z")
    house.topic.send(
        envelope(
            "experiment",
            {**known, "version": known["version"] + 1, "started_at": started},
            event_type="EXPERIMENT_CHANGED",
        )
    )
    house.refresh_live()

    found = house.get("unseen/health")
    assert found["status"] in ("ok", "no_data")
    check = next(check for check in found["checks"] if check["name"] == "exposure")
    assert (check["passed"], check["blocking"], check["value"]) == (False, False, 0)
    assert check["message"].startswith("3 units were assigned, 0 of them exposed")
    assert "POST /v1/assignments" in check["message"]
    whole = house.get("unseen/results")
    assert (whole["status"], whole["assigned"], whole["decision"]) == ("no_data", 3, None)
    assert whole["reason"].startswith("3 units were assigned and none has been exposed yet.")


def test_conversions_stamped_just_before_the_exposure_are_counted_in_health(house: House) -> None:
    running(house, "skewed")
    (item,) = entered(house, "skewed", 1)
    at = datetime.now(UTC)
    house.send(
        "/v1/events",
        [
            {
                "experiment": "skewed",
                "user_id": "skewed-0",
                "event_type": "purchase",
                "timestamp": (at - timedelta(seconds=seconds)).isoformat(),
            }
            for seconds in (2, 5, 120)
        ],
    )
    house.carry()
    house.refresh_live()

    def told() -> dict[str, Any]:
        checks = house.get("skewed/health")["checks"]
        found: dict[str, Any] = next(c for c in checks if c["name"] == "events just before the exposure")
        return found

    live = told()
    assert (live["passed"], live["blocking"], live["value"]) == (False, False, 2)
    assert f"bought: 2 in {item['variant_key']}" in live["message"]
    house.build()
    assert told() == live


def test_units_and_metrics_are_of_one_moment_while_the_views_are_half_refreshed(house: House) -> None:
    running(house, "one-moment")
    entered(house, "one-moment", 20)
    house.carry()
    house.refresh_live()
    with views_at_rest(house):
        items = [{"experiment": "one-moment", "user_id": f"later-{unit}"} for unit in range(30)]
        house.send("/v1/assignments", items)
        house.carry()
        refresh(house, "entered_units", "fresh_exposures")
        found = house.get("one-moment/results")
        (item,) = found["items"]
        warehouse = Warehouse.of(house.clickhouse)
        report = report_of(warehouse, look(warehouse, "one-moment"))

    assert item["n_control"] + item["n_variant"] == found["units"] == 20
    assert not isinstance(report.shares, str)
    assert sum(share.observed for share in report.shares) == 20  # type: ignore[union-attr]
    assert sum(day.units for day in report.exposures) == 20  # type: ignore[union-attr]
