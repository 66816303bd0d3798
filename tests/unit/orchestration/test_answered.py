"""What follows from a breach, and what people's going on after it means."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from itertools import product

import msgspec
import pytest

from neonblue.analysis import MomentRow
from neonblue.contract.messages import ExperimentMessage, RampMessage, RampStepMessage
from neonblue.guardrails.answered import (
    ACTIONS,
    Answered,
    accepted_at,
    resumes,
    strongest,
    unaccepted,
    unanswered,
)
from neonblue.guardrails.breaches import Breach
from orchestration.defs.guardrails.wording import told
from tests.unit.orchestration.test_guardrails import experiment, metric


def course(*statuses: str) -> dict[int, ExperimentMessage]:
    """An experiment's snapshots, one of each status, by version from 1 on."""
    return {
        version: msgspec.structs.replace(experiment(metric()), version=version, status=status)
        for version, status in enumerate(statuses, start=1)
    }


def breach(metric_key: str = "errors", variant: str = "treatment", on_breach: str | None = None) -> Breach:
    return Breach(
        "checkout", metric_key, variant, 200, 200, 0.1, 0.5, f"{metric_key} is breached.", on_breach
    )


RESUMED = course("draft", "running", "paused", "running", "running", "paused", "running")


def test_resumes_are_told_from_starts_and_changes() -> None:
    assert resumes(RESUMED) == [4, 7]
    assert resumes(course("draft", "scheduled", "running", "running")) == []


@pytest.mark.parametrize(
    ("breached", "accepted"),
    [(2, 4), (4, 7), (5, 7), (7, None), (0, 7)],  # 0: kept by a version that did not keep it
)
def test_a_breach_is_accepted_by_the_first_resume_after_it(breached: int, accepted: int | None) -> None:
    assert accepted_at(RESUMED, Answered("errors", "treatment", breached)) == accepted


def test_of_an_accepted_metric_the_units_that_entered_afterwards_are_evidence_and_of_others_all() -> None:
    rows = [
        MomentRow(key, 1, arm, version, date.min, 1, Decimal(1), Decimal(1))
        for key, arm, version in product(("errors", "crashes"), ("control", "treatment"), (2, 4, 5))
    ]
    kept = unaccepted(rows, RESUMED, [Answered("errors", "treatment", 2)])

    assert {row.version for row in kept if row.metric_key == "errors"} == {4, 5}
    assert {row.variant_key for row in kept if row.metric_key == "errors"} == {"control", "treatment"}
    assert {row.version for row in kept if row.metric_key == "crashes"} == {2, 4, 5}
    assert unaccepted(rows, RESUMED, [Answered("errors", "treatment", 7)]) == rows


def test_what_was_told_is_not_told_again_until_it_was_accepted() -> None:
    found = [breach(), breach("crashes"), breach(variant="other")]
    told_now = Answered("errors", "treatment", 7)

    assert unanswered(found, RESUMED, [told_now]) == found[1:]
    assert unanswered(found, RESUMED, [Answered("errors", "treatment", 2)]) == found


@pytest.mark.parametrize(
    ("wanted", "ramp", "action"),
    [
        ([None], None, "pause"),
        ([None], "hold", "hold"),
        (["alert"], None, "alert"),
        (["alert"], "roll_back", "alert"),
        (["alert", None], None, "pause"),
        (["alert", None], "hold", "hold"),
        (["pause", "roll_back", "alert"], "hold", "roll_back"),
        (["pause", None], "hold", "pause"),
    ],
)
def test_the_strongest_action_is_taken(wanted: list[str | None], ramp: str | None, action: str) -> None:
    for order in (wanted, wanted[::-1]):
        assert strongest([breach(on_breach=one) for one in order], ramp) == action


@pytest.mark.parametrize(
    ("action", "title", "call"),
    [
        ("alert", "Guardrail breached", "pause"),
        ("hold", "Guardrail breached, and the ramp held", "ramp/continue"),
        ("pause", "Experiment paused", "resume"),
        ("roll_back", "Experiment rolled back", "resume"),
    ],
)
def test_people_are_told_what_was_done_and_the_call_that_undoes_it(
    action: str, title: str, call: str
) -> None:
    said = told("checkout", [breach(), breach("crashes")], action, "http://127.0.0.1:8000")

    assert said["title"] == f"{title}: checkout"
    assert said["body"].startswith("errors is breached.\ncrashes is breached.\n")
    command = "ramp checkout --continue" if action == "hold" else f"{call} checkout"
    assert f"neonblue experiment {command} --reason" in said["body"]
    assert f"curl -X POST http://127.0.0.1:8000/v1/experiments/checkout/{call} " in said["body"]


def test_what_was_done_hides_only_what_is_no_stronger() -> None:
    for done, due in product(ACTIONS, ("alert", "pause", "roll_back")):
        earlier = [Answered("errors", "treatment", 1, done)]
        left = unanswered([breach(on_breach=due)], course("running"), earlier)
        assert bool(left) == (ACTIONS.index(done) < ACTIONS.index(due)), (done, due)


def test_to_let_a_held_ramp_go_on_accepts_what_was_seen_and_to_skip_a_step_does_not() -> None:
    ramp = RampMessage(steps=[RampStepMessage(allocation=100, hold="P1D")], on_breach="hold", position=1)
    held = msgspec.structs.replace(ramp, held="errors")

    def versions(*ramps: RampMessage | None) -> dict[int, ExperimentMessage]:
        found = course(*("running" for _ in ramps))
        return {n: msgspec.structs.replace(found[n], ramp=one) for n, one in enumerate(ramps, start=1)}

    assert resumes(versions(ramp, held, ramp)) == [3]
    assert resumes(versions(ramp, held, msgspec.structs.replace(ramp, position=2))) == []
    assert resumes(versions(ramp, held, None)) == []
