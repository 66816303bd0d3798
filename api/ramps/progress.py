"""Where a ramp is, out of the experiment's row: pure functions."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from api.experiments.ramp_fields import RampOut
from api.experiments.repository import Row
from api.ramps.schemas import RampEnd, RampNext, RampProgress, RampStepShown
from neonblue.contract.life_cycle import Status
from neonblue.ramps.plan import Ramp
from neonblue.ramps.planner import Action, Evidence, Standing, next_action, outlook

_NOT_LOOKED = "the next look at its units and guardrails"
_NOTHING_AGAINST = Evidence(units=2**53, breached=())


def planned(row: Row) -> Ramp:
    """The ramp's steps."""
    return RampOut.model_validate(row["ramp"]).plan


def standing_of(row: Row) -> Standing:
    """Where it is, as the planner takes it."""
    ramp = RampOut.model_validate(row["ramp"])
    return standing_in(ramp, row["status"], row["allocation"], row["enrolment"])


def standing_in(ramp: RampOut, status: str, allocation: int, enrolment: str) -> Standing:
    """Where it is in an experiment of this status, allocation and enrolment."""
    return Standing(
        share=allocation,
        position=ramp.position,
        since=ramp.step_since,
        held=ramp.held,
        runs=status == Status.RUNNING,
        takes_in=enrolment == "open",
    )


def progress_of(row: Row, now: datetime) -> RampProgress:
    """The steps, what comes next, and why it waits: for its time, or what the last look saw."""
    ramp = RampOut.model_validate(row["ramp"])
    end = ramp.release_at_end
    return RampProgress(
        key=row["key"],
        status=row["status"],
        allocation=row["allocation"],
        position=ramp.position,
        step_since=ramp.step_since,
        steps=[
            RampStepShown(**step.model_dump(), state=_state(number, ramp.position))
            for number, step in enumerate(ramp.steps)
        ],
        on_breach=ramp.on_breach,
        release_at_end=None if end is None else RampEnd(variant_key=end.variant_key),
        held=ramp.held,
        next=_next(row, now),
    )


def _next(row: Row, now: datetime) -> RampNext | None:
    if row["status"] in (Status.CONCLUDED, Status.ARCHIVED):
        return None
    ramp, standing = planned(row), standing_of(row)
    coming = outlook(ramp, standing)
    if coming is None:
        return None
    at_best = next_action(ramp, standing, now, _NOTHING_AGAINST)
    waits = at_best.why if at_best.action is Action.WAIT else row["ramp"]["waits"] or _NOT_LOOKED
    return RampNext(
        action="advance" if coming.action is Action.ADVANCE else "conclude",
        allocation=coming.share,
        earliest_at=coming.until,
        waits_for=waits,
    )


def _state(number: int, position: int) -> Literal["taken", "current", "to_come"]:
    if number < position - 1:
        return "taken"
    return "current" if number == position - 1 else "to_come"
