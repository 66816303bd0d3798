"""Results over HTTP, computed from what the API itself accepted."""

from __future__ import annotations

import csv
import io
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from scipy import stats

from tests.integration.results import history
from tests.integration.results.conftest import House, serving
from tests.integration.warehouse import free_port

STAMP = {"computed_at", "watermark", "configuration_version", "code_version"}
PARTS = (
    "results",
    "timeseries",
    "funnel",
    "journeys",
    "app-versions",
    "cohorts",
    "segments",
    "revenue",
    "health",
)


def test_live_results_are_those_of_the_accepted_events(house: House) -> None:
    found = house.get(f"{history.KEY}/results")
    item = next(item for item in found["items"] if item["metric_key"] == "bought")

    control, treatment = (
        sum(map(history.buys, history.units(arm))) / len(history.units(arm))
        for arm in ("control", "treatment")
    )
    n = history.UNITS // 2
    error = math.sqrt(control * (1 - control) / n + treatment * (1 - treatment) / n)
    assert (item["n_control"], item["n_variant"]) == (n, n)
    assert item["mean_control"] == pytest.approx(control, rel=1e-12)
    assert item["difference"] == pytest.approx(treatment - control, rel=1e-12)
    assert item["p_value"] == pytest.approx(2 * stats.norm.sf((treatment - control) / error), rel=1e-9)
    assert item["verdict"] == "better"
    assert found["decision"]["action"] == "ship"
    assert (found["source"], found["status"], found["units"]) == ("live", "ok", history.UNITS)
    assert item["sample_ratio_status"] == "healthy"


def test_revenue_per_unit_is_exact(house: House) -> None:
    rows = {row["variant_key"]: row for row in house.get(f"{history.KEY}/revenue")["items"]}
    for arm in ("control", "treatment"):
        total = sum(history.amount(unit) for unit in history.units(arm) if history.buys(unit))
        assert rows[arm]["revenue"] == total
        assert rows[arm]["revenue_per_unit"] == pytest.approx(total / len(history.units(arm)))
    assert rows["treatment"]["incremental_low"] < rows["treatment"]["incremental_revenue"]
    assert rows["control"]["incremental_revenue"] is None


@pytest.mark.parametrize("part", PARTS)
def test_every_part_names_its_watermark_and_versions(house: House, part: str) -> None:
    found = house.get(f"{history.KEY}/{part}")
    assert found["status"] == "ok"
    assert found["items"]
    assert found["watermark"].endswith("Z")
    assert found["computed_at"].endswith("Z")
    assert found["configuration_version"] == house.get(history.KEY)["version"]
    assert found["code_version"]


def test_days_add_up_to_the_units_and_hours_to_the_days(house: House) -> None:
    days = house.get(f"{history.KEY}/timeseries", interval="day")["items"]
    hours = house.get(f"{history.KEY}/timeseries", interval="hour")["items"]
    for name in ("first_exposures", "events", "conversions", "value"):
        assert sum(row[name] for row in days) == pytest.approx(sum(row[name] for row in hours))
    assert sum(row["first_exposures"] for row in days) == history.UNITS
    assert {row["start"][:10] for row in days} >= {"2026-02-01", "2026-02-06"}


def test_the_last_day_of_the_series_holds_the_whole_difference_with_a_wider_interval(house: House) -> None:
    effects = house.get(f"{history.KEY}/timeseries")["effects"]
    whole = next(i for i in house.get(f"{history.KEY}/results")["items"] if i["metric_key"] == "bought")
    bought = [effect for effect in effects if effect["metric_key"] == "bought"]
    assert [effect["units"] for effect in bought] == [
        history.UNITS // history.DAYS * (k + 1) for k in range(history.DAYS)
    ]
    assert bought[-1]["difference"] == pytest.approx(whole["difference"])
    assert bought[-1]["lower"] < whole["ci_low"]
    assert bought[-1]["upper"] > whole["ci_high"]


