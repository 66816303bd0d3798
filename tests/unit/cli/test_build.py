"""`neonblue build`: its options, its progress and its end."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from neonblue.cli.build import chosen_days
from neonblue.cli.build_report import report, step_line
from neonblue.cli.main import app
from orchestration.course import DBT_STEP, Course
from orchestration.outcome import BuildOutcome, Ending, Node

TODAY = date(2026, 3, 5)
URL = "http://127.0.0.1:3000/runs/1"


def run(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["build", *arguments, "--data-dir", str(folder)])


@pytest.mark.parametrize(
    ("day", "message"),
    [
        ("soon", "--days: 'soon' is not a day of the form YYYY-MM-DD"),
        ("2026-02-30", "--days: '2026-02-30' is not a day of the form YYYY-MM-DD"),
        ("2026-03-01T00:00", "--days: '2026-03-01T00:00' is not a day of the form YYYY-MM-DD"),
        ("9999-01-01", "--days: 9999-01-01 has not come yet; today is "),
        ("1999-12-31", "--days: 1999-12-31 is before 2015-01-01, the first day there can be"),
    ],
)
def test_a_day_that_can_not_be_built_is_told_before_anything_runs(
    tmp_path: Path, day: str, message: str
) -> None:
    done = run(tmp_path, "--days", "2026-03-01", "--days", day)

    assert done.exit_code == 1
    assert message in " ".join(done.stderr.split())


def test_days_are_taken_in_order_and_once_up_to_today() -> None:
    assert chosen_days(["2026-03-05", "2026-03-01", "2026-03-05"], TODAY) == [date(2026, 3, 1), TODAY]
    assert chosen_days([], TODAY) == []


def test_without_dagster_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEONBLUE_DAGSTER_PORT", "9")

    done = run(tmp_path)

    assert done.exit_code == 1
    assert "Dagster does not answer at http://127.0.0.1:9: start the stack with 'neonblue up'" in " ".join(
        done.stderr.split()
    )


def test_progress_names_what_runs_and_counts() -> None:
    building = Course(step=DBT_STEP, built=frozenset("abcdefg"), tests=1200, failing=1, attempt=2)

    assert step_line("QUEUED", Course()) == "queued: one build runs at a time"
    assert step_line("STARTED", building) == (
        "models and their tests (attempt 2) · 7 models built, 1,200 tests made, 1 failing"
    )
    assert step_line("STARTED", Course(step="significance_tests", built=frozenset("abcdefghi"))).startswith(
        "significance tests · 9"
    )


def test_the_end_counts_and_says_where_to_look() -> None:
    outcome = BuildOutcome(
        (
            Node("model", "daily_metrics", Ending.PASSED),
            Node("test", "unique_days", Ending.PASSED),
            Node("test", "late_rows", Ending.WARNED, "Got 3 results"),
        ),
        seconds=12.4,
    )

    assert report(outcome, URL) == [
        "[yellow]warned[/] test late_rows",
        "  Got 3 results",
        "[green]built[/] in 12 s: 1 models built; 1 tests passed, 1 warned, 0 failed",
        f"see {URL}",
    ]


def test_the_end_names_the_failing_test_and_what_it_says() -> None:
    failing = Node("test", "known_statuses", Ending.FAILED, "Got 1 result [paused]")
    outcome = BuildOutcome((failing, Node("model", "marts", Ending.SKIPPED)), seconds=3.0)

    lines = report(outcome, URL)

    assert lines[:2] == ["[bold red]failed[/] test known_statuses", "  Got 1 result \\[paused]"]
    assert lines[2].startswith("[bold red]not built[/] in 3 s: 0 models built; 0 tests passed")
    assert "1 skipped, as what they depend on has failed" in lines[2]


def test_a_flood_of_failures_is_cut() -> None:
    failing = tuple(Node("test", f"test_{number}", Ending.FAILED) for number in range(50))

    lines = report(BuildOutcome(failing), URL)

    assert "… and 30 more" in lines
    assert len(lines) == 23
