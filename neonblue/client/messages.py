"""What the client sends and what it gets back: the bodies of the HTTP calls.

What the contract defines is taken from it. What only the API defines is written out here; a test holds its fields equal
to those of the API's own description.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Self

import msgspec

from neonblue.contract.answers import AssignmentAnswer, EventItem, EventsAnswer, Status
from neonblue.contract.messages import DenominatorMessage, MetricFields
from neonblue.contract.requests import AssignmentRequest, EventRequest

NewAssignment = AssignmentRequest
Denominator = DenominatorMessage
ItemStatus = Status


class NewEvent(EventRequest, frozen=True, kw_only=True):
    """An event to store, as `EventRequest` says. With an id and a time, sending it again is the same event."""

    id: str
    timestamp: datetime


class EventReceipt(EventsAnswer, frozen=True):
    """The answer on a request of events: accepted and duplicate ones are durably stored."""

    @property
    def rejections(self) -> list[EventItem]:
        """The events that broke a rule, with field and rule; sending them again changes nothing."""
        return [item for item in self.items if item.status is Status.REJECTED]


class Assignment(AssignmentAnswer, kw_only=True):
    """A unit's variant, as `AssignmentAnswer` says. None: it gets none, `reason` says why.

    In an answer on many, an item that broke a rule has `status` "rejected" with code, field and message.
    """

    assigned_at: datetime | None  # type: ignore[assignment]  # the time that the API writes as a text

    @property
    def exposable(self) -> bool:
        """Whether using the variant is an exposure: the experiment gives it, and not to a tester or by default."""
        return (
            self.variant_key is not None
            and self.in_experiment
            and self.served_by is None
            and self.experiment_id is not None
            and self.reason != "forced"
        )

    @classmethod
    def by_default(cls, experiment: str, user_id: str, variant_key: str, reason: str) -> Self:
        """The caller's own variant, for want of an answer."""
        return cls(
            experiment=experiment,
            user_id=user_id,
            experiment_id=None,
            variant_key=variant_key,
            version=None,
            assigned_at=None,
            created=False,
            reason=reason,
            in_experiment=False,
        )


class Assignments(msgspec.Struct, frozen=True):
    """The answer on many units, in the order of the request."""

    items: list[Assignment]


class Variant(msgspec.Struct, frozen=True, omit_defaults=True):
    """An arm of an experiment; weights are relative to each other, exactly one arm is the control."""

    key: str
    weight: int = 1
    is_control: bool = False
    name: str | None = None
    payload: dict[str, Any] | None = None
    active: bool = True


class Metric(MetricFields[Decimal], frozen=True, omit_defaults=True, kw_only=True):
    """What is measured on each unit, as `MetricFields` says; `MetricReference` names one of the catalogue instead.

    version: the API's; leave it out. cuped: None: wherever the type allows it.
    """

    version: int | None = None  # type: ignore[assignment]  # a default that is not sent: the API's own
    cuped: bool | None = None  # type: ignore[assignment]


