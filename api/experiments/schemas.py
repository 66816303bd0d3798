"""What people write to create an experiment, and what they read."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from neonblue.bucketing import FULL_ALLOCATION
from neonblue.contract.limits import KEY_LENGTH
from neonblue.contract.texts import count_keys
from neonblue.contract.violation import ContractError


def _storable(text: str) -> str:
    if "\x00" in text:
        raise ValueError("must not contain the NUL character")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("contains half of a surrogate pair, which is no character") from None
    return text


def _storable_object(value: dict[str, Any] | None) -> dict[str, Any] | None:
    if value is not None:
        try:
            count_keys(value, "", texts=True)
        except ContractError as error:
            raise ValueError(str(error)) from None
    return value


ExperimentKey = Annotated[
    str, StringConstraints(min_length=1, max_length=KEY_LENGTH, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
]
PlainKey = Annotated[
    str,
    StringConstraints(min_length=1, max_length=KEY_LENGTH, pattern=r"^[^\x00-\x1f]+$"),
    AfterValidator(_storable),
]
Text = Annotated[str, StringConstraints(max_length=2_000), AfterValidator(_storable)]
Salt = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._-]+$")]
Payload = Annotated[dict[str, Any] | None, AfterValidator(_storable_object)]
Cap = Annotated[Decimal, Field(gt=0, max_digits=18, decimal_places=6)]


class Status(StrEnum):
    DRAFT = "draft"
    RUNNING = "running"
    CONCLUDED = "concluded"


class Step(StrEnum):
    """A step of the life cycle."""

    START = "start"
    CONCLUDE = "conclude"


class Strict(BaseModel):
    """No unknown fields, no conversion of one type to another."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class VariantIn(Strict):
    key: PlainKey
    name: Text | None = None
    weight: int = Field(default=1, ge=1, le=1_000_000, strict=True)
    is_control: bool = False
    payload: Payload = None


class MetricIn(Strict):
    """`proportion`: whether a unit has such an event. `mean`: the count of its events or the sum of their value."""

    key: PlainKey
    type: Literal["proportion", "mean"]
    role: Literal["primary", "secondary", "guardrail"] = "primary"
    direction: Literal["increase", "decrease"] = "increase"
    event_type: PlainKey
    property_filter: dict[PlainKey, Text] | None = Field(default=None, max_length=20)
    aggregation: Literal["any", "count", "sum"]
    window_seconds: int | None = Field(default=None, ge=1, le=10 * 366 * 86_400, strict=True)
    cap: Cap | None = None
    version: Literal[1] | None = None

    @model_validator(mode="after")
    def _computable(self) -> Self:
        if (self.type == "proportion") != (self.aggregation == "any"):
            raise ValueError("a proportion takes the aggregation any, a mean takes count or sum")
        if self.type == "proportion" and self.cap is not None:
            raise ValueError("a proportion has no cap")
        return self


class ExperimentIn(Strict):
    """An experiment to create, as a draft."""

    key: ExperimentKey
    name: Text | None = None
    hypothesis: Text | None = None
    source: Literal["internal", "external"] = "internal"
    unit_type: PlainKey = "user"
    population: Literal["exposed", "assigned"] = "exposed"
    allocation: int = Field(
        default=FULL_ALLOCATION, ge=0, le=FULL_ALLOCATION, strict=True, description="Basis points of traffic"
    )
    salt: Salt | None = Field(default=None, description="Made where absent")
    variants: list[VariantIn] = Field(min_length=2, max_length=100)
    metrics: list[MetricIn] = Field(default_factory=list, max_length=100)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        _unique([variant.key for variant in self.variants], "variants")
        _unique([metric.key for metric in self.metrics], "metrics")
        controls = sum(variant.is_control for variant in self.variants)
        if controls != 1:
            raise ValueError(f"variants: exactly one is the control, not {controls}")
        return self


class VariantOut(BaseModel):
    key: str
    name: str | None
    weight: int
    is_control: bool
    payload: dict[str, Any] | None


class MetricOut(BaseModel):
    key: str
    version: int
    type: str
    role: str
    direction: str
    event_type: str
    property_filter: dict[str, str] | None
    aggregation: str
    window_seconds: int | None
    cap: str | None = Field(description="A decimal")


class ExperimentOut(BaseModel):
    id: int
    key: str
    name: str | None
    hypothesis: str | None
    source: str
    unit_type: str
    population: str
    status: Status
    salt: str
    allocation: int
    version: int
    variants: list[VariantOut]
    metrics: list[MetricOut]
    created_at: datetime
    started_at: datetime | None
    concluded_at: datetime | None


class ExperimentPage(BaseModel):
    """A page of experiments, newest first. `next_cursor` is null on the last one."""

    items: list[ExperimentOut]
    next_cursor: str | None


def _unique(keys: list[str], field: str) -> None:
    if len(set(keys)) != len(keys):
        raise ValueError(f"{field}: two have the same key")
