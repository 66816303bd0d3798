"""The life cycle: every state with every step, and what is due when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neonblue.contract.life_cycle import IllegalStep, Status, Step, due_step, legal_steps, next_status

LEGAL = {
    ("draft", "schedule"): "scheduled",
    ("draft", "start"): "running",
    ("scheduled", "unschedule"): "draft",
    ("scheduled", "start"): "running",
    ("running", "pause"): "paused",
    ("running", "roll_back"): "paused",
    ("running", "conclude"): "concluded",
    ("paused", "resume"): "running",
    ("paused", "roll_back"): "paused",
    ("paused", "conclude"): "concluded",
    ("concluded", "archive"): "archived",
}
NOW = datetime(2026, 3, 1, tzinfo=UTC)
EARLIER, LATER = NOW - timedelta(seconds=1), NOW + timedelta(seconds=1)


@pytest.mark.parametrize(("status", "step"), list(product(Status, Step)))
def test_a_step_leads_where_the_life_cycle_says_or_is_refused(status: Status, step: Step) -> None:
    expected = LEGAL.get((status.value, step.value))
    if expected is not None:
        assert next_status(status, step) is Status(expected)
        return
    with pytest.raises(IllegalStep) as refused:
        next_status(status, step)
    assert {str(legal) for legal in refused.value.legal} == {
        name for (state, name) in LEGAL if state == status.value
    }
    for legal in refused.value.legal:
        assert legal in str(refused.value)


@given(st.lists(st.sampled_from(Step), max_size=30))
def test_what_has_started_never_becomes_a_draft_again_and_what_ended_stays_ended(steps: list[Step]) -> None:
    status, started, ended = Status.DRAFT, False, False
    for step in steps:
        if step in legal_steps(status):
            status = next_status(status, step)
        started = started or status is Status.RUNNING
        ended = ended or status is Status.CONCLUDED
        assert not (started and status in (Status.DRAFT, Status.SCHEDULED))
        assert not (ended and status not in (Status.CONCLUDED, Status.ARCHIVED))


@pytest.mark.parametrize(
    ("status", "start", "stop", "expected"),
    [
        (Status.SCHEDULED, EARLIER, None, Step.START),
        (Status.SCHEDULED, NOW, LATER, Step.START),
        (Status.SCHEDULED, LATER, None, None),
        (Status.SCHEDULED, EARLIER - timedelta(1), EARLIER, Step.UNSCHEDULE),
        (Status.RUNNING, EARLIER, None, None),
        (Status.RUNNING, EARLIER, LATER, None),
        (Status.RUNNING, None, NOW, Step.CONCLUDE),
        (Status.PAUSED, None, EARLIER, Step.CONCLUDE),
        (Status.DRAFT, EARLIER, None, None),
        (Status.CONCLUDED, EARLIER, EARLIER, None),
        (Status.ARCHIVED, EARLIER, EARLIER, None),
    ],
)
def test_what_is_due(
    status: Status, start: datetime | None, stop: datetime | None, expected: Step | None
) -> None:
    assert due_step(status, start, stop, NOW) is expected


@given(
    st.sampled_from(Status),
    st.none() | st.integers(-5, 5),
    st.none() | st.integers(-5, 5),
)
def test_what_is_due_is_a_legal_step(status: Status, start: int | None, stop: int | None) -> None:
    step = due_step(
        status,
        None if start is None else NOW + timedelta(seconds=start),
        None if stop is None else NOW + timedelta(seconds=stop),
        NOW,
    )
    assert step is None or step in legal_steps(status)
