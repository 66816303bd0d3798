"""What is said of a ramp, and what is seen of it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.fields import PlainKey, Reason, Strict
from neonblue.contract.life_cycle import Status
from neonblue.ramps.planner import Action

_BREACH: dict[str, Any] = {
    "metric_key": "errors",
    "variant_key": "short-form",
    "on_breach": None,
    "reason": "Guardrail errors is breached in short-form: 0.12 against 0.05 in control",
}
_PROGRESS: dict[str, Any] = {
    "key": "checkout-2026",
    "status": "running",
    "allocation": 500,
    "position": 2,
    "step_since": "2026-03-02T09:30:00Z",
    "steps": [
        {"allocation": 100, "hold": "P1D", "units": None, "state": "taken"},
        {"allocation": 500, "hold": "P1D", "units": 2000, "state": "current"},
        {"allocation": 10000, "hold": "P1D", "units": None, "state": "to_come"},
    ],
    "on_breach": "roll_back",
    "release_at_end": None,
    "held": None,
    "next": {
        "action": "advance",
        "allocation": 10000,
        "earliest_at": "2026-03-03T09:30:00Z",
        "waits_for": "1203 of 2000 units are in",
    },
}


class RampWord(Strict):
    """Why; kept with the version."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "The shop is closed until Monday"}]})

    reason: Reason


class RampBreach(Strict):
    """A guardrail that is breached by its anytime-valid test."""

    metric_key: PlainKey
    variant_key: PlainKey
    on_breach: Literal["alert", "pause", "roll_back"] | None = None
    reason: Reason


class RampEvidence(Strict):
    """What was seen of a ramp's units and guardrails, at which of its steps."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"position": 2, "units": 2417, "breached": []}]}
    )

    position: int = Field(ge=0, le=2**31 - 1, strict=True)
    units: int | None = Field(ge=0, le=2**53, strict=True)
    breached: Annotated[list[RampBreach], Field(max_length=10_000)] | None


class RampDone(BaseModel):
    """What was done, and why; where the experiment stands after it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "key": "checkout-2026",
                    "action": "advance",
                    "why": "step 3 of 3, 100 %",
                    "status": "running",
                    "version": 5,
                    "allocation": 10000,
                    "position": 3,
                }
            ]
        }
    )

    key: str
    action: Action
    why: str
    status: Status
    version: int
    allocation: int
    position: int


class RampStepShown(BaseModel):
    """A step, and whether it was taken."""

    allocation: int
    hold: str
    units: int | None
    state: Literal["taken", "current", "to_come"]


class RampNext(BaseModel):
    """What comes next if nothing speaks against it."""

    action: Literal["advance", "conclude"]
    allocation: int | None
    earliest_at: datetime | None
    waits_for: str


class RampEnd(BaseModel):
    """What is shipped when the last step has held."""

    variant_key: str


class RampProgress(BaseModel):
    """A ramp's steps, taken and to come, what comes next, and why it waits."""

    model_config = ConfigDict(json_schema_extra={"examples": [_PROGRESS]})

    key: str
    status: Status
    allocation: int
    position: int
    step_since: datetime | None
    steps: list[RampStepShown]
    on_breach: Literal["hold", "pause", "roll_back"]
    release_at_end: RampEnd | None
    held: str | None
    next: RampNext | None = Field(description="Null: every step is taken, or it is over")
