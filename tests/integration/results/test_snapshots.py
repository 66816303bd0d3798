"""Published results stay as they were; what the same units say later stands beside them with its cause."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import urljoin

import msgspec

from neonblue.reports import Format
from neonblue.results.publish import HTML
from neonblue.results.run import publish_experiment, publish_overview
from neonblue.results.snapshot import Snapshot, read_snapshot, store_snapshot
from neonblue.results.store import ReportStore
from tests.integration.results import history
from tests.integration.results.conftest import House


def _publish(house: House, run: str) -> Snapshot:
    snapshot = publish_experiment(house.clickhouse, ReportStore.of(house.settings), history.KEY, run).snapshot
    assert snapshot is not None
    return snapshot


def _as_of(snapshot: Snapshot, seconds: float = 0.5) -> str:
    return (snapshot.answer.computed_at + timedelta(seconds=seconds)).isoformat()


def test_a_snapshot_is_read_back_as_it_was_published(house: House) -> None:
    snapshot = _publish(house, "run-1")
    number = house.numbers[history.KEY]
    found = read_snapshot(house.clickhouse, number, snapshot.answer.computed_at + timedelta(seconds=0.5))
    assert found == snapshot
    assert snapshot.offsets


def test_a_snapshot_of_before_windows_were_kept_is_read_with_what_it_knew(house: House) -> None:
    snapshot = _publish(house, "run-1")
    known = msgspec.to_builtins(snapshot.moments)
    older = [
        {name: row[name] for name in row.keys() - {"finishes_at", "cut_short", "missing"}} for row in known
    ]
    house.clickhouse.command(
        "INSERT INTO result_snapshots SELECT * REPLACE (toUInt32(99) AS experiment_id, {moments:String} AS moments) "
        "FROM result_snapshots WHERE snapshot_id = {snapshot:String} LIMIT 1",
        parameters={"moments": msgspec.json.encode(older).decode(), "snapshot": snapshot.snapshot_id},
    )

    found = read_snapshot(house.clickhouse, 99, datetime.now(UTC) + timedelta(seconds=1))

    assert found is not None
    assert {(row.finishes_at, row.cut_short, row.missing) for row in found.moments} == {(None, False, 0)}
    assert [row.sum_value for row in found.moments] == [row.sum_value for row in snapshot.moments]


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
    store = ReportStore.of(house.settings)
    made = publish_experiment(house.clickhouse, store, history.KEY, "run-9", Format.PDF)
    line, figures = made.report, made.figures

    items = house.get(f"{history.KEY}/reports")["items"]
    listed = {item["id"]: item for item in items if item["run_id"] == "run-9"}
    served = house.api.get(listed[line.report_id]["url"])

    assert len(listed) == 1 + len(figures)
    assert (listed[line.report_id]["bytes"], listed[line.report_id]["run_id"]) == (
        len(served.content),
        "run-9",
    )
    assert served.headers["content-type"] == HTML
    assert served.headers["etag"] == f'"{line.sha256}"'
    assert "sandbox" in served.headers["content-security-policy"]
    assert "Ship" in served.text
    for anchor in (
        "effects",
        "over-time",
        "exposure",
        "daily",
        "funnel",
        "retention",
        "revenue",
        "segments",
        "health",
    ):
        assert f'id="{anchor}"' in served.text, anchor
    assert house.api.get(listed[figures[0].report_id]["url"]).content.startswith(b"%PDF")

    (house.settings.data_dir / "reports" / line.location).unlink()
    assert house.api.get(listed[line.report_id]["url"]).status_code == 410
    missing = house.api.get("/v1/reports/00000000-0000-4000-8000-000000000000")
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")


def test_the_overview_lists_what_ran_and_links_its_newest_report(house: House) -> None:
    store = ReportStore.of(house.settings)
    today = datetime.now(UTC).date()
    publish_experiment(house.clickhouse, store, history.KEY, "run-8")
    newest = publish_experiment(house.clickhouse, store, history.KEY, "run-10").report
    line = publish_overview(house.clickhouse, store, today, today, "run-10")
    (listed,) = house.api.get("/v1/reports").json()["items"]
    page = house.api.get(listed["url"]).text
    link = re.search(rf'href="([^"]+)">{history.KEY}<', page)
    assert listed["id"] == line.report_id
    assert link is not None
    assert urljoin(listed["url"], link[1]).endswith(f"/v1/reports/{newest.report_id}")
    assert house.api.get(urljoin(listed["url"], link[1])).is_success
    assert history.KEY in page
    assert "No data yet" in page
    assert "draft" not in page
