"""What travels in an outbox row's payload, and so on the topic. Times and decimals are exact texts."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from msgspec import UNSET, Struct, UnsetType

from neonblue.contract.columns import Stored
from neonblue.contract.limits import SCHEMA_VERSION

Number = TypeVar("Number", str, Decimal)
"""A decimal: its exact text in messages, a number where a program reads or writes it."""

_STATED = "{of}.\"timestamp\" - coalesce({of}.clock_offset, 0) * interval '1 microsecond'"
"""The time as the client said it: what was added to it depends on how its clock went, which a repetition changes."""


class EventFacts(Struct, gc=False):
    """What a stored event says: the one list of its fields, from which columns, rows and messages follow.

    Decimals and times are exact texts: `value` has six places. `properties`: an object or null; before it is
    encoded a `msgspec.Raw` that holds the object's JSON. `variant_key` is
    the stored assignment's where there is one, whatever the client says. `sent_at`: the client's clock when it sent the
    request, where it said so; `clock_offset`: the microseconds that were added to its time to make `timestamp`.
    """

    id: Annotated[str, Stored("uuid")]
    user_id: str
    unit_type: str
    event_type: str
    timestamp: Annotated[str, Stored("timestamptz", _STATED)]
    experiment_id: int | None
    variant_key: Annotated[str | None, Stored("text", "")]
    session_id: str | None
    value: Annotated[str | None, Stored("numeric")]
    properties: Annotated[Any, Stored("jsonb")]
    app_version: str | None = None
    sent_at: Annotated[str | None, Stored("timestamptz", "")] = None
    clock_offset: Annotated[int | None, Stored("bigint", "")] = None


class EventMessage(EventFacts, gc=False, kw_only=True, omit_defaults=True):
    """One event on its way. A field that has a default is left out where it has that.

    `traceparent`: of the request that brought it (W3C Trace Context), where that is traced; it says how the event
    travelled, and no copy made later has it.
    """

    schema_version: int
    received_at: str
    traceparent: str | UnsetType = UNSET


class AssignmentMessage(Struct, frozen=True, kw_only=True):
    """A unit's variant, with the version of the configuration it entered under.

    `attributes`: an object or null; for encoding also a `msgspec.Raw` that holds the object's JSON.
    """

    schema_version: int = SCHEMA_VERSION
    experiment_id: int
    unit_type: str
    user_id: str
    variant_key: str
    version: int
    assigned_at: str
    attributes: Any
    received_at: str


class VariantMessage(Struct, frozen=True, kw_only=True):
    """One arm. Weights are relative to each other. A dropped arm (`active` false) keeps its range and enrols nobody."""

    key: str
    name: str | None = None
    weight: int
    is_control: bool = False
    active: bool = True


class DenominatorMessage(Struct, frozen=True, kw_only=True):
    """What a ratio metric divides by, summed over the same units and window as its numerator."""

    event_type: str
    property_filter: dict[str, str] | None = None
    aggregation: str


class MetricFields(Struct, Generic[Number], frozen=True, kw_only=True):
    """What is measured on each unit.

    type: `proportion` and `retention` (whether the unit has such an event: aggregation `any`), `count` (how many),
    `mean` (`count`, or `sum` of value), `ratio` (the same over `denominator`), `quantile` (of the units' totals).
    Seconds count from the first exposure: events of [window_start_seconds, window_seconds). `cap` on a unit's total;
    `cap_percentile`, 0 to 1, pooled over all arms; `quantile`, 0 to 1; `minimum_effect`, the smallest relative lift of
    interest; `margin`, what a guardrail may get worse by, relative to control's mean where `margin_relative`, else
    absolute. `cuped`: whether the variance is reduced by the metric before the exposure. `missing`: what a unit
    without such an event has: `zero`, or no value at all (`exclude`: the unit is left out).
    """

    key: str
    version: int = 1
    type: str
    role: str = "primary"
    direction: str = "increase"
    event_type: str
    property_filter: dict[str, str] | None = None
    aggregation: str
    denominator: DenominatorMessage | None = None
    window_start_seconds: int = 0
    window_seconds: int | None = None
    cap: Number | None = None
    cap_percentile: Number | None = None
    quantile: Number | None = None
    minimum_effect: Number | None = None
    margin: Number | None = None
    margin_relative: bool = True
    cuped: bool = True
    missing: str = "zero"


class MetricMessage(MetricFields[str], frozen=True, kw_only=True):
    """A metric's definition as snapshots carry it: decimals are texts."""


class LayerMessage(Struct, frozen=True, kw_only=True):
    """The experiment's slots in a layer of mutually exclusive experiments: basis points [start, end) of its traffic."""

    key: str
    salt: str
    start: int
    end: int


class DecisionMessage(Struct, frozen=True, kw_only=True):
    """What was decided when the experiment was concluded: `ship` (which variant), `roll_back` or `inconclusive`.

    decided_by, decided_at: absent in messages of older versions.
    """

    outcome: str
    variant_key: str | None = None
    reason: str
    decided_by: str | None = None
    decided_at: str | None = None


class ReleaseMessage(Struct, frozen=True, kw_only=True):
    """What the key of a concluded experiment gives: the variant, to `share` basis points of the population.

    population: `targeted` or `everyone`. Those who had the variant come first, so that a share that grows takes it from
    nobody. Everybody else gets the control.
    """

    variant_key: str
    share: int
    population: str


class ExperimentMessage(Struct, frozen=True, kw_only=True):
    """The whole state of an experiment at one version.

    status: draft, scheduled, running, paused, concluded or archived. `planned_units` over all arms. `inference`,
    frozen at the start: `group_sequential` where a size is planned, else `confidence_sequence`. `targeting`: a CEL
    expression over the unit's attributes. `holdouts`: keys of the holdouts whose units it leaves out.
    `enrolment`: `open`, or `closed` to new units. `outside`: what units get that it leaves out, `control` or `null`.
    `release`: null where it is not concluded, or follows from the decision.
    """

    schema_version: int = SCHEMA_VERSION
    experiment_id: int
    key: str
    name: str | None = None
    hypothesis: str | None = None
    owner: str | None = None
    tags: list[str] = []
    source: str
    unit_type: str
    population: str
    status: str
    version: int
    salt: str
    allocation: int
    layer: LayerMessage | None = None
    holdouts: list[str] = []
    targeting: str | None = None
    enrolment: str = "open"
    outside: str = "control"
    variants: list[VariantMessage]
    metrics: list[MetricMessage]
    planned_days: int | None = None
    planned_units: int | None = None
    inference: str | None = None
    scheduled_start_at: str | None = None
    scheduled_stop_at: str | None = None
    started_at: str | None = None
    concluded_at: str | None = None
    decision: DecisionMessage | None = None
    release: ReleaseMessage | None = None
    received_at: str


class LinkMessage(Struct, frozen=True, kw_only=True):
    """An anonymous id is a person's: what either does, the one unit `user_id` does.

    A unit that has two variants of one experiment this way is left out of its analysis.
    """

    schema_version: int = SCHEMA_VERSION
    unit_type: str
    anonymous_id: str
    user_id: str
    linked_at: str
    received_at: str


class ErasureMessage(Struct, frozen=True, kw_only=True):
    """A person's data received before `erased_at` is to be dropped."""

    schema_version: int = SCHEMA_VERSION
    unit_type: str
    user_id: str
    erased_at: str
    received_at: str


encode_message = msgspec.json.Encoder().encode
