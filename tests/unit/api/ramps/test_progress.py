"""What is shown of a ramp: its steps, what comes next, and for what it waits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api.ramps.progress import progress_of

SINCE = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def row(position: int = 1, allocation: int = 100, **fields: Any) -> dict[str, Any]:
    ramp = {
        "steps": [
            {"allocation": 100, "hold": "P1D", "units": 10},
            {"allocation": 500, "hold": "P2D", "units": None},
        ],
        "on_breach": "pause",
        "release_at_end": None,
        "position": position,
        "step_since": SINCE.isoformat(),
        "held": None,
        "closed": False,
        "waits": None,
    }
    neutral: dict[str, Any] = {
        "key": "e",
        "status": "running",
        "allocation": allocation,
        "enrolment": "open",
        "ramp": ramp | {name: fields.pop(name) for name in list(fields) if name in ramp},
    }
    return neutral | fields


@pytest.mark.parametrize(
    ("state", "after", "waits"),
    [
        ({}, DAY / 2, "step 1 holds until then"),
        ({}, DAY, "the next look at its units and guardrails"),
        ({"waits": "3 of 10 units are in"}, DAY, "3 of 10 units are in"),
        ({"waits": "3 of 10 units are in"}, DAY / 2, "step 1 holds until then"),
        ({"held": "a holiday"}, DAY, "it is held: a holiday"),
        ({"status": "paused"}, DAY, "it does not run"),
        ({"enrolment": "closed"}, DAY, "its enrolment is closed: a larger share would take in nobody"),
    ],
)
def test_it_says_for_what_it_waits(state: dict[str, Any], after: timedelta, waits: str) -> None:
    found = progress_of(row(**state), SINCE + after).next

    assert found is not None
    assert (found.waits_for, found.allocation, found.earliest_at) == (waits, 500, SINCE + DAY)


@pytest.mark.parametrize(
    ("position", "states"),
    [(0, ["to_come", "to_come"]), (1, ["current", "to_come"]), (2, ["taken", "current"])],
)
def test_steps_are_taken_current_or_to_come(position: int, states: list[str]) -> None:
    assert [step.state for step in progress_of(row(position), SINCE).steps] == states


def test_after_the_last_step_nothing_comes() -> None:
    assert progress_of(row(2, 500), SINCE + 9 * DAY).next is None


def test_the_release_that_was_chosen_comes_after_the_last_step() -> None:
    found = progress_of(row(2, 500, release_at_end={"variant_key": "b"}), SINCE + DAY).next

    assert found is not None
    assert (found.action, found.allocation, found.earliest_at) == ("conclude", None, SINCE + 2 * DAY)
