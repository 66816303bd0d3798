"""The decision that people recorded: in the API's results, on the command line, and in the report that is kept."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from neonblue.results.run import publish_experiment, publish_overview
from neonblue.results.store import ReportStore
from tests import command_line
from tests.integration.api.conftest import TOKEN
from tests.integration.results import history
from tests.integration.results.conftest import House
from tests.integration.warehouse import environment

Run = Callable[..., Result]
HOSTILE = "conversion\x1b[2J up <script>alert(1)</script>"
ROLL_BACK = {"outcome": "roll_back", "reason": HOSTILE}
SHIP = {"outcome": "ship", "variant_key": "treatment", "reason": "conversion up"}


@pytest.fixture
def run(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    folder = house.settings.data_dir
    settings = environment(folder, house.settings.clickhouse.port) | {
        "NEONBLUE_API_PORT": str(house.api.base_url.port),
        "NEONBLUE_API_TOKEN": TOKEN,
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: command_line.invoke(*arguments, "--data-dir", str(folder))


def words(page: str) -> str:
    """What a reader sees of a page."""
    body = page[page.index("<body>") :]
    return unescape(" ".join(re.sub(r"<[^>]+>", " ", body).split()))


def kept(house: House) -> str:
    """The page that the hourly run keeps."""
    store = ReportStore.of(house.settings)
    line = publish_experiment(house.clickhouse, store, history.KEY, "by-the-hour").report
    return store.get(line.location).decode()


def decide(house: House, decision: dict[str, str]) -> dict[str, Any]:
    experiment = house.get(history.KEY)
    if experiment["status"] == "running":
        house.api.post(f"/v1/experiments/{history.KEY}/conclude").raise_for_status()
        experiment = house.get(history.KEY)
    answer = house.api.patch(
        f"/v1/experiments/{history.KEY}",
        json={"decision": decision},
        headers={"if-match": f'"{experiment["version"]}"'},
    )
    assert answer.status_code == 200, answer.text
    house.carry()
    found: dict[str, Any] = answer.json()
    return found


def test_before_the_decision_the_data_speak(house: House, run: Run) -> None:
    about = house.get(f"{history.KEY}/results")["about"]

    assert (about["status"], about["source"], about["recorded"]) == ("running", "external", None)
    assert [arm["key"] for arm in about["arms"]] == ["control", "treatment"]
    assert "✓ Ship" in run("results", history.KEY).stdout
    assert "Ship treatment" in words(kept(house))


def test_a_decision_stands_first_in_every_place(house: House, run: Run) -> None:
    decided = decide(house, SHIP)["decision"]

    recorded = house.get(f"{history.KEY}/results")["about"]["recorded"]
    assert recorded == decided
    assert recorded["decided_by"].startswith("token:")
    shown = run("results", history.KEY).stdout
    written = run("report", history.KEY, "--out", "out/report.html")
    for text in (shown, words(Path("out/report.html").read_text()), words(kept(house))):
        assert "Decided: ship treatment" in text
        assert "Reason: conversion up" in text
        assert "(token " in text
        assert "The data said: Ship treatment: " in text
        assert "not what the data said" not in text
    assert "Decided: ship treatment" in written.stdout


def test_a_decision_against_the_data_is_told_and_its_words_are_only_words(house: House, run: Run) -> None:
    decide(house, ROLL_BACK)

    page, shown = kept(house), run("results", history.KEY).stdout
    store = ReportStore.of(house.settings)
    days = house.get(f"{history.KEY}/timeseries")["items"]
    first, last = (day["start"] for day in (days[0], days[-1]))
    overview = publish_overview(house.clickhouse, store, _day(first), _day(last).replace(year=2030), "weekly")
    for text in (shown, words(page), words(store.get(overview.location).decode())):
        assert "Decided: roll back" in text
        assert "The decision is not what the data said." in text
        assert "conversion\\u001b[2J up <script>alert(1)</script>" in text
        assert "\x1b[2J" not in text
    assert "<script" not in page


def test_the_same_decision_again_changes_nothing(house: House) -> None:
    before = house.get(history.KEY)

    assert decide(house, ROLL_BACK)["version"] == before["version"]


def test_times_of_results_end_in_z(house: House) -> None:
    found = house.get(f"{history.KEY}/results")

    assert found["about"]["recorded"]["decided_at"].endswith("Z")
    assert found["about"]["started_at"].endswith("Z")


@pytest.mark.parametrize("command", ["results", "report"])
def test_an_unknown_experiment_is_said_to_be_unknown(run: Run, command: str, tmp_path: Path) -> None:
    done = run(command, "nope")

    assert done.exit_code == 1
    assert "There is no such experiment" in " ".join(done.stderr.split())
    assert list(tmp_path.iterdir()) == []


def test_an_experiment_that_has_not_arrived_yet_is_told_from_one_that_does_not_exist(
    house: House, run: Run
) -> None:
    house.create("late")

    done = run("report", "late")

    assert done.exit_code == 1
    assert "'late' exists (draft), but its configuration has not arrived" in " ".join(done.stderr.split())


def test_a_draft_has_a_report_that_says_so(house: House, run: Run) -> None:
    done = run("report", "draft")

    assert done.exit_code == 0, done.output
    assert "Draft: not started" in done.stdout
    assert "Draft: not started" in words(Path("draft.html").read_text())


def test_a_report_that_can_not_be_written_is_one_sentence(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    done = run("report", "draft", "--out", "file/report.html")

    assert done.exit_code == 1
    assert "can't be written" in done.stderr


def _day(text: str) -> date:
    return datetime.fromisoformat(text).date()
