"""Which variant a unit gets, or why none: one function, which the API and the client call alike."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from neonblue.bucketing.configuration import Configuration
from neonblue.bucketing.hashing import Purpose, bucket
from neonblue.bucketing.targeting import TargetingError


class Reason(StrEnum):
    """Why a unit has its variant, or is left out: the first that holds, in this order."""

    FORCED = "forced"
    ENROLMENT_CLOSED = "enrolment_closed"
    HOLDOUT = "holdout"
    NOT_TARGETED = "not_targeted"
    NOT_IN_LAYER = "not_in_layer"
    NOT_IN_ALLOCATION = "not_in_allocation"
    DROPPED_ARM = "dropped_arm"
    ASSIGNED = "assigned"

    DRAFT = "draft"
    NOT_STARTED = "not_started"
    PAUSED = "paused"
    CONCLUDED = "concluded"
    RELEASED = "released"
    NOT_IN_RELEASE = "not_in_release"
    ARCHIVED = "archived"


class ServedBy(StrEnum):
    """What gives the variant: a running experiment, what was decided, or the control for want of either.

    Using it is an exposure where the experiment gives it, and nowhere else.
    """

    EXPERIMENT = "experiment"
    RELEASE = "release"
    CONTROL = "control"


@dataclass(frozen=True, slots=True)
class Unit:
    """Who is assigned: the client's own id and what targeting may read."""

    id: str
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A variant, or None, with the reason. `error`: why the targeting expression had no answer."""

    variant_key: str | None
    reason: Reason
    error: str | None = None
    served_by: ServedBy = ServedBy.EXPERIMENT

    @property
    def in_experiment(self) -> bool:
        """Whether the variant is the experiment's own."""
        return self.variant_key is not None and self.served_by is ServedBy.EXPERIMENT


_CLOSED = Evaluation(None, Reason.ENROLMENT_CLOSED)
_HELD_OUT = Evaluation(None, Reason.HOLDOUT)
_NOT_TARGETED = Evaluation(None, Reason.NOT_TARGETED)
_NOT_IN_LAYER = Evaluation(None, Reason.NOT_IN_LAYER)
_NOT_IN_ALLOCATION = Evaluation(None, Reason.NOT_IN_ALLOCATION)
_DROPPED_ARM = Evaluation(None, Reason.DROPPED_ARM)


def evaluate(configuration: Configuration, unit: Unit) -> Evaluation:
    """What the configuration gives a unit that is not stored: its variant, or none where it is left out.

    What is left out may be given the control all the same: `serve` says so.
    """
    variant = forced_variant(configuration, unit.id)
    if variant is not None:
        return Evaluation(variant, Reason.FORCED)
    if configuration.closed is not None:
        return _CLOSED
    if in_holdout(configuration, unit.id):
        return _HELD_OUT
    missed = targeting_miss(configuration, unit)
    if missed is not None:
        return missed
    layer = configuration.layer
    if layer is not None:
        start, end = layer.bounds
        if not start <= bucket(layer.salt, Purpose.LAYER, unit.id) < end:
            return _NOT_IN_LAYER
    if bucket(configuration.salt, Purpose.ROLLOUT, unit.id) >= configuration.bound:
        return _NOT_IN_ALLOCATION
    variant = variant_of(configuration, unit.id)
    return _DROPPED_ARM if variant in configuration.dropped else Evaluation(variant, Reason.ASSIGNED)


def forced_variant(configuration: Configuration, unit_id: str) -> str | None:
    """The variant that a tester asked for."""
    if not configuration.forced:
        return None
    return configuration.forced.get(bucket(configuration.salt, Purpose.FORCED, unit_id))


def in_holdout(configuration: Configuration, unit_id: str) -> bool:
    """Whether the unit is in a share of traffic that sees no experiment."""
    return any(
        bucket(holdout.salt, Purpose.HOLDOUT, unit_id) < holdout.bound for holdout in configuration.holdouts
    )


def targeting_miss(configuration: Configuration, unit: Unit) -> Evaluation | None:
    """None where the unit is meant, else the evaluation without a variant."""
    if configuration.targeting is None:
        return None
    try:
        return None if configuration.targeting.matches(unit.attributes) else _NOT_TARGETED
    except TargetingError as error:
        return Evaluation(None, Reason.NOT_TARGETED, str(error))


def variant_of(configuration: Configuration, unit_id: str) -> str:
    """The variant whose range holds the unit, whether or not the experiment takes the unit in."""
    position = bisect_right(configuration.starts, bucket(configuration.salt, Purpose.VARIANT, unit_id)) - 1
    return configuration.weights[position][0]


def assign(configuration: Configuration, unit_id: str) -> str | None:
    """The variant of a unit without attributes; None where it gets none."""
    return evaluate(configuration, Unit(unit_id)).variant_key
