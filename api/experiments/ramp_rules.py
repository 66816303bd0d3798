"""What may be changed of a ramp, and where a changed one is: pure functions."""

from __future__ import annotations

from collections.abc import Iterator

from api.experiments.ramp_fields import RampIn, RampOut, as_written
from neonblue.contract.codes import Code
from neonblue.contract.life_cycle import STARTED, Status
from neonblue.contract.violation import Violation
from neonblue.ramps.plan import Ramp

_UNSTARTED = frozenset({Status.DRAFT, Status.SCHEDULED})


def refusals(before: RampOut | None, after: RampIn | None) -> Iterator[Violation]:
    """Which steps of what has started may not be as they are now. A ramp may be taken away whole."""
    if before is None or after is None or as_written(before) == after.model_dump():
        return
    for number, step in enumerate(before.steps[: before.position]):
        place = f"ramp.steps.{number}"
        if number >= len(after.steps):
            yield Violation(Code.FROZEN, "the step was taken and can't be left out", place)
        elif after.steps[number].model_dump() != step.model_dump():
            message = f"the step was taken and can't change: {step.allocation} basis points, {step.hold}"
            yield Violation(Code.FROZEN, message, place)


def first_share(status: Status, ramp: RampIn | None) -> int | None:
    """The allocation of what has not started and has a ramp: its first step's. None: no ramp says it."""
    return ramp.steps[0].allocation if ramp is not None and status in _UNSTARTED else None


def start_refusal(given: int | None, ramp: RampIn) -> Violation | None:
    """Why an allocation beside a ramp of what has not started is refused. given: None where none was named."""
    first = ramp.steps[0].allocation
    if given is None or given == first:
        return None
    message = f"the ramp starts with its first step, {first}: leave the allocation out"
    return Violation(Code.INVALID, message, "allocation")


def position(status: Status, before: RampOut | None, after: RampIn, allocation: int) -> int:
    """How many steps are taken once the ramp and the allocation are these; what was taken stays so."""
    if status not in STARTED:
        return 0
    taken = 0 if before is None else before.position
    return max(taken, Ramp.written(after.steps, concludes=False).reached(allocation))
