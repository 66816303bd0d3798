"""What people write of a release, and what they read of one."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from api.experiments import examples
from api.experiments.ramp_fields import MOST_STEPS, Duration, made_by_name
from api.fields import BasisPoints, PlainKey, Reason, Strict
from neonblue.bucketing import FULL_ALLOCATION
from neonblue.contract.codes import Code
from neonblue.contract.durations import format_duration, read_duration
from neonblue.contract.instants import format_instant
from neonblue.contract.violation import ContractError
from neonblue.ramps.plan import Ramp, RampStep
from neonblue.ramps.planner import Standing


class ReleaseStepIn(Strict):
    """A share of the population, and how long it stays before the next one."""

    share: BasisPoints
    hold: Duration


class ReleaseRampIn(Strict):
    """Steps by which the released share grows, by time alone."""

    steps: list[ReleaseStepIn] = Field(min_length=1, max_length=MOST_STEPS)

    @model_validator(mode="after")
    def _grows(self) -> Self:
        for number, (before, step) in enumerate(pairwise([None, *self.steps])):
            reached = 0 if before is None else before.share
            if step is not None and step.share <= reached:
                message = f"must be more than the {reached} of before: a ramp only grows"
                raise ContractError(Code.MAY_ONLY_GROW, message, f"steps.{number}.share")
        return self


def _by_name(given: Any) -> Any:
    made = made_by_name(given)
    if made is None:
        return given
    return {"steps": [{"share": step.share, "hold": format_duration(step.hold)} for step in made.steps]}


WrittenReleaseRamp = Annotated[
    ReleaseRampIn | None,
    BeforeValidator(_by_name, json_schema_input_type=ReleaseRampIn | Literal["standard", "careful"] | None),
]
"""A release's ramp, or the name of a ready-made one, of which it takes shares and times."""


class ReleaseIn(Strict):
    """What the key gives once it is concluded: the variant, to a share of the population; the control to all others."""

    variant_key: PlainKey
    share: BasisPoints = Field(
        default=FULL_ALLOCATION,
        description='Of the population, in basis points: 10000 are 100 %; or as a text, "25 %". Those who had the '
        "variant come first: a share that grows takes it from nobody. With a ramp its first step's, where absent",
    )
    population: Literal["targeted", "everyone"] = Field(
        default="targeted", description="targeted: whom targeting means; everyone. Holdouts hold on in both"
    )
    ramp: WrittenReleaseRamp = Field(
        default=None,
        description="Steps by which the share grows by itself, by time alone; null: it stays. Another release ends it",
    )

    @model_validator(mode="after")
    def _starts_with_the_first_step(self) -> Self:
        if self.ramp is None:
            return self
        first = self.ramp.steps[0].share
        if "share" in self.model_fields_set and self.share != first:
            message = f"the ramp starts with its first step, {first}: leave the share out"
            raise ContractError(Code.INVALID, message, "share")
        return self

    def stored(self, now: datetime) -> dict[str, Any]:
        """As it is stored; the time of its first step begins now."""
        share = self.share if self.ramp is None else self.ramp.steps[0].share
        return _stored(self.variant_key, share, self.population, self.ramp, now)


class ReleasePut(ReleaseIn):
    """A release in place of the one before."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                examples.RELEASE | {"reason": "The first day went well"},
                {"variant_key": "short-form", "ramp": examples.RELEASE_RAMP},
            ]
        }
    )

    reason: Reason | None = Field(default=None, description="Why; kept with the version")


class ReleaseStepOut(BaseModel):
    """A step of a release's ramp."""

    share: int
    hold: str


class ReleaseRampOut(BaseModel):
    """The steps of a release that grows, and since when its share is what it is."""

    steps: list[ReleaseStepOut]
    step_since: datetime


class ReleaseOut(BaseModel):
    """What the key of a concluded experiment gives, to which share of whom; everybody else gets the control."""

    variant_key: str
    share: int
    population: str
    ramp: ReleaseRampOut | None = Field(
        default=None, description="How the share grows by itself; null: no step is to come"
    )

    def stored(self) -> dict[str, Any]:
        """As it is stored."""
        since = None if self.ramp is None else self.ramp.step_since
        return _stored(self.variant_key, self.share, self.population, self.ramp, since)

    def at(self, share: int, now: datetime) -> dict[str, Any]:
        """As it is stored once its ramp has taken it to this share, now."""
        return _stored(self.variant_key, share, self.population, self.ramp, now)

    def growing(self) -> tuple[Ramp, Standing] | None:
        """The ramp and where it is, as the planner takes them; None: no step is to come."""
        if self.ramp is None:
            return None
        steps = tuple(RampStep(step.share, read_duration(step.hold)) for step in self.ramp.steps)
        return Ramp(steps), Standing(share=self.share, position=0, since=self.ramp.step_since)


def _stored(
    variant_key: str,
    share: int,
    population: str,
    ramp: ReleaseRampIn | ReleaseRampOut | None,
    since: datetime | None,
) -> dict[str, Any]:
    """Without a ramp where no step of it is to come."""
    release: dict[str, Any] = {"variant_key": variant_key, "share": share, "population": population}
    if ramp is None or since is None or ramp.steps[-1].share <= share:
        return release
    steps = [{"share": step.share, "hold": step.hold} for step in ramp.steps]
    return release | {"ramp": {"steps": steps, "step_since": format_instant(since)}}
