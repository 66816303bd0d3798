"""What the client sends and what it gets back: the bodies of the HTTP calls."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec


class NewEvent(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """An event to store. `experiment` (a key) or `experiment_id` names its experiment, if any.

    variant_key, configuration_version: on an exposure, an assignment that may not be stored yet.
    """

    id: UUID
    user_id: str
    event_type: str
    timestamp: datetime
    unit_type: str | None = None
    experiment: str | None = None
    experiment_id: int | None = None
    variant_key: str | None = None
    session_id: str | None = None
    app_version: str | None = None
    value: Decimal | None = None
    properties: dict[str, Any] | None = None
    configuration_version: int | None = None


class NewAssignment(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A unit to assign: to one experiment, or to all running ones of its type where none is named.

    expose: whether it meets its variant now; where absent, it does if one experiment is named. variant_key and
    timestamp: for external experiments only.
    """

    user_id: str
    experiment: str | None = None
    unit_type: str | None = None
    attributes: dict[str, Any] | None = None
    expose: bool | None = None
    variant_key: str | None = None
    timestamp: datetime | None = None


class ItemStatus(StrEnum):
    """What became of one event of a request."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"


class EventItem(msgspec.Struct, frozen=True):
    """The answer on one event: `index` is its place in the request."""

    index: int
    status: ItemStatus
    id: str | None = None
    code: str | None = None
    field: str | None = None
    message: str | None = None


class EventReceipt(msgspec.Struct, frozen=True):
    """The answer on a request of events: accepted and duplicate ones are durably stored."""

    accepted: int
    duplicates: int
    rejected: int
    items: list[EventItem] = msgspec.field(default_factory=list)

    @property
    def rejections(self) -> list[EventItem]:
        """The events that broke a rule, with field and rule; sending them again changes nothing."""
        return [item for item in self.items if item.status is ItemStatus.REJECTED]


class Assignment(msgspec.Struct, frozen=True):
    """A unit's variant. None: not in the experiment, `reason` says why. `created`: whether this call made it.

    `durable`: whether all that was to be stored is; where not, the client sends the exposure until it is.

    In an answer on many, an item that broke a rule has `status` "rejected" with code, field and message.
    """

    user_id: str = ""
    variant_key: str | None = None
    experiment: str = ""
    experiment_id: int | None = None
    version: int | None = None
    assigned_at: datetime | None = None
    created: bool = False
    reason: str | None = None
    payload: Any = None
    durable: bool = True
    index: int | None = None
    status: str | None = None
    code: str | None = None
    field: str | None = None
    message: str | None = None


class Assignments(msgspec.Struct, frozen=True):
    """The answer on many units, in the order of the request."""

    items: list[Assignment]


class Variant(msgspec.Struct, frozen=True, omit_defaults=True):
    """An arm of an experiment; weights are relative to each other, exactly one arm is the control."""

    key: str
    weight: int = 1
    is_control: bool = False
    name: str | None = None
    payload: Any = None
    active: bool = True


class Denominator(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a ratio divides by."""

    event_type: str
    aggregation: str
    property_filter: dict[str, str] | None = None


class Metric(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is measured on each unit: `proportion` with `any`, `mean` with `count` or `sum` of the value.

    missing: what a unit without such an event has: `zero`, or no value at all (`exclude`: the unit is left out).
    """

    key: str
    type: str
    event_type: str
    aggregation: str
    role: str = "primary"
    direction: str = "increase"
    property_filter: dict[str, str] | None = None
    window_seconds: int | None = None
    cap: Decimal | None = None
    version: int | None = None
    missing: str = "zero"
    denominator: Denominator | None = None
    window_start_seconds: int = 0
    cap_percentile: Decimal | None = None
    quantile: Decimal | None = None
    minimum_effect: Decimal | None = None
    margin: Decimal | None = None
    margin_relative: bool = True
    cuped: bool | None = None


class Layer(msgspec.Struct, frozen=True):
    """A share, in basis points, of a layer of mutually exclusive experiments."""

    key: str
    share: int


class LayerSlots(msgspec.Struct, frozen=True):
    """Where an experiment lies in its layer: basis points from `start` up to, not including, `end`."""

    key: str
    start: int
    end: int


class Decision(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was decided: `ship` (which variant), `roll_back` or `inconclusive`."""

    outcome: str
    reason: str
    variant_key: str | None = None


class NewExperiment(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """An experiment to create as a draft."""

    key: str
    variants: list[Variant]
    metrics: list[Metric]
    name: str | None = None
    hypothesis: str | None = None
    source: str | None = None
    unit_type: str | None = None
    population: str | None = None
    allocation: int | None = None
    salt: str | None = None
    owner: str | None = None
    tags: list[str] | None = None
    targeting: str | None = None
    layer: Layer | None = None
    holdouts: list[str] | None = None
    planned_days: int | None = None
    planned_units: int | None = None
    scheduled_start_at: datetime | None = None
    scheduled_stop_at: datetime | None = None


class RecordedDecision(msgspec.Struct, frozen=True, kw_only=True):
    """What was decided; by whom and when, where that was kept."""

    outcome: str
    reason: str
    variant_key: str | None = None
    decided_by: str | None = None
    decided_at: datetime | None = None


class ExperimentWarning(msgspec.Struct, frozen=True, kw_only=True):
    """What to look at. Nothing was refused for it."""

    code: str
    message: str
    field: str | None = None


class Experiment(msgspec.Struct, frozen=True, kw_only=True):
    """An experiment as stored. allocation: basis points of traffic. holdouts: None: all there are.

    warnings: what to look at before it starts, or at what was just decided; None: this answer tells none.
    """

    key: str
    status: str
    id: int = 0
    name: str | None = None
    hypothesis: str | None = None
    owner: str | None = None
    tags: list[str] = msgspec.field(default_factory=list)
    source: str = "internal"
    unit_type: str = "user"
    population: str = "exposed"
    version: int | None = None
    allocation: int | None = None
    salt: str | None = None
    layer: LayerSlots | None = None
    holdouts: list[str] | None = None
    targeting: str | None = None
    variants: list[Variant] = msgspec.field(default_factory=list)
    metrics: list[Metric] = msgspec.field(default_factory=list)
    planned_days: int | None = None
    planned_units: int | None = None
    inference: str | None = None
    scheduled_start_at: datetime | None = None
    scheduled_stop_at: datetime | None = None
    decision: RecordedDecision | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    concluded_at: datetime | None = None
    warnings: list[ExperimentWarning] | None = None


class ExperimentVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One change of an experiment. difference: each field that changed, {"before", "after"}."""

    version: int
    action: str
    created_at: datetime
    created_by: str
    reason: str | None = None
    difference: dict[str, Any] = msgspec.field(default_factory=dict)


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A token of the API. hint: its first characters. secret: in the answer that makes it, never again."""

    id: int
    name: str
    hint: str | None = None
    scopes: list[str] = msgspec.field(default_factory=list)
    origins: list[str] | None = None
    rate_limit: int | None = None
    created_at: datetime | None = None
    created_by: str | None = None
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None
    secret: str | None = None
