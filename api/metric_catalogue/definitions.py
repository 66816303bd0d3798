"""What a metric means. A definition that can't be computed can't be made."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import msgspec
from pydantic import Field, model_validator

from api.fields import Amount, Flag, Fraction, PlainKey, Strict, Text
from api.metric_catalogue.rules import broken_rule
from neonblue.contract.messages import DenominatorMessage, MetricMessage
from neonblue.contract.metric_types import AGGREGATIONS, DENOMINATOR_AGGREGATIONS, METRIC_TYPES, SUMMED
from neonblue.contract.violation import ContractError

LONGEST_WINDOW_SECONDS = 10 * 366 * 86_400

if TYPE_CHECKING:
    MetricType = str
    Aggregation = str
    DenominatorAggregation = str
else:
    MetricType = Literal[tuple(METRIC_TYPES)]
    Aggregation = Literal[AGGREGATIONS]
    DenominatorAggregation = Literal[DENOMINATOR_AGGREGATIONS]

Role = Literal["primary", "secondary", "guardrail"]
OnBreach = Literal["alert", "pause", "roll_back"]
Filter = Annotated[dict[PlainKey, Text] | None, Field(max_length=20)]
Effect = Annotated[Decimal, Field(gt=0, le=100, max_digits=9, decimal_places=6)]


class Denominator(Strict):
    """What a ratio divides by, on the same unit in the same window."""

    event_type: PlainKey
    property_filter: Filter = None
    aggregation: DenominatorAggregation


class DefinitionFields(Strict):
    """The fields of a definition that have a default."""

    role: Role = "primary"
    direction: Literal["increase", "decrease"] = "increase"
    property_filter: Filter = None
    denominator: Denominator | None = None
    window_start_seconds: int = Field(default=0, ge=0, le=LONGEST_WINDOW_SECONDS, strict=True)
    window_seconds: int | None = Field(default=None, ge=1, le=LONGEST_WINDOW_SECONDS, strict=True)
    cap: Amount | None = None
    cap_percentile: Fraction | None = None
    quantile: Fraction | None = None
    minimum_effect: Effect | None = None
    margin: Amount | None = None
    margin_relative: Flag = True
    cuped: Flag | None = Field(
        default=None,
        description="Whether what a unit did before its exposure is used to reduce the variance; null: wherever the "
        "type allows it",
    )
    missing: Literal["zero", "exclude"] = "zero"
    on_breach: OnBreach | None = Field(
        default=None,
        description="What follows when the guardrail is shown to be harmed; null: what the ramp says, else a pause",
    )


class MetricDefinition(DefinitionFields):
    """What is measured on each unit.

    `proportion` and `retention`: whether it has such an event (`any`). `count`: how many. `mean`: how many, or the
    sum of their value. `ratio`: the same over `denominator`. `quantile`: of the units' totals.
    """

    type: MetricType
    event_type: PlainKey
    aggregation: Aggregation

    @model_validator(mode="after")
    def _computable(self) -> Self:
        rule = broken_rule(self.message("", 1))
        if rule is not None:
            raise ContractError(rule.code, rule.message, rule.field)
        return self

    def message(self, key: str, version: int) -> MetricMessage:
        """The definition as snapshots carry it."""
        fields = {name: getattr(self, name) for name in MetricDefinition.model_fields}
        for name in ("cap", "cap_percentile", "quantile", "minimum_effect", "margin"):
            if fields[name] is not None:
                fields[name] = f"{fields[name]:f}"
        if self.denominator is not None:
            fields["denominator"] = DenominatorMessage(**self.denominator.model_dump())
        if self.cuped is None:
            fields["cuped"] = self.type in SUMMED
        return MetricMessage(key=key, version=version, **fields)


def stored(message: MetricMessage) -> dict[str, Any]:
    """The definition as the tables hold it: without key and version, which are columns."""
    fields: dict[str, Any] = msgspec.to_builtins(message)
    return {name: value for name, value in fields.items() if name not in ("key", "version")}


def completed(definition: Mapping[str, Any]) -> dict[str, Any]:
    """A stored definition with the defaults of the fields that came after it was stored."""
    return stored(msgspec.convert({**definition, "key": "", "version": 1}, MetricMessage))