def test_the_funnel_starts_with_every_unit(house: House) -> None:
    items = house.get(f"{history.KEY}/funnel")["items"]
    first = [item for item in items if item["step"] == 1]
    assert {item["variant_key"]: item["units"] for item in first} == {"control": 300, "treatment": 300}
    assert all(item["units"] <= item["entered_units"] for item in items)


def test_the_most_common_journeys_come_first_and_no_more_than_asked(house: House) -> None:
    items = house.get(f"{history.KEY}/journeys", limit=2)["items"]
    for arm in ("control", "treatment"):
        units = [item["units"] for item in items if item["variant_key"] == arm]
        assert len(units) == 2
        assert units == sorted(units, reverse=True)
    assert house.api.get(f"/v1/experiments/{history.KEY}/journeys", params={"limit": 0}).status_code == 422


def test_every_unit_is_under_the_first_version_of_the_app_that_its_events_name(house: House) -> None:
    items = house.get(f"{history.KEY}/app-versions")["items"]
    units = {(item["variant_key"], item["app_version"]): item["units"] for item in items}
    assert units == {("control", "5.1.0"): 300, ("treatment", "5.1.0"): 150, ("treatment", "5.2.0"): 150}
    assert all(0 <= item["converted_units"] <= item["units"] for item in items)
    first = house.get(f"{history.KEY}/app-versions", limit=1)["items"]
    assert [item["variant_key"] for item in first] == ["control", "treatment"]


def test_segments_are_one_family(house: House) -> None:
    items = house.get(f"{history.KEY}/segments")["items"]
    assert {(item["attribute"], item["value"]) for item in items} == {
        ("platform", "ios"),
        ("platform", "android"),
        ("platform", "web"),
    }
    assert sum(item["units"] for item in items) == history.UNITS
    assert {item["metric"] for item in items} == {"bought"}


def test_health_holds_the_checks_and_the_stages(house: House) -> None:
    found = house.get(f"{history.KEY}/health")
    assert all(check["passed"] for check in found["checks"])
    assert any(check["name"].startswith("sample_ratio") for check in found["checks"])
    assert not any(check["name"] == "clocks of clients" for check in found["checks"])
    for row in found["items"]:
        assert row["assigned_units"] == row["exposed_units"] == row["analysed_units"] == 300


