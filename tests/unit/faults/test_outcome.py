"""When a run is good, and what its table says."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from neonblue.faults.kinds import Kind
from neonblue.faults.oracle import Findings
from neonblue.faults.outcome import FaultOutcome, Remedy, RunOutcome, rows
from neonblue.faults.plan import Fault, Plan
from neonblue.faults.report import as_json, complaints, markdown, summary

KILL = Fault(5.0, Kind.KILL, "api", 0.0)
DELETED = Fault(20.0, Kind.CONNECTOR_DELETED, "", 0.0)
REPEATS = Fault(30.0, Kind.REPEATS, "", 0.0)


def healed(fault: Fault = KILL, seconds: float = 10.0, told: float | None = 1.0) -> FaultOutcome:
    return FaultOutcome(fault, told=told, recovered=seconds, remedy=Remedy.ITSELF, gap=2.0)


def run(*faults: FaultOutcome, **more: object) -> RunOutcome:
    plan = Plan(1, 1.0, tuple((one.fault,) for one in faults))
    return RunOutcome(plan, list(faults), **more)  # type: ignore[arg-type]


def test_a_run_in_which_everything_heals_is_good() -> None:
    assert run(healed(), healed(REPEATS, told=None)).good
    assert run(FaultOutcome(KILL, skipped="libfaketime is not installed")).good
    assert not list(complaints(run(healed())))


@pytest.mark.parametrize(
    ("bad", "complaint"),
    [
        (run(healed(), final=Findings(lost={"a"})), "at the end 1 lost: a"),
        (run(healed(), final=Findings(missing={"a", "b"})), "at the end 2 missing: a, b"),
        (run(healed(), final=Findings(moved={"u"})), "at the end 1 moved: u"),
        (run(healed(), stuck=["down did not end"]), "down did not end"),
        (run(healed(), interrupted=True), "it was interrupted"),
        (run(healed(), marts=["daily_metrics: other values"]), "daily_metrics: other values"),
        (run(healed(seconds=90.0, told=None)), "kill api at 5 s was not told within a minute"),
        (
            run(FaultOutcome(DELETED, told=2.0, remedy=Remedy.NOTHING)),
            "connector_deleted at 20 s did not heal by itself; it took nothing",
        ),
        (
            run(FaultOutcome(KILL, recovered=3.0, remedy=Remedy.ITSELF, found=Findings(doubled={"a"}))),
            "kill api at 5 s: 1 doubled: a",
        ),
    ],
)
def test_a_run_that_is_not_good_says_why(bad: RunOutcome, complaint: str) -> None:
    assert not bad.good
    assert any(one.startswith(complaint) for one in complaints(bad)), list(complaints(bad))


def test_what_heals_within_a_minute_need_not_be_told_and_neither_what_is_no_trouble() -> None:
    assert not healed(told=None, seconds=59.0).untold
    assert healed(told=None, seconds=61.0).untold
    assert FaultOutcome(DELETED, remedy=Remedy.REPAIR).untold
    assert not FaultOutcome(DELETED, remedy=Remedy.REPAIR, told=30.0).untold
    assert not FaultOutcome(REPEATS, remedy=Remedy.NOTHING).untold


def test_what_was_told_and_repaired_by_its_command_is_good() -> None:
    assert run(FaultOutcome(DELETED, told=3.0, remedy=Remedy.REPAIR)).good


def test_the_table_has_a_row_for_each_kind_and_service() -> None:
    other = healed(Fault(9.0, Kind.KILL, "kafka", 0.0), 30.0)
    slow = healed(seconds=20.0, told=4.0)
    failed = FaultOutcome(DELETED, told=2.0, remedy=Remedy.RESTART, found=Findings(missing={"a", "b"}))
    skipped = FaultOutcome(Fault(1.0, Kind.CLOCK_STEPS, "", 5.0), skipped="libfaketime is not installed")
    found = {row.title: row for row in rows([run(failed, slow, other), run(healed(), skipped)])}

    assert list(found) == ["kill api", "kill kafka", "connector_deleted", "clock_steps"]
    api = found["kill api"]
    assert (api.runs, api.healed, api.recovery_median, api.recovery_max, api.told_max) == (
        2,
        2,
        20.0,
        20.0,
        4.0,
    )
    assert (found["connector_deleted"].missing, found["connector_deleted"].helped_by) == (2, ("a restart",))
    assert (found["clock_steps"].runs, found["clock_steps"].recovery_max) == (0, None)


def test_markdown_shows_the_same_and_says_what_was_run() -> None:
    text = markdown(
        [run(healed(), FaultOutcome(DELETED, told=2.0, remedy=Remedy.RESTART), acknowledged=1_234)]
    )

    assert "| kill api | 1 | 0 | 0 | 0 | yes | 1.0 | 10.0, 10.0 | 2.0 |" in text
    assert "| connector_deleted | 1 | 0 | 0 | 0 | no; by a restart | 2.0 | - | 0.0 |" in text
    assert "Seeds 1: 1 of 1 runs good, 2 faults, 1,234 acknowledged events" in text


def test_seeds_that_follow_one_another_are_told_as_a_range() -> None:
    outcomes = [replace(run(healed()), plan=Plan(seed, 1.0, ())) for seed in (4, 1, 2, 3, 9)]

    assert summary(outcomes).startswith("Seeds 1-4, 9: 5 of 5 runs good")


def test_json_has_everything() -> None:
    outcome = run(healed(), final=Findings(lost={"a"}))
    read = json.loads(json.dumps(as_json(outcome)))

    assert read["good"] is False
    assert read["final"]["lost"] == {"count": 1, "listed": ["a"]}
    assert read["faults"][0]["recovered_seconds"] == 10.0
    assert read["complaints"] == ["at the end 1 lost: a"]
