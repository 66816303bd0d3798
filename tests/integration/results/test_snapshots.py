"""Published results stay as they were; what the same units say later stands beside them with its cause."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from neonblue.results.look import look
from neonblue.results.snapshot import Snapshot, read_snapshot, snapshot_of, store_snapshot
from neonblue.results.warehouse import Warehouse
from tests.integration.results import history
from tests.integration.results.conftest import House


def _publish(house: House, run: str) -> Snapshot:
    warehouse = Warehouse.of(house.clickhouse)
    snapshot = snapshot_of(look(warehouse, history.KEY), warehouse.offsets(), run)
    assert snapshot is not None
    store_snapshot(house.clickhouse, snapshot)
    return snapshot


def _as_of(snapshot: Snapshot, seconds: float = 0.5) -> str:
    return (snapshot.answer.computed_at + timedelta(seconds=seconds)).isoformat()


def test_a_snapshot_is_read_back_as_it_was_published(house: House) -> None:
    snapshot = _publish(house, "run-1")
    number = house.numbers[history.KEY]
    found = read_snapshot(house.clickhouse, number, snapshot.answer.computed_at + timedelta(seconds=0.5))
    assert found == snapshot
    assert snapshot.offsets


def test_a_second_write_of_the_same_snapshot_leaves_one(house: House) -> None:
    snapshot = _publish(house, "run-2")
    store_snapshot(house.clickhouse, snapshot)
    listed = house.get(f"{history.KEY}/results/snapshots")["items"]
    assert [item["snapshot_id"] for item in listed].count(snapshot.snapshot_id) == 1


def test_before_the_first_publication_there_is_none(house: House) -> None:
    answer = house.api.get(f"/v1/experiments/{history.KEY}/results", params={"as_of": "2026-01-01T00:00:00Z"})
    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (
        404,
        "not_published",
        "as_of",
    )
    without_zone = house.api.get(
        f"/v1/experiments/{history.KEY}/results", params={"as_of": "2026-01-01T00:00:00"}
    )
    assert without_zone.status_code == 422


def test_late_events_change_the_live_result_and_restate_the_published_one(house: House) -> None:
    snapshot = _publish(house, "run-3")
    before = house.get(f"{history.KEY}/results", as_of=_as_of(snapshot))
    assert before["restatement"]["status"] == "unchanged"
    late = next(unit for unit in history.units("control") if not history.buys(unit))
    house.send("/v1/events", [history.event(late, "purchase", 30, value="9")])
    house.carry()
    house.build()

    after = house.get(f"{history.KEY}/results", as_of=_as_of(snapshot))
    live = house.get(f"{history.KEY}/results")

    assert after["items"] == before["items"]
    assert after["computed_at"] == before["computed_at"]
    assert after["snapshot"]["snapshot_id"] == snapshot.snapshot_id
    assert live["items"] != before["items"]
    restated = {(item["metric_key"], item["variant_key"]): item for item in after["restatement"]["items"]}
    assert after["restatement"]["status"] == "restated"
    assert set(restated) == {("bought", "control"), ("revenue", "control")}
    bought = restated["bought", "control"]
    assert bought["cause"] == "late_events"
    assert bought["days"] == [history.entered(late).date().isoformat()]
    assert bought["n_published"] == bought["n_now"] == 300
    assert bought["mean_now"] > bought["mean_published"]
    # A metric without a window never closes: its cohort was still open.
    assert restated["revenue", "control"]["cause"] == "window_open"


def test_a_report_is_kept_listed_and_served_until_its_file_is_gone(house: House) -> None:
    from neonblue.reports import render_report
    from neonblue.results.publish import HTML, Rendered, publish
    from neonblue.results.report import overview_of, report_of
    from neonblue.results.store import ReportStore

    warehouse = Warehouse.of(house.clickhouse)
    seen = look(warehouse, history.KEY)
    made = report_of(warehouse, seen)
    page = render_report(made).encode()
    number = house.numbers[history.KEY]
    store = ReportStore.of(house.settings)
    (line,) = publish(
        house.clickhouse,
        store,
        (Rendered("report.html", made.title, HTML, page),),
        seen.stamp,
        "run-9",
        (number, history.KEY),
    )

    (listed,) = house.get(f"{history.KEY}/reports")["items"]
    served = house.api.get(listed["url"])

    assert (listed["id"], listed["bytes"], listed["run_id"]) == (line.report_id, len(page), "run-9")
    assert served.content == page
    assert served.headers["content-type"] == HTML
    assert "sandbox" in served.headers["content-security-policy"]
    assert "Ship" in served.text
    for anchor in ("effects", "over-time", "exposure", "daily", "funnel", "revenue", "segments", "health"):
        assert f'id="{anchor}"' in served.text, anchor

    overview = overview_of(warehouse, history.START.date(), seen.stamp.computed_at.date())
    assert {line.key: line.outcome.value for line in overview.experiments} == {
        history.KEY: "ship",
        "empty": "no_data",
    }

    (Path(house.settings.data_dir) / "reports" / line.location).unlink()
    assert house.api.get(listed["url"]).status_code == 410
    missing = house.api.get("/v1/reports/00000000-0000-4000-8000-000000000000")
    assert missing.status_code == 404
