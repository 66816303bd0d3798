"""What a patch makes of an experiment, and which changes its state allows: pure functions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from api.experiments import ramp_rules
from api.experiments.answers import ExperimentOut
from api.experiments.ramp_fields import as_written
from api.experiments.release_fields import ReleaseIn, ReleaseOut
from api.experiments.schemas import (
    DecisionIn,
    ExperimentFields,
    ExperimentIn,
    ExperimentPatch,
    VariantIn,
)
from neonblue.bucketing import FULL_ALLOCATION
from neonblue.contract.codes import Code
from neonblue.contract.life_cycle import STARTED, Status
from neonblue.contract.violation import Violation

GROUP_SEQUENTIAL = "group_sequential"
CONFIDENCE_SEQUENCE = "confidence_sequence"

_DESCRIPTION = frozenset({"name", "hypothesis", "owner", "tags"})
_WHILE_STARTED = _DESCRIPTION | {
    "planned_days", "planned_units", "scheduled_stop_at", "allocation", "variants", "enrolment", "outside",
    "ramp",
}  # fmt: skip
_FIELDS = [name for name in (*ExperimentFields.model_fields, "salt", "variants") if name != "metrics"]
_UNTOLD = frozenset({"id", "version", "created_at"})


def written(experiment: ExperimentOut) -> ExperimentIn:
    """The experiment as someone would write it, but for its metrics."""
    return ExperimentIn.model_validate(_fields(experiment))


def patched(experiment: ExperimentOut, patch: ExperimentPatch) -> ExperimentIn:
    """The experiment with what the patch names replaced. Raises pydantic.ValidationError."""
    given = {
        name: getattr(patch, name) for name in patch.model_fields_set if name not in ("reason", "decision")
    }
    if experiment.status in STARTED and "variants" in given:
        given["variants"] = _merged_variants(experiment, patch.variants)
    return ExperimentIn.model_validate(_fields(experiment) | given)


def decision_of(experiment: ExperimentOut) -> DecisionIn | None:
    """The decision as someone would write it."""
    if experiment.decision is None:
        return None
    return DecisionIn.model_validate(experiment.decision.model_dump(include=set(DecisionIn.model_fields)))


def changed_fields(before: ExperimentIn, after: ExperimentIn) -> set[str]:
    """The fields that differ; metrics are compared elsewhere, by their definitions."""
    return {name for name in _FIELDS if getattr(before, name) != getattr(after, name)}


def refusals(
    experiment: ExperimentOut,
    before: ExperimentIn,
    after: ExperimentIn,
    changed: set[str],
    *,
    looked: bool,
) -> list[Violation]:
    """Each change that the state does not allow.

    changed: of the fields, `metrics` and `decision`. looked: whether a look has been taken, which fixes the size.
    """
    return list(_refusals(experiment, before, after, changed, looked=looked))


def decision_refusals(experiment: ExperimentOut, decision: DecisionIn, place: str) -> list[Violation]:
    """Why the decision makes no sense here. `place`: where it stands in the body, with a point at its end."""
    treatments = {arm.key for arm in experiment.variants if arm.active and not arm.is_control}
    if decision.variant_key is None or decision.variant_key in treatments:
        return []
    message = f"must be a treatment that was not dropped: {', '.join(sorted(treatments))}"
    return [Violation(Code.UNKNOWN_VARIANT, message, f"{place}variant_key")]


def release_refusals(experiment: ExperimentOut, release: ReleaseIn, place: str) -> list[Violation]:
    """Why the release makes no sense here. `place`: where it stands in the body, with a point at its end."""
    if experiment.source == "external":
        message = "an external experiment's key serves nothing"
        return [Violation(Code.INTERNAL_ONLY, message, place.removesuffix(".") or "variant_key")]
    arms = {arm.key for arm in experiment.variants if arm.active}
    if release.variant_key in arms:
        return []
    message = f"must be a variant that was not dropped: {', '.join(sorted(arms))}"
    return [Violation(Code.UNKNOWN_VARIANT, message, f"{place}variant_key")]


def release_by(experiment: ExperimentOut, decision: DecisionIn | None) -> dict[str, Any] | None:
    """What follows from the decision, as it is stored: all of what ships, else the control for all.

    A release that is there of the same variant stays, and any where the same is decided for another reason. None:
    nothing is decided, or nothing served.
    """
    if decision is None or experiment.source == "external":
        return None
    control = next(arm.key for arm in experiment.variants if arm.is_control)
    variant = decision.variant_key or control
    held, earlier = experiment.release, experiment.decision
    if earlier is not None and (earlier.outcome, earlier.variant_key) == (
        decision.outcome,
        decision.variant_key,
    ):
        return None if held is None else held.stored()
    if held is not None and held.variant_key == variant:
        return held.stored()
    population = "everyone" if variant == control else "targeted"
    return ReleaseOut(variant_key=variant, share=FULL_ALLOCATION, population=population).stored()


def difference(before: ExperimentOut | None, after: ExperimentOut) -> dict[str, Any]:
    """Each field that changed: {"before", "after"}. Of a new experiment, each field that says something."""
    now = after.model_dump(mode="json", exclude=set(_UNTOLD))
    then: dict[str, Any] = {} if before is None else before.model_dump(mode="json")
    return {
        name: {"before": then.get(name), "after": value}
        for name, value in now.items()
        if then.get(name) != value and (before is not None or value != [])
    }


def _fields(experiment: ExperimentOut) -> dict[str, Any]:
    fields = {name: getattr(experiment, name) for name in _FIELDS}
    layer = experiment.layer
    return fields | {
        "key": experiment.key,
        "source": experiment.source,
        "ramp": as_written(experiment.ramp),
        "layer": None if layer is None else {"key": layer.key, "share": layer.end - layer.start},
        "variants": [arm.model_dump() for arm in experiment.variants],
    }


def _merged_variants(experiment: ExperimentOut, given: list[VariantIn]) -> list[dict[str, Any]]:
    """The arms with what is given of each replaced; arms that there are not come last."""
    arms = {arm.key: arm.model_dump() for arm in experiment.variants}
    for variant in given:
        arms[variant.key] = arms.get(variant.key, {}) | variant.model_dump(include=variant.model_fields_set)
    return list(arms.values())


def _refusals(
    experiment: ExperimentOut,
    before: ExperimentIn,
    after: ExperimentIn,
    changed: set[str],
    *,
    looked: bool,
) -> Iterator[Violation]:
    status = experiment.status
    allowed = changeable(status)
    if "decision" in changed and status is not Status.CONCLUDED:
        yield Violation(Code.DECISION_EARLY, "decide when you conclude it, or after", "decision")
    for name in sorted(changed - {"decision"}):
        if allowed is not None and name not in allowed:
            yield Violation(Code.FROZEN, f"can't change while the experiment is {status}", name)
    if status is Status.SCHEDULED and after.scheduled_start_at is None:
        yield Violation(
            Code.FROZEN, "a scheduled experiment has one: unschedule it first", "scheduled_start_at"
        )
    if status in STARTED:
        yield from _started_refusals(before, after)
        yield from ramp_rules.refusals(experiment.ramp, after.ramp)
        yield from _size_refusals(experiment, before, after, looked=looked)


def changeable(status: Status) -> frozenset[str] | None:
    """The fields of a body that may change in this state; None: all."""
    if status in (Status.DRAFT, Status.SCHEDULED):
        return None
    if status is Status.ARCHIVED:
        return frozenset()
    return _WHILE_STARTED if status in STARTED else _DESCRIPTION


def _started_refusals(before: ExperimentIn, after: ExperimentIn) -> Iterator[Violation]:
    if after.allocation < before.allocation:
        yield Violation(Code.MAY_ONLY_GROW, f"is {before.allocation} and may only grow", "allocation")
    known = {arm.key: arm for arm in before.variants}
    for arm in after.variants:
        if arm.key not in known:
            yield Violation(Code.FROZEN, "no arm can be added", f"variants.{arm.key}")
        else:
            yield from _arm_refusals(known[arm.key], arm)


def _size_refusals(
    experiment: ExperimentOut, before: ExperimentIn, after: ExperimentIn, *, looked: bool
) -> Iterator[Violation]:
    """What looks spend of the error follows from the size: a size chosen after one would choose the error too."""
    if looked and after.planned_units != before.planned_units:
        message = "a look has been taken under this size: it can't change any more"
        yield Violation(Code.FROZEN, message, "planned_units")
    elif after.planned_units is None and experiment.inference == GROUP_SEQUENTIAL:
        yield Violation(Code.FROZEN, "the inference chosen at the start needs it", "planned_units")


def _arm_refusals(before: VariantIn, after: VariantIn) -> Iterator[Violation]:
    for name in VariantIn.model_fields:
        if getattr(before, name) == getattr(after, name) or (name == "active" and before.active):
            continue
        yield Violation(
            Code.FROZEN, "of an arm only active may change, to false", f"variants.{after.key}.{name}"
        )
