"""What people read of an experiment."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from api.experiments import examples
from api.experiments.ramp_fields import RampOut
from api.experiments.release_fields import ReleaseOut
from api.metric_catalogue.schemas import MetricOut
from neonblue.contract.life_cycle import Status


class VariantOut(BaseModel):
    """An arm."""

    key: str
    name: str | None
    weight: int
    is_control: bool
    active: bool
    payload: dict[str, Any] | None


class WatchedOut(BaseModel):
    """A metric of the catalogue that is watched beside the experiment's own guardrails."""

    key: str
    version: int = Field(description="Of its definition, which stays while the experiment runs")
    place: int = Field(description="0: watched from the start; 1, 2, …: came later, in this order")
    since: int = Field(description="Version of the experiment from which on units count")
    active: bool = Field(description="False: no longer watched")
    on_breach: str | None = None


class LayerOut(BaseModel):
    """The experiment's slots in its layer: basis points from `start` up to, not including, `end`."""

    key: str
    start: int
    end: int


class DecisionOut(BaseModel):
    """What was decided, by whom and when; null where it was decided before these were kept."""

    outcome: str
    variant_key: str | None
    reason: str
    decided_by: str | None = None
    decided_at: datetime | None = None


class ExperimentOut(BaseModel):
    """An experiment as it stands. Its ETag is its `version`."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.SHOWN]})

    id: int
    key: str
    name: str | None
    hypothesis: str | None
    owner: str | None
    tags: list[str]
    source: str
    unit_type: str
    population: str
    status: Status
    salt: str
    allocation: int
    layer: LayerOut | None
    holdouts: list[str] | None = Field(description="Null: all there are")
    targeting: str | None
    enrolment: str
    outside: str
    rolled_back_from: str | None = Field(
        default=None,
        description="How the enrolment was before a roll back, as resume makes it; null: it is not rolled back",
    )
    version: int
    variants: list[VariantOut]
    metrics: list[MetricOut]
    watched: list[WatchedOut] = Field(
        default=[], description="Metrics of the catalogue by which it is watched beside its own guardrails"
    )
    planned_days: int | None
    planned_units: int | None
    inference: str | None = Field(
        description="How looks share the error, chosen at the start for good: group_sequential or "
        "confidence_sequence; null: not started"
    )
    scheduled_start_at: datetime | None
    scheduled_stop_at: datetime | None
    decision: DecisionOut | None
    release: ReleaseOut | None
    ramp: RampOut | None
    created_at: datetime
    started_at: datetime | None
    concluded_at: datetime | None


class WarningOut(BaseModel):
    """What to look at. Nothing was refused for it."""

    code: str = Field(description="What it is, by a name that never changes its meaning")
    message: str = Field(description="What it is in words, and what to do")
    field: str | None = Field(description="The field that it is about; null: none alone")


class ExperimentAnswer(ExperimentOut):
    """An experiment as it stands, and what whoever starts or reads it should look at. Its ETag is its `version`."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.SHOWN | {"warnings": []}]})

    warnings: list[WarningOut] = Field(description="Empty where there is nothing to look at")


class ExperimentPage(BaseModel):
    """A page of experiments, newest first. `next_cursor` is null on the last one."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"items": [examples.SHOWN], "next_cursor": None}]}
    )

    items: list[ExperimentOut]
    next_cursor: str | None


class VersionOut(BaseModel):
    """One change: who made it, when and why. `difference`: each field that changed, before and after."""

    version: int
    action: str
    created_at: datetime
    created_by: str
    reason: str | None
    difference: dict[str, Any]


class VersionPage(BaseModel):
    """A page of versions, newest first. `next_cursor` is null on the last one."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"items": [examples.VERSION], "next_cursor": None}]}
    )

    items: list[VersionOut]
    next_cursor: str | None


class DueOut(BaseModel):
    """A step whose time had come; `release`: the next one of its ramp; `watch`: what the catalogue watches had changed.

    `code` and `message` say why it could not be taken; null: it was."""

    key: str
    step: str
    status: Status
    version: int
    code: str | None = None
    message: str | None = None


class DueList(BaseModel):
    """What was due, in order of time."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "items": [
                        {
                            "key": "checkout-2026",
                            "step": "start",
                            "status": "running",
                            "version": 3,
                            "code": None,
                            "message": None,
                        }
                    ]
                }
            ]
        }
    )

    items: list[DueOut]


class ForcedVariantOut(BaseModel):
    """A tester's variant."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.FORCED]})

    unit_type: str
    user_id: str
    variant_key: str
    created_at: datetime


class ForcedVariants(BaseModel):
    """Every tester's variant in one experiment."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [examples.FORCED]}]})

    items: list[ForcedVariantOut]