def test_the_checklist_of_what_has_started_says_what_its_health_does(house: House) -> None:
    health = house.get(f"{history.KEY}/health")
    found = {item["code"]: item for item in house.get(f"{history.KEY}/checklist")["items"]}
    checks = [check for item in found.values() for check in item["evidence"].get("checks", ())]
    assert {check["name"] for check in checks} == {check["name"] for check in health["checks"]}
    assert found["sample_ratio"]["status"] == "ok"
    stages = {stage["stage"]: stage["units"] for stage in found["sample_ratio"]["evidence"]["stages"]}
    both = {"control": history.UNITS // 2, "treatment": history.UNITS // 2}
    assert stages == {"assigned": both, "ingested": both, "analysed": both}
    assert found["stored_variants"]["evidence"]["units"] == history.UNITS
    assert set(found["stored_variants"]["evidence"]["differing"]) == {"import"}


@pytest.mark.parametrize("part", PARTS)
def test_every_table_has_the_same_rows_in_every_format(house: House, part: str) -> None:
    path = f"/v1/experiments/{history.KEY}/{part}"
    items = house.get(f"{history.KEY}/{part}")["items"]

    def answer(media_type: str) -> bytes:
        found = house.api.get(path, headers={"accept": media_type})
        assert found.status_code == 200, found.text
        assert found.headers["content-type"].startswith(media_type)
        return found.content

    written = list(csv.DictReader(io.StringIO(answer("text/csv").decode())))
    columnar = parquet.read_table(io.BytesIO(answer("application/vnd.apache.parquet"))).to_pylist()
    stream = pa.ipc.open_stream(answer("application/vnd.apache.arrow.stream")).read_all().to_pylist()
    assert len(written) == len(columnar) == len(stream) == len(items)
    for row, text, other, item in zip(columnar, written, stream, items, strict=True):
        assert row.keys() == text.keys() == other.keys() == item.keys() | STAMP
        for name in item.keys() - STAMP:
            assert row[name] == other[name]
            assert _same(row[name], item[name]), name


def _same(value: Any, text: Any) -> bool:
    if hasattr(value, "isoformat"):
        return str(text).startswith(value.isoformat()[:10])
    return bool(value == text)


def test_an_unknown_format_is_refused(house: House) -> None:
    answer = house.api.get(f"/v1/experiments/{history.KEY}/results", headers={"accept": "application/pdf"})
    assert answer.status_code == 406
    assert answer.json()["code"] == "not_acceptable"


@pytest.mark.parametrize("part", PARTS)
def test_an_experiment_without_units_answers_with_statuses(house: House, part: str) -> None:
    found = house.get(f"empty/{part}")
    assert found["status"] == "no_data"
    assert found["reason"]
    assert found["configuration_version"] is not None
    if part == "results":
        assert {item["metric_key"]: item["status"] for item in found["items"]} == {
            "bought": "no_users",
            "revenue": "not_enough_units",
        }
        assert all(item["p_value"] is None and item["ci_low"] is None for item in found["items"])
        assert found["decision"] is None
    else:
        assert found["items"] == []


@pytest.mark.parametrize("part", PARTS)
def test_a_draft_answers_that_it_has_not_started(house: House, part: str) -> None:
    found = house.get(f"draft/{part}")
    assert (found["status"], found["items"]) == ("not_started", [])


@pytest.mark.parametrize("part", PARTS)
def test_an_experiment_that_clickhouse_does_not_know_yet_answers_so(house: House, part: str) -> None:
    if "on-its-way" not in house.numbers:
        house.create("on-its-way")
    found = house.get(f"on-its-way/{part}")
    assert (found["status"], found["configuration_version"], found["items"]) == ("not_ingested", None, [])
    assert found["experiment_id"] == house.numbers["on-its-way"]


@pytest.mark.parametrize("part", [*PARTS, "reports"])
def test_an_unknown_experiment_is_not_found(house: House, part: str) -> None:
    answer = house.api.get(f"/v1/experiments/nothing/{part}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_without_clickhouse_the_answer_is_503_and_says_when_to_ask_again(
    house: House, tmp_path: Path
) -> None:
    with serving(house.dsn, tmp_path, {"NEONBLUE_CLICKHOUSE_PORT": str(free_port())}) as api:
        for part in (*PARTS, "reports"):
            answer = api.get(f"/v1/experiments/{history.KEY}/{part}")
            assert (answer.status_code, answer.json()["code"]) == (503, "clickhouse_unavailable"), part
            assert int(answer.headers["retry-after"]) > 0


def test_health_tells_of_clocks_that_are_far_away(house: House) -> None:
    """Of events that name no experiment: such a one may be history. It stands last, as it adds to the house."""
    key, at = "clocks", datetime.now(UTC) - timedelta(days=3)
    house.create(key)
    house.api.post(f"/v1/experiments/{key}/start").raise_for_status()
    units = [{"user_id": f"{key}-{n}", "variant_key": history.variant(n)} for n in range(6)]
    since = {"experiment": key, "timestamp": (at - timedelta(hours=1)).isoformat()}
    house.send("/v1/assignments", [unit | since for unit in units])
    events = [
        {"user_id": unit["user_id"], "event_type": "page_view", "timestamp": at.isoformat()} for unit in units
    ]
    house.send("/v1/events", events[:5], **{"Sent-At": "1999-12-31T23:59:59Z"})
    house.send("/v1/events", events[5:])
    house.carry()
    house.build()

    (clocks,) = (c for c in house.get(f"{key}/health")["checks"] if c["name"] == "clocks of clients")

    assert "5 came from a clock more than 1 day off" in clocks["message"]
    assert not clocks["passed"]
