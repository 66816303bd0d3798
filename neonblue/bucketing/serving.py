"""What the key of an experiment gives a unit, in every status: one function, which the API and the client call alike.

An application that asks for the key gets an answer from the day the experiment is drafted until it is archived: the
unit's variant while it runs, what was decided after, and the control otherwise. Using it is an exposure where the
experiment gives it, and nowhere else.
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
    evaluate,
    forced_variant,
    in_holdout,
    targeting_miss,
)
from neonblue.bucketing.release import Population, Release, reaches

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
    """What the key of an experiment gives that does not run. reason: where it is the control.

    control: None where nothing is served any more. release: what was decided, where that is another variant.
    """

    reason: Reason
    control: str | None
    release: Release | None = None


def serving_of(status: str, control: str | None, release: Release | None) -> Serving | None:
    """Of an experiment in this status; None where it runs. A release counts once it is concluded."""
    reason = _REASONS.get(status)
    if reason is None:
        return None
    if reason is Reason.ARCHIVED:
        return Serving(reason, None)
    released = release if reason is Reason.CONCLUDED and release and release.variant_key != control else None
    return Serving(reason, control, released)


def serve(
    configuration: Configuration, serving: Serving | None, unit: Unit, stored: str | None = None
) -> Evaluation:
    """The unit's variant. serving: None where the experiment runs. stored: its assignment's variant, if any.

    A tester's own wins. While it runs what is stored comes next, then what the configuration gives, then what those
    get that it leaves out. A release goes to its share of those whom it means and no holdout has, whatever is stored.
    """
    if serving is not None:
        return _of_stopped(configuration, serving, unit)
    forced = forced_variant(configuration, unit.id)
    if forced is None and stored is not None:
        return Evaluation(stored, Reason.ASSIGNED)
    return beside(configuration, evaluate(configuration, unit))


def beside(configuration: Configuration, found: Evaluation) -> Evaluation:
    """What the key gives where the running experiment gives this: the control to a unit that it leaves out, or none."""
    if found.variant_key is not None:
        return found
    variant = configuration.closed if found.reason is Reason.ENROLMENT_CLOSED else configuration.outside
    if variant is None:
        return found
    return Evaluation(variant, found.reason, found.error, ServedBy.CONTROL)


def _of_stopped(configuration: Configuration, serving: Serving, unit: Unit) -> Evaluation:
    if serving.control is None:
        return Evaluation(None, serving.reason, served_by=ServedBy.CONTROL)
    forced = forced_variant(configuration, unit.id)
    if forced is not None:
        return Evaluation(forced, Reason.FORCED)
    release = serving.release
    if release is None:
        return Evaluation(serving.control, serving.reason, served_by=ServedBy.CONTROL)
    if in_holdout(configuration, unit.id):
        return Evaluation(serving.control, Reason.HOLDOUT, served_by=ServedBy.CONTROL)
    missed = None if release.population == Population.EVERYONE else targeting_miss(configuration, unit)
    if missed is not None:
        return Evaluation(serving.control, missed.reason, missed.error, ServedBy.CONTROL)
    if not reaches(configuration, release, unit.id):
        return Evaluation(serving.control, Reason.NOT_IN_RELEASE, served_by=ServedBy.CONTROL)
    return Evaluation(release.variant_key, Reason.RELEASED, served_by=ServedBy.RELEASE)
