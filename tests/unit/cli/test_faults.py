"""`neonblue faults`: what it prints without a run, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from neonblue.cli.main import app
from neonblue.faults import kept
from neonblue.faults.kinds import CORE, Kind
from neonblue.faults.outcome import RunOutcome
from neonblue.faults.plan import make


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["faults", *arguments])


def test_the_list_has_every_kind_and_what_it_does() -> None:
    done = run("--list")
    read = json.loads(run("--list", "--json").stdout)

    assert done.exit_code == 0
    assert set(read) == {kind.value for kind in Kind}
    assert all(kind in done.stdout for kind in read)


def test_the_plan_of_a_seed_is_printed_and_nothing_is_run(tmp_path: Path) -> None:
    first = run("--plan", "--seed", "4", "--minutes", "3", "--data-dir", str(tmp_path / "new"))

    assert first.exit_code == 0
    assert first.stdout == run("--plan", "--seed", "4", "--minutes", "3").stdout
    assert first.stdout != run("--plan", "--seed", "5", "--minutes", "3").stdout
    assert not (tmp_path / "new").exists()


def test_the_plan_has_only_the_faults_that_are_asked_for() -> None:
    read = json.loads(
        run("--plan", "--json", "--seeds", "3", "--minutes", "5", "--faults", "kill,restart").stdout
    )

    assert [plan["seed"] for plan in read] == [1, 2, 3]
    kinds = {fault["kind"] for plan in read for group in plan["groups"] for fault in group}
    assert kinds == {"kill", "restart"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--faults", "flood"), "no such fault: flood; there are kill, stop"),
        (("--faults", " , "), "no fault is named"),
        (("--minutes", "0"), "should be greater than or equal to"),
        (("--seeds", "0"), "should be greater than or equal to"),
        (("--rate", "0"), "should be greater than or equal to"),
    ],
)
def test_what_can_not_be_done_is_told(arguments: tuple[str, ...], message: str) -> None:
    done = run(*arguments)

    assert done.exit_code != 0
    assert message in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_a_folder_that_holds_anything_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")
    done = run("--data-dir", str(tmp_path))

    assert done.exit_code == 1
    assert "is not empty" in done.stderr
    assert [entry.name for entry in tmp_path.iterdir()] == ["mine"]


def test_runs_that_are_kept_are_shown_and_not_done_again(tmp_path: Path) -> None:
    results = tmp_path / "runs.jsonl"
    for seed in (2, 1):
        kept.keep(results, RunOutcome(make(seed, 0.5, (Kind.KILL,), CORE), acknowledged=100))
    asked = ("--seeds", "2", "--minutes", "0.5", "--faults", "kill", "--results", str(results))

    done = run(*asked, "--markdown")
    read = json.loads(run(*asked, "--json").stdout)

    assert done.exit_code == 0
    assert "Seeds 1-2: 2 of 2 runs good, 0 faults, 200 acknowledged events" in done.stdout
    assert [outcome["plan"]["seed"] for outcome in read] == [1, 2]


@pytest.mark.parametrize("text", ["{}", "not JSON", '{"plan": {"seed": 1}}'])
def test_a_file_that_holds_no_outcomes_is_left_alone(tmp_path: Path, text: str) -> None:
    results = tmp_path / "runs.jsonl"
    kept.keep(results, RunOutcome(make(1, 0.5, (Kind.KILL,), CORE)))
    with results.open("a") as file:
        file.write(text)
    before = results.read_bytes()
    done = run("--seeds", "2", "--minutes", "0.5", "--faults", "kill", "--results", str(results))

    assert done.exit_code == 1
    assert "runs.jsonl: line 2 is no outcome of a fault run" in done.stderr
    assert results.read_bytes() == before
