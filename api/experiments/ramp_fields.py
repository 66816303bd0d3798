"""What people write of a ramp, and what they read of one."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, model_validator

from api.fields import BasisPoints, PlainKey, Strict
from neonblue.contract.codes import Code
from neonblue.contract.durations import format_duration, read_duration
from neonblue.contract.violation import ContractError
from neonblue.ramps.plan import READY_MADE, Ramp, ReadyMade

OnBreach = Literal["hold", "pause", "roll_back"]

_SHORTEST = timedelta(seconds=1)
_LONGEST = timedelta(days=365)
MOST_STEPS = 50
"""Of one ramp."""


def _duration(text: str) -> str:
    """The project's own text of the same duration, so that equal ones are equal texts."""
    try:
        duration = read_duration(text)
    except ValueError as error:
        raise ContractError(Code.INVALID, str(error)) from None
    if not _SHORTEST <= duration <= _LONGEST:
        raise ContractError(Code.VALUE_OUT_OF_RANGE, "must be from PT1S to P365D")
    return format_duration(duration)


Duration = Annotated[str, Field(max_length=40), AfterValidator(_duration)]


class RampStepIn(Strict):
    """A share of traffic, and what must be reached before the next one."""

    allocation: BasisPoints
    hold: Duration
    units: int | None = Field(default=None, ge=1, le=2**53, strict=True)


class ReleaseAtEndIn(Strict):
    """What is shipped when the last step has held: the experiment is concluded with it."""

    variant_key: PlainKey


class RampIn(Strict):
    """Steps by which the share of traffic grows by itself."""

    steps: list[RampStepIn] = Field(min_length=1, max_length=MOST_STEPS)
    on_breach: OnBreach = "pause"
    release_at_end: ReleaseAtEndIn | None = None

    @model_validator(mode="after")
    def _grows(self) -> Self:
        before = 0
        for number, step in enumerate(self.steps):
            if step.allocation <= before:
                message = f"must be more than the {before} of before: a ramp only grows"
                raise ContractError(Code.MAY_ONLY_GROW, message, f"steps.{number}.allocation")
            before = step.allocation
        return self


def made_by_name(given: Any) -> ReadyMade | None:
    """The ready-made ramp that a text names; None: it is no text. Raises ContractError where there is none."""
    if not isinstance(given, str):
        return None
    made = READY_MADE.get(given)
    if made is None:
        names = ", ".join(READY_MADE)
        raise ContractError(Code.INVALID, f"must be an object with steps, or one of the ready-made: {names}")
    return made


def _by_name(given: Any) -> Any:
    made = made_by_name(given)
    if made is None:
        return given
    steps = [{"allocation": step.share, "hold": format_duration(step.hold)} for step in made.steps]
    return {"steps": steps, "on_breach": made.on_breach}


WrittenRamp = Annotated[
    RampIn | None,
    BeforeValidator(_by_name, json_schema_input_type=RampIn | Literal["standard", "careful"] | None),
]
"""A ramp, or the name of a ready-made one, which is stored as its steps."""


class RampStepOut(BaseModel):
    """A step of a ramp."""

    allocation: int
    hold: str
    units: int | None = None


class ReleaseAtEndOut(BaseModel):
    """What is shipped when the last step has held."""

    variant_key: str


class RampOut(BaseModel):
    """A ramp and where it is."""

    steps: list[RampStepOut]
    on_breach: OnBreach
    release_at_end: ReleaseAtEndOut | None = None
    position: int
    step_since: datetime | None
    held: str | None

    @property
    def plan(self) -> Ramp:
        """As the planner takes it."""
        return Ramp.written(self.steps, concludes=self.release_at_end is not None)


def as_written(ramp: RampOut | None) -> dict[str, Any] | None:
    """The ramp as someone would write it, without where it is."""
    return None if ramp is None else ramp.model_dump(include=set(RampIn.model_fields))
