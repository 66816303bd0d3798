"""What a build came to: out of dbt's artefact, and out of the log of a run."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from orchestration.course import Course, Event
from orchestration.outcome import BuildOutcome, Ending, Node, from_json, from_run_results, to_json

RESULTS = {
    "elapsed_time": 12.5,
    "results": [
        {"unique_id": "model.neonblue.daily_metrics", "status": "success", "execution_time": 1.5},
        {"unique_id": "test.neonblue.unique_days.9f2c", "status": "pass", "message": None},
        {
            "unique_id": "test.neonblue.late_rows.1a",
            "status": "warn",
            "message": "Got 3 results, configured to warn if != 0",
        },
        {
            "unique_id": "test.neonblue.known_statuses.2b",
            "status": "fail",
            "message": "Got 1 result,\n\n   configured to fail if != 0",
        },
        {"unique_id": "model.neonblue.marts", "status": "skipped"},
        {"unique_id": "operation.neonblue.neonblue-on-run-start-0", "status": "success"},
    ],
}


def test_every_node_has_its_ending_and_says_why_it_did_not_just_pass() -> None:
    outcome = from_run_results(RESULTS)

    assert [node.name for node in outcome.models] == ["daily_metrics"]
    assert len(outcome.tests) == 3
    assert [(node.name, node.says) for node in outcome.warned] == [
        ("late_rows", "Got 3 results, configured to warn if != 0")
    ]
    assert [(node.name, node.says) for node in outcome.failed] == [
        ("known_statuses", "Got 1 result,\nconfigured to fail if != 0")
    ]
    assert [node.name for node in outcome.skipped] == ["marts"]
    assert (outcome.succeeded, outcome.seconds) == (False, 12.5)


def test_a_warning_lets_a_build_succeed_and_an_unknown_ending_does_not() -> None:
    def ended(status: str) -> bool:
        return from_run_results({"results": [{"unique_id": "test.neonblue.a.b", "status": status}]}).succeeded

    assert ended("warn")
    assert not ended("exploded")
    assert not BuildOutcome(error="dbt could not be started").succeeded


def test_an_outcome_travels_through_the_log_of_a_run() -> None:
    outcome = from_run_results(RESULTS)

    assert from_json(to_json(outcome)) == outcome


def events(*given: dict[str, Any]) -> Course:
    course = Course()
    for one in given:
        course = course.after(msgspec.convert(one, Event))
    return course


def event(kind: str, step: str | None = None, **fields: Any) -> dict[str, Any]:
    return {"__typename": kind, "message": "", "stepKey": step, **fields}


def check(step: str, name: str, *, success: bool, severity: str = "ERROR") -> dict[str, Any]:
    evaluation = {
        "success": success,
        "severity": severity,
        "checkName": name,
        "assetKey": {"path": ["metric_moments"]},
        "description": f"{name} says so",
    }
    return event("AssetCheckEvaluationEvent", step, evaluation=evaluation)


def ended(outcome: BuildOutcome) -> dict[str, Any]:
    entry = {"label": "outcome", "jsonString": to_json(outcome)}
    return event("EngineEvent", metadataEntries=[{"label": "pid"}, entry])


DBT = "dbt_models"
STARTED = event("ExecutionStepStartEvent", DBT)
BUILT, OTHER = (
    event("MaterializationEvent", DBT, assetKey={"path": [name]}) for name in ("funnels", "closings")
)
BROKEN = event("ExecutionStepFailureEvent", DBT, error={"message": "dbt failed"})


def test_progress_counts_models_and_tests_and_starts_again_with_a_retry() -> None:
    # A model is told once more for each other day that was built of it.
    built = (BUILT, OTHER, BUILT)
    course = events(STARTED, *built, check(DBT, "a", success=True), check(DBT, "b", success=False))
    again = events(STARTED, BUILT, event("ExecutionStepRestartEvent", DBT), BUILT)

    assert (course.step, course.models, course.tests, course.failing) == (DBT, 2, 2, 1)
    assert (again.attempt, again.models) == (2, 1)


def test_a_failing_test_is_named_once_with_what_dbt_says() -> None:
    course = events(STARTED, ended(from_run_results(RESULTS)), BROKEN)

    outcome = course.outcome(succeeded=False, seconds=20.0)

    assert [node.name for node in outcome.failed] == ["known_statuses"]
    assert (outcome.succeeded, outcome.error, outcome.seconds) == (False, "", 20.0)


def test_a_dbt_that_left_nothing_fails_as_a_step() -> None:
    outcome = events(STARTED, BROKEN).outcome(succeeded=False, seconds=1.0)

    assert outcome.failed == (Node("step", DBT, Ending.FAILED, "dbt failed"),)


@pytest.mark.parametrize(("stops", "ending"), [(False, Ending.WARNED), (True, Ending.FAILED)])
def test_a_check_that_fails_is_a_failure_where_it_stops_its_step_and_else_a_warning(
    stops: bool, ending: Ending
) -> None:
    stopped = event("ExecutionStepFailureEvent", "recomputed", error={"message": "1 blocking check failed"})
    given = [check("recomputed", "recomputed", success=False), *([stopped] if stops else [])]

    outcome = events(*given).outcome(succeeded=not stops, seconds=1.0)

    assert outcome.nodes == (Node("check", "metric_moments: recomputed", ending, "recomputed says so"),)
    assert outcome.succeeded is not stops


def test_a_run_that_broke_off_says_why() -> None:
    course = events(event("RunFailureEvent", error={"message": "the code server\n\nis gone"}))

    assert course.outcome(succeeded=False, seconds=1.0).error == "the code server\nis gone"
    assert not events().outcome(succeeded=False, seconds=1.0).succeeded
