"""Which ramps are looked at, what the API is told of them, and what people are told of what was done."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from neonblue.contract.messages import (
    ExperimentMessage,
    MetricMessage,
    RampMessage,
    RampStepMessage,
    ReleaseAtEndMessage,
)
from neonblue.guardrails.breaches import Breach
from orchestration.defs.ramps.due import alert_of, is_due, seen
from orchestration.defs.ramps.repository import read_breaches

NOT_ASKED: Any = None  # whoever asks it fails
SINCE = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
RAMP = RampMessage(
    steps=[
        RampStepMessage(allocation=100, hold="P1D", units=10),
        RampStepMessage(allocation=10_000, hold="P1D"),
    ],
    on_breach="pause",
    position=1,
    step_since="2026-03-01T00:00:00.000000Z",
)


def experiment(ramp: RampMessage | None = RAMP, **fields: Any) -> ExperimentMessage:
    neutral: dict[str, Any] = {"status": "running", "source": "internal", "allocation": 100, "metrics": []}
    return ExperimentMessage(
        experiment_id=1,
        key="checkout",
        unit_type="user",
        population="exposed",
        version=1,
        salt="s",
        variants=[],
        ramp=ramp,
        received_at="2026-03-01T00:00:00.000000Z",
        **(neutral | fields),
    )


@pytest.mark.parametrize(
    ("fields", "after", "due"),
    [
        ({}, DAY, True),
        ({}, DAY - timedelta(seconds=1), False),
        ({"ramp": None}, DAY, False),
        ({"ramp": msgspec.structs.replace(RAMP, held="x")}, DAY, False),
        ({"ramp": msgspec.structs.replace(RAMP, position=0, step_since=None), "allocation": 50}, DAY, True),
        ({"status": "paused"}, DAY, False),
        ({"status": "draft"}, DAY, False),
        ({"status": "concluded"}, DAY, False),
        ({"enrolment": "closed"}, DAY, False),
        ({"allocation": 10_000}, 9 * DAY, False),
        (
            {
                "allocation": 10_000,
                "ramp": msgspec.structs.replace(RAMP, release_at_end=ReleaseAtEndMessage(variant_key="b")),
            },
            DAY,
            True,
        ),
    ],
)
def test_a_ramp_is_looked_at_when_its_steps_time_has_come(
    fields: dict[str, Any], after: timedelta, due: bool
) -> None:
    assert is_due(experiment(**fields), SINCE + after) is due


def test_the_api_is_told_what_was_seen_and_at_which_step() -> None:
    breach = Breach("checkout", "errors", "b", 5, 6, 0.1, 0.2, "errors is breached in b", "roll_back")

    assert seen(RAMP, 12, [breach]) == {
        "position": 1,
        "units": 12,
        "breached": [
            {
                "metric_key": "errors",
                "variant_key": "b",
                "on_breach": "roll_back",
                "reason": "errors is breached in b",
            }
        ],
    }
    assert seen(RAMP, None, None) == {"position": 1, "units": None, "breached": None}


@pytest.mark.parametrize(
    ("action", "undo"),
    [
        ("hold", "/v1/experiments/checkout/ramp/continue"),
        ("pause", "/v1/experiments/checkout/resume"),
        ("roll_back", "/v1/experiments/checkout/resume"),
        ("conclude", "neonblue experiment decide checkout --roll-back"),
    ],
)
def test_people_are_told_what_was_done_and_the_one_call_that_undoes_it(action: str, undo: str) -> None:
    found = alert_of({"key": "checkout", "action": action, "why": "errors is breached in b", "version": 7})

    assert found is not None
    assert "errors is breached in b" in found.body
    assert undo in found.body
    assert found.subject == "ramp/checkout/7"


@pytest.mark.parametrize("action", ["wait", "advance"])
def test_nobody_is_woken_for_a_step(action: str) -> None:
    assert alert_of({"key": "checkout", "action": action, "why": "step 2 of 3", "version": 7}) is None


GUARDRAIL = MetricMessage(
    key="errors",
    version=1,
    type="proportion",
    event_type="error",
    aggregation="any",
    role="guardrail",
    window_seconds=60,
)


@pytest.mark.parametrize("counted", [None, SINCE, SINCE + DAY - timedelta(microseconds=1)])
def test_until_the_present_steps_whole_time_is_counted_nobody_says_that_the_guardrails_hold(
    counted: datetime | None,
) -> None:
    watched = experiment(metrics=[GUARDRAIL])
    assert read_breaches(NOT_ASKED, {1: watched}, counted) is None


def test_without_a_guardrail_none_is_breached() -> None:
    assert read_breaches(NOT_ASKED, {1: experiment()}, None) == []
