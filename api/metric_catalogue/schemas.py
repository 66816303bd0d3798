"""What people write into the catalogue, and what they read from it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from api.fields import (
    Amount,
    Flag,
    Key,
    Name,
    PlainKey,
    Reason,
    Strict,
    Tags,
    Text,
    describe_patch,
)
from api.metric_catalogue.definitions import (
    Aggregation,
    DefinitionFields,
    Effect,
    MetricDefinition,
    MetricType,
    OnBreach,
    Role,
)

REVENUE: dict[str, Any] = {
    "key": "revenue_14d",
    "name": "Revenue per user, two weeks",
    "owner": "growth",
    "tags": ["money"],
    "type": "mean",
    "event_type": "purchase",
    "aggregation": "sum",
    "window_seconds": 1_209_600,
    "cap": "500",
    "minimum_effect": "0.02",
}
_DEFINITION = {name: value for name, value in REVENUE.items() if name not in ("key", "name", "owner", "tags")}
_SHOWN = {
    "role": "primary",
    "direction": "increase",
    "property_filter": None,
    "denominator": None,
    "window_start_seconds": 0,
    "cap_percentile": None,
    "quantile": None,
    "margin": None,
    "margin_relative": True,
    "cuped": True,
    "missing": "zero",
    "on_breach": None,
}
METRIC_SHOWN: dict[str, Any] = {"key": REVENUE["key"], "version": 1, **_DEFINITION, **_SHOWN}
_AT = "2026-03-01T09:30:00Z"
_WATCHED = (
    "Whether every running experiment is watched by it, also where it is none of its metrics; experiments that run "
    "already take it up, or leave it, within half a minute"
)


class CatalogueMetricIn(MetricDefinition):
    """A metric for many experiments to refer to."""

    model_config = ConfigDict(json_schema_extra={"examples": [REVENUE]})

    key: Key
    name: Name | None = None
    description: Text | None = None
    owner: Name | None = None
    tags: Tags = Field(default_factory=list)
    watched: Flag = Field(default=False, description=_WATCHED)


class MetricPatch(DefinitionFields):
    """What to change. What the metric means may change only while no experiment refers to its newest version."""

    model_config = ConfigDict(
        json_schema_extra=describe_patch({"owner": "checkout", "tags": ["money", "checkout"]})
    )

    type: MetricType = "mean"
    event_type: PlainKey = ""
    aggregation: Aggregation = "any"
    name: Name | None = None
    description: Text | None = None
    owner: Name | None = None
    tags: Tags = Field(default_factory=list)
    watched: Flag = Field(default=False, description=_WATCHED)
    reason: Reason | None = None


class NewMetricVersion(MetricDefinition):
    """A new meaning, whole: what is left out has its default, not the value of the version before."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [_DEFINITION | {"cap": "800", "reason": "Orders of over 500 are common now"}]
        }
    )

    reason: Reason | None = None


class InlineMetric(MetricDefinition):
    """A metric that the experiment defines itself."""

    key: PlainKey
    version: Literal[1] | None = None


class MetricReference(Strict):
    """A metric of the catalogue: its newest version where none is named. What is given replaces the definition's."""

    key: Key
    version: int | None = Field(default=None, ge=1, le=2**31 - 1, strict=True)
    role: Role | None = None
    minimum_effect: Effect | None = None
    margin: Amount | None = None
    margin_relative: Flag | None = None
    cuped: Flag | None = None
    on_breach: OnBreach | None = None


def _kind(value: Any) -> str:
    if isinstance(value, dict):
        return "(inline)" if value.keys() & {"type", "event_type", "aggregation"} else "(catalogue)"
    return "(inline)" if isinstance(value, InlineMetric) else "(catalogue)"


MetricUse = Annotated[
    Annotated[InlineMetric, Tag("(inline)")] | Annotated[MetricReference, Tag("(catalogue)")],
    Discriminator(_kind),
]
"""How an experiment names what it measures."""


class DenominatorOut(BaseModel):
    """What a ratio divides by, on the same unit in the same window."""

    event_type: str
    property_filter: dict[str, str] | None
    aggregation: str


class MetricOut(BaseModel):
    """A whole definition. Decimals are texts."""

    key: str
    version: int
    type: str
    role: str
    direction: str
    event_type: str
    property_filter: dict[str, str] | None
    aggregation: str
    denominator: DenominatorOut | None
    window_start_seconds: int
    window_seconds: int | None
    cap: str | None
    cap_percentile: str | None
    quantile: str | None
    minimum_effect: str | None
    margin: str | None
    margin_relative: bool
    cuped: bool
    missing: str = "zero"
    on_breach: str | None = None


class CatalogueMetricOut(MetricOut):
    """A metric with its newest definition.

    `in_use`: an experiment refers to this version, or is watched by it, so it can't change.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                METRIC_SHOWN
                | {"name": REVENUE["name"], "description": None, "owner": "growth", "tags": ["money"]}
                | {"watched": False, "in_use": False, "revision": 1, "created_at": _AT}
            ]
        }
    )

    name: str | None
    description: str | None
    owner: str | None
    tags: list[str]
    watched: bool = Field(description=_WATCHED)
    in_use: bool
    revision: int = Field(description="Counts the changes; the ETag")
    created_at: datetime


class MetricVersionOut(MetricOut):
    """One version of a metric's meaning."""

    created_at: datetime
    created_by: str
    reason: str | None


class MetricPage(BaseModel):
    """Metrics, newest first. `next_cursor` is null on the last page."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [], "next_cursor": None}]})

    items: list[CatalogueMetricOut]
    next_cursor: str | None


class MetricVersions(BaseModel):
    """Every version, newest first."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "items": [
                        METRIC_SHOWN | {"created_at": _AT, "created_by": "token:1:growth", "reason": None}
                    ]
                }
            ]
        }
    )

    items: list[MetricVersionOut]
