"""What an experiment is set to, and what is to be looked at of it. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass

from api.experiments import fitness
from api.experiments.answers import ExperimentOut
from api.experiments.ramp_fields import RampOut
from api.experiments.release_fields import ReleaseOut
from api.web.experiments.rows import traffic_of
from api.web.shared.results import Seen
from neonblue.analysis.answer import CheckItem
from neonblue.bucketing import FULL_ALLOCATION
from neonblue.ramps.planner import outlook
from neonblue.statistics import numbers
from neonblue.statistics.experiment.wording import check_name
from neonblue.texts import instant, plain

_NEXT = {
    "sample_ratio": "find what keeps users of one arm from being exposed, mend it, and see the check pass again.",
    "multiply_exposed": "see whether ids are shared or linked too late: who met several arms is left out.",
    "exposure": "send the exposure where the variant is used.",
    "events just before the exposure": "send Sent-At, or stamp exposures where the events are stamped.",
}
_INFERENCE = {
    "group_sequential": "looks that share the error, until the planned size",
    "confidence_sequence": "intervals that hold at any time",
}


@dataclass(frozen=True, slots=True)
class Notice:
    """Headline, cause and next step; the last two may be empty."""

    headline: str
    cause: str
    next: str = ""
    is_failure: bool = False


@dataclass(frozen=True, slots=True)
class Arm:
    """An arm as it is set. share: of the units that enter now. payload: as JSON, empty without one."""

    key: str
    name: str
    role: str
    share: str
    payload: str


@dataclass(frozen=True, slots=True)
class Configuration:
    """arms: the control first. facts: names and texts; code: the targeting expression, empty without one."""

    arms: tuple[Arm, ...]
    facts: tuple[tuple[str, str], ...]
    targeting: str


def configuration_of(experiment: ExperimentOut) -> Configuration:
    """All that is set, but the metrics, which have a table of their own."""
    weights = sum(arm.weight for arm in experiment.variants if arm.active) or 1
    arms = tuple(
        Arm(
            key=arm.key,
            name=plain(arm.name),
            role="control" if arm.is_control else "treatment" if arm.active else "dropped",
            share=numbers.share(arm.weight / weights) if arm.active else numbers.share(0.0),
            payload="" if arm.payload is None else json.dumps(arm.payload, ensure_ascii=False, indent=1),
        )
        for arm in sorted(experiment.variants, key=lambda arm: not arm.is_control)
    )
    return Configuration(arms, _facts(experiment), experiment.targeting or "")


def notices_of(experiment: ExperimentOut, seen: Seen) -> tuple[Notice, ...]:
    """What failed first, then what warns."""
    failed = [check for check in (seen.answer.health if seen.answer else ()) if not check.passed]
    checks = [_check(check) for check in sorted(failed, key=lambda check: not check.blocking)]
    settings = [
        Notice(
            f"Look at the {told.field.rpartition('.')[2] if told.field else 'configuration'}",
            _sentence(told.message),
        )
        for told in fitness.warnings_of(experiment)
    ]
    return (*checks, *settings)


def _check(check: CheckItem) -> Notice:
    name = check_name(check.name)
    headline = f"{name[:1].upper()}{name[1:]}"
    kind = check.name.partition(" (")[0]
    next_ = _NEXT.get(kind, _NEXT.get(check.name, ""))
    return Notice(
        f"{headline}: {'failed' if check.blocking else 'a warning'}", check.message, next_, check.blocking
    )


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def _facts(experiment: ExperimentOut) -> tuple[tuple[str, str], ...]:
    layer = experiment.layer
    holdouts = experiment.holdouts
    found = [
        ("unit", f"{plain(experiment.unit_type)}, analysed once {experiment.population}"),
        ("traffic", traffic_of(experiment)),
        ("layer", f"{layer.key}, {(layer.end - layer.start) / 100:g} % of it" if layer else "none"),
        ("holdouts", "all there are" if holdouts is None else ", ".join(holdouts) or "none"),
        (
            "enrolment",
            "open to new units" if experiment.enrolment == "open" else "closed: no new unit gets in",
        ),
        ("those left out get", "the control" if experiment.outside == "control" else "no variant"),
        ("planned", _planned(experiment)),
    ]
    if experiment.source == "external":
        found = [("source", "collected elsewhere"), *found[:1], found[-1]]
    if experiment.inference is not None:
        found.append(("decided by", _INFERENCE.get(experiment.inference, experiment.inference)))
    if experiment.ramp is not None:
        found.append(("ramp", _ramp(experiment.ramp)))
    if experiment.release is not None:
        found.append(("released", released(experiment.release)))
    watched = [metric.key for metric in experiment.watched if metric.active]
    if watched:
        found.append(("watched beside its metrics", ", ".join(map(plain, watched))))
    times = (
        ("made", experiment.created_at),
        ("starts by itself", experiment.scheduled_start_at if experiment.started_at is None else None),
        ("started", experiment.started_at),
        ("stops by itself", experiment.scheduled_stop_at if experiment.concluded_at is None else None),
        ("concluded", experiment.concluded_at),
    )
    found += [(name, instant(moment)) for name, moment in times if moment is not None]
    return tuple(found)


def _ramp(ramp: RampOut) -> str:
    steps = ", ".join(
        f"{numbers.share(step.allocation / FULL_ALLOCATION)} for {step.hold}" for step in ramp.steps
    )
    held = f"; held: {plain(ramp.held)}" if ramp.held else ""
    return f"{ramp.position} of {len(ramp.steps)} steps taken ({steps}){held}"


def released(release: ReleaseOut) -> str:
    """Which variant, to which share of whom, and what comes next where it grows."""
    whom = "everyone" if release.population == "everyone" else "those targeted"
    grows = ""
    growing = release.growing()
    coming = None if growing is None else outlook(*growing)
    if coming is not None and coming.share is not None and coming.until is not None:
        grows = f"; {numbers.share(coming.share / FULL_ALLOCATION)} from {instant(coming.until)} on"
    return (
        f"{plain(release.variant_key)} to {numbers.share(release.share / FULL_ALLOCATION)} of {whom}{grows}"
    )


def _planned(experiment: ExperimentOut) -> str:
    days = f"{experiment.planned_days} days" if experiment.planned_days else ""
    units = f"{numbers.count(experiment.planned_units)} units" if experiment.planned_units else ""
    return " and ".join(filter(None, (days, units))) or "no days, no size"