class MetricReference(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A metric of the catalogue: its newest version where none is named. What is given replaces the definition's."""

    key: str
    version: int | None = None
    role: str | None = None
    minimum_effect: Decimal | None = None
    margin: Decimal | None = None
    margin_relative: bool | None = None
    cuped: bool | None = None
    on_breach: str | None = None


class WatchedMetric(msgspec.Struct, frozen=True):
    """A metric of the catalogue that is watched beside an experiment's own guardrails.

    place: 0: from the start; 1, 2, …: came later, in this order. since: the experiment's version from which on units
    count. active: whether it is still watched.
    """

    key: str
    version: int
    place: int
    since: int
    active: bool
    on_breach: str | None = None


class Layer(msgspec.Struct, frozen=True):
    """A share, in basis points, of a layer of mutually exclusive experiments."""

    key: str
    share: int


class LayerSlots(msgspec.Struct, frozen=True):
    """Where an experiment lies in its layer: basis points from `start` up to, not including, `end`."""

    key: str
    start: int
    end: int


class ReleaseStep(msgspec.Struct, frozen=True, kw_only=True):
    """A share of the population in basis points. hold: how long it stays, as ISO 8601 has it (P1D, PT12H)."""

    share: int
    hold: str


class NewReleaseRamp(msgspec.Struct, frozen=True, kw_only=True):
    """Steps by which a released share grows, by time alone."""

    steps: list[ReleaseStep]


class NewRelease(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What a concluded experiment's key is to give: the variant, to `share` basis points of the population.

    share: None: all, or the ramp's first step. population: `targeted` or `everyone`. ramp: steps, or a ready-made one
    by name, `standard` or `careful`; None: the share stays.
    """

    variant_key: str
    share: int | None = None
    population: str = "targeted"
    ramp: NewReleaseRamp | str | None = None


class ReleaseRamp(msgspec.Struct, frozen=True, kw_only=True):
    """The steps of a release that grows, and since when its share is what it is."""

    steps: list[ReleaseStep]
    step_since: datetime


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """What a concluded experiment's key gives: the variant, to `share` basis points of `targeted` or of `everyone`.

    ramp: how the share grows by itself; None: no step is to come.
    """

    variant_key: str
    share: int
    population: str
    ramp: ReleaseRamp | None = None


class Decision(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was decided: `ship` (which variant), `roll_back` or `inconclusive`.

    release: at the conclusion, what is released instead of all that ships; None: that, or else the control for all.
    """

    outcome: str
    reason: str
    variant_key: str | None = None
    release: NewRelease | None = None


class RampStep(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A share of traffic in basis points. hold: how long it stays, as ISO 8601 has it (P1D, PT12H). units: how many
    must be in by then, over all arms; None: any number.
    """

    allocation: int
    hold: str
    units: int | None = None


class ReleaseAtEnd(msgspec.Struct, frozen=True, kw_only=True):
    """What is shipped when a ramp's last step has held."""

    variant_key: str


class NewRamp(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Steps by which the allocation grows by itself. on_breach: `hold`, `pause` or `roll_back`; None: the API's own."""

    steps: list[RampStep]
    on_breach: str | None = None
    release_at_end: ReleaseAtEnd | None = None


class Ramp(msgspec.Struct, frozen=True, kw_only=True):
    """A ramp and where it is: position, how many steps were taken; held, why it does not go on, None: it does."""

    steps: list[RampStep]
    on_breach: str
    release_at_end: ReleaseAtEnd | None = None
    position: int = 0
    step_since: datetime | None = None
    held: str | None = None


class NewExperiment(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """An experiment to create as a draft. ramp: `standard` and `careful` are ready-made ones."""

    key: str
    variants: list[Variant]
    metrics: Sequence[Metric | MetricReference]
    name: str | None = None
    hypothesis: str | None = None
    source: str | None = None
    unit_type: str | None = None
    population: str | None = None
    allocation: int | None = None
    ramp: NewRamp | str | None = None
    salt: str | None = None
    owner: str | None = None
    tags: list[str] | None = None
    targeting: str | None = None
    layer: Layer | None = None
    holdouts: list[str] | None = None
    enrolment: str | None = None
    outside: str | None = None
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
    enrolment: str = "open"
    outside: str = "control"
    rolled_back_from: str | None = None
    variants: list[Variant] = msgspec.field(default_factory=list)
    metrics: list[Metric] = msgspec.field(default_factory=list)
    watched: list[WatchedMetric] = msgspec.field(default_factory=list)
    planned_days: int | None = None
    planned_units: int | None = None
    inference: str | None = None
    scheduled_start_at: datetime | None = None
    scheduled_stop_at: datetime | None = None
    decision: RecordedDecision | None = None
    release: Release | None = None
    ramp: Ramp | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    concluded_at: datetime | None = None
    warnings: list[ExperimentWarning] | None = None


class EvaluationCount(msgspec.Struct, frozen=True, kw_only=True):
    """How often a key was answered so. variant_key: None: with no variant. reason: `exposure`: not asked for, an
    exposure came as an event."""

    variant_key: str | None
    reason: str
    count: int


class EvaluationHour(msgspec.Struct, frozen=True, kw_only=True):
    """One hour in which a key was asked for."""

    hour: datetime
    total: int
    counts: list[EvaluationCount]


class Evaluations(msgspec.Struct, frozen=True, kw_only=True):
    """How often a key was asked for from `since` to `until`, also by hour, and first and last, of all that is kept.

    counted_since: from when on all is counted and kept: what was before is not known.
    """

    experiment: str
    counted_since: datetime
    since: datetime
    until: datetime
    total: int
    first_asked_at: datetime | None
    last_asked_at: datetime | None
    counts: list[EvaluationCount]
    hours: list[EvaluationHour]


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
