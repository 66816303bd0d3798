"""What the platform writes of a look, and what people read: `neonblue.contract.looks` says what each number means."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.fields import Flag, Instant, PlainKey, Strict
from neonblue.contract.instants import format_instant
from neonblue.contract.looks import LookCell, LookMessage

_MOST_CELLS = 100 * 99
"""Of an experiment with as many metrics and treatments as there may be."""

Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Positive = Annotated[Number, Field(ge=0)]
Probability = Annotated[Number, Field(ge=0, le=1)]
Inside = Annotated[Number, Field(gt=0, lt=1)]
Logarithm = Annotated[Number, Field(le=0)]
Units = Annotated[int, Field(ge=0, le=2**53, strict=True)]
Ordinal = Annotated[int, Field(ge=1, le=2**31 - 1, strict=True)]
Size = Annotated[int, Field(ge=1, le=2**53, strict=True)]
InstantText = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
Inference = Literal["group_sequential", "confidence_sequence"]

_CELL: dict[str, Any] = {
    "metric_key": "finished",
    "metric_version": 1,
    "variant_key": "short-form",
    "n_control": 10_012,
    "n_variant": 9_988,
    "information": 4_999.99,
    "share": 0.5,
    "spent": 0.00305,
    "z": 3.1,
    "p_value": 0.0019,
    "log10_p": -2.72,
    "adjusted_p": 0.0019,
    "difference": 0.0131,
    "lower": 0.0006,
    "upper": 0.0256,
    "relative_lower": 0.006,
    "relative_upper": 0.262,
    "level": 0.95,
    "rejected": True,
    "rejected_at": "2026-03-09T00:00:00.000000Z",
    "guardrail": "",
    "guardrail_bound": None,
    "guardrail_p": None,
}
_LOOK: dict[str, Any] = {
    "number": 7,
    "closed_to": "2026-03-09T00:00:00.000000Z",
    "configuration_version": 3,
    "inference": "group_sequential",
    "planned_units": 40_000,
    "alpha": 0.05,
    "cells": [_CELL],
}
_KEPT = _LOOK | {"experiment": "checkout-2026", "taken_at": "2026-03-09T00:20:04.120000Z"}


class CellFields(Strict):
    metric_key: PlainKey
    metric_version: Ordinal
    variant_key: PlainKey
    n_control: Units
    n_variant: Units
    information: Positive
    share: Positive
    spent: Probability
    z: Number | None = None
    p_value: Probability | None = None
    log10_p: Logarithm | None = None
    adjusted_p: Probability | None = None
    difference: Number | None = None
    lower: Number | None = None
    upper: Number | None = None
    relative_lower: Number | None = None
    relative_upper: Number | None = None
    level: Inside | None = None
    rejected: Flag = False
    guardrail: Literal["", "open", "held", "breached"] = ""
    guardrail_bound: Number | None = None
    guardrail_p: Probability | None = None


class CellIn(CellFields):
    """One metric of one treatment at a look, and what stands since."""

    rejected_at: Instant | None = None

    def message(self) -> LookCell:
        """As it is kept."""
        fields = self.model_dump(exclude={"rejected_at"})
        at = None if self.rejected_at is None else format_instant(self.rejected_at)
        return LookCell(**fields, rejected_at=at)


class CellOut(CellFields):
    """One metric of one treatment at a look, and what stands since: p, interval, rejection, guardrail."""

    rejected_at: InstantText | None


class LookIn(Strict):
    """A look to keep: the next one of its experiment."""

    model_config = ConfigDict(json_schema_extra={"examples": [_LOOK]})

    number: Ordinal
    closed_to: Instant = Field(description="Units and events up to this time were judged")
    configuration_version: Ordinal
    inference: Inference
    planned_units: Size | None = None
    alpha: Inside
    cells: list[CellIn] = Field(default_factory=list, max_length=_MOST_CELLS)

    def message(self, experiment: str) -> LookMessage:
        """As it is kept of the experiment of this key."""
        return LookMessage(
            experiment=experiment,
            number=self.number,
            closed_to=format_instant(self.closed_to),
            configuration_version=self.configuration_version,
            inference=self.inference,
            planned_units=self.planned_units,
            alpha=self.alpha,
            cells=[cell.message() for cell in self.cells],
        )


class LookOut(BaseModel):
    """A look that was taken: it never changes."""

    model_config = ConfigDict(json_schema_extra={"examples": [_KEPT]})

    experiment: str
    number: int
    closed_to: InstantText
    taken_at: InstantText
    configuration_version: int
    inference: Inference
    planned_units: int | None
    alpha: float
    cells: list[CellOut]


class LookList(BaseModel):
    """Every look, in order."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_KEPT]}]})

    items: list[LookOut]
