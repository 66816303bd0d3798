"""What a key gives while its experiment takes nobody in: one function, which the API and the client call alike.

An application that asks for the key gets an answer from the day the experiment is drafted until it is archived: the
control, or what was decided. Nothing of it is an exposure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from neonblue.bucketing.configuration import Configuration
from neonblue.bucketing.evaluation import (
    Evaluation,
    Reason,
    ServedBy,
    Unit,
    forced_variant,
    in_holdout,
    targeting_miss,
)

_REASONS: Mapping[str, Reason] = MappingProxyType(
    {
        "draft": Reason.DRAFT,
        "scheduled": Reason.NOT_STARTED,
        "paused": Reason.PAUSED,
        "concluded": Reason.CONCLUDED,
        "archived": Reason.ARCHIVED,
    }
)


@dataclass(frozen=True, slots=True)
class Serving:
    """What all units get. reason: where it is the control. released: the variant that was decided to ship, if any.

    control: None where nothing is served any more.
    """

    reason: Reason
    control: str | None
    released: str | None = None


def serving_of(status: str, control: str | None, shipped: str | None) -> Serving | None:
    """Of an experiment in this status; None where it runs. shipped: the variant that its decision ships."""
    reason = _REASONS.get(status)
    if reason is None:
        return None
    if reason is Reason.ARCHIVED:
        return Serving(reason, None)
    return Serving(reason, control, shipped if reason is Reason.CONCLUDED else None)


def serve(configuration: Configuration, serving: Serving, unit: Unit) -> Evaluation:
    """The unit's variant. A tester's own wins; a release goes to those whom targeting means and no holdout has."""
    if serving.control is None:
        return Evaluation(None, serving.reason, served_by=ServedBy.CONTROL)
    forced = forced_variant(configuration, unit.id)
    if forced is not None:
        return Evaluation(forced, Reason.FORCED)
    if serving.released is None:
        return Evaluation(serving.control, serving.reason, served_by=ServedBy.CONTROL)
    if in_holdout(configuration, unit.id):
        return Evaluation(serving.control, Reason.HOLDOUT, served_by=ServedBy.CONTROL)
    missed = targeting_miss(configuration, unit)
    if missed is not None:
        return Evaluation(serving.control, missed.reason, missed.error, ServedBy.CONTROL)
    return Evaluation(serving.released, Reason.RELEASED, served_by=ServedBy.RELEASE)
