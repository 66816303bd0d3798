"""A decision beside what the data say: when it is made and in every report, by one rule."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from itertools import product

import pytest

from api.experiments.schemas import DecisionIn
from api.experiments.verdicts import against
from neonblue.analysis.answer import Answer, DecisionItem, nothing
from neonblue.analysis.stamp import Stamp
from neonblue.analysis.why import OK, State, Why
from neonblue.findings.heading import heading_of
from neonblue.findings.said import said_in
from neonblue.statistics import Action
from tests.unit.findings.test_heading import about, decided

STAMP = Stamp(datetime(2026, 3, 1, tzinfo=UTC), None, 1, "x")
SAID = nothing("e", 1, STAMP, OK)
ARMS: dict[Action, list[str | None]] = {Action.SHIP: ["b", "c"], Action.ROLL_BACK: ["b"]}
VERDICTS = [(action, arm) for action in Action for arm in ARMS.get(action, [None])]
CONTRARY = {
    *(("ship", action, arm) for action, arm in VERDICTS if (action, arm) != (Action.SHIP, "b")),
    ("roll_back", Action.SHIP, "b"),
    ("roll_back", Action.SHIP, "c"),
    ("inconclusive", Action.SHIP, "b"),
    ("inconclusive", Action.SHIP, "c"),
    ("inconclusive", Action.ROLL_BACK, "b"),
}
OUTCOMES = ["ship", "roll_back", "inconclusive"]


def decision(outcome: str) -> DecisionIn:
    arm = {"variant_key": "b"} if outcome == "ship" else {}
    return DecisionIn.model_validate({"outcome": outcome, "reason": "r"} | arm)


def warned(outcome: str, answer: Answer) -> tuple[bool, bool]:
    """Whether the API warns whoever decides so, and whether the report warns its readers."""
    recorded = about("concluded", decided(outcome, "b" if outcome == "ship" else None))
    return bool(against(decision(outcome), answer)), bool(heading_of(recorded, said_in(answer)).warning)


@pytest.mark.parametrize(("outcome", "verdict"), list(product(OUTCOMES, VERDICTS)))
def test_the_decision_and_its_report_are_judged_by_one_rule(
    outcome: str, verdict: tuple[Action, str | None]
) -> None:
    action, arm = verdict
    answer = replace(SAID, decision=DecisionItem(action, "What they say.", arm=arm))

    assert warned(outcome, answer) == ((outcome, action, arm) in CONTRARY,) * 2
    assert all(w.message.endswith("the data say: What they say.") for w in against(decision(outcome), answer))


@pytest.mark.parametrize(("outcome", "state"), list(product(OUTCOMES, State)))
def test_without_a_verdict_only_to_ship_is_warned_of(outcome: str, state: State) -> None:
    answer = nothing("e", 1, STAMP, Why(state, "Why there is none."))

    assert warned(outcome, answer) == (outcome == "ship",) * 2


def test_too_early_a_verdict_that_decides_nothing_is_told_by_its_reason() -> None:
    early = replace(
        SAID,
        status=State.TOO_EARLY,
        reason="Too early: 2 of 200 units.",
        decision=DecisionItem(Action.KEEP_RUNNING, "x"),
    )

    (warning,) = against(decision("ship"), early)
    assert warning.code == "against_the_data"
    assert warning.message.endswith("the data say: Too early: 2 of 200 units.")


def test_to_ship_without_numbers_is_warned_of_with_the_reason() -> None:
    (unread,) = against(decision("ship"), None)
    (empty,) = against(
        decision("ship"), nothing("e", 1, STAMP, Why(State.NO_DATA, "No unit has been exposed yet."))
    )
    assert "the results can't be read now" in unread.message
    assert "No unit has been exposed yet." in empty.message
    assert against(decision("roll_back"), None) == []
