"""Who gets in and who gets what: the ramp, the enrolment and the release, and what may be said of each. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from api.experiments.answers import ExperimentOut
from api.experiments.ramp_fields import RampOut
from api.http.problems import Problem
from api.ramps.progress import standing_in
from api.web.experiment.configuration import released
from api.web.experiments.rows import traffic_of
from api.web.shared.definitions import span
from neonblue.bucketing import FULL_ALLOCATION
from neonblue.contract.durations import read_duration
from neonblue.contract.life_cycle import STARTED, Status
from neonblue.ramps.plan import READY_MADE
from neonblue.ramps.planner import Action, outlook
from neonblue.statistics import numbers
from neonblue.texts import instant, plain

NO_RAMP = "none"
_FIELDS = frozenset({"reason", "variant_key", "share", "population", "ramp"})
_NUMBER = re.compile(r"\d+(?:\.\d+)?", re.ASCII)


class Act(StrEnum):
    """What whoever may edit says of the traffic."""

    HOLD = "hold"
    CONTINUE = "continue"
    SKIP = "skip"
    BACK = "back"
    CLOSE = "close"
    OPEN = "open"
    RELEASE = "release"


OF_RAMP = (Act.HOLD, Act.CONTINUE, Act.SKIP, Act.BACK)
OF_ENROLMENT = (Act.CLOSE, Act.OPEN)
_LABELS = {
    Act.HOLD: "Hold",
    Act.CONTINUE: "Continue",
    Act.SKIP: "Skip to the next step",
    Act.BACK: "Take back",
    Act.CLOSE: "Close enrolment",
    Act.OPEN: "Open enrolment",
    Act.RELEASE: "Release",
}
_WHAT_IT_DOES = {
    Act.HOLD: "Hold stays at the present step.",
    Act.CONTINUE: "Continue lets the ramp go on; enrolment that was taken back is open again.",
    Act.SKIP: "Skip takes the next step now, whatever its time, units and guardrails say.",
    Act.BACK: "Take back holds it and lets no new unit in; who is in keeps the variant.",
    Act.CLOSE: "Once closed, no new unit gets in; those that are in keep their variant and are measured.",
    Act.OPEN: "Once open, new units get in again.",
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a form was filled in with, as it was sent; empty texts where it was not. share: in percent."""

    reason: str = ""
    variant_key: str = ""
    share: str = ""
    population: str = ""
    ramp: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """What was sent and not done. errors: why, by field; what names none stands under an empty name."""

    act: Act
    wanted: Wanted
    errors: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Button:
    """An act that is possible now."""

    act: str
    label: str
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Form:
    """A form of one or several acts, which share their fields.

    name: sets its fields' ids apart from other forms'. text: what each act does. given, errors: of what was refused.
    """

    name: str
    text: str
    buttons: tuple[Button, ...]
    needs_reason: bool
    given: Wanted = field(default_factory=Wanted)
    errors: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a ramp. state: `done`, `now` or empty, of one that is to come."""

    share: str
    text: str
    state: str


@dataclass(frozen=True, slots=True)
class Traffic:
    """The section. arms: those that can be released, by key with name; ramps: the ready-made ones."""

    text: str
    steps: tuple[Step, ...]
    ramp_text: str
    ramp: Form | None
    enrolment_text: str
    enrolment: Form | None
    release_text: str
    release: Form | None
    arms: tuple[tuple[str, str], ...] = ()
    ramps: tuple[str, ...] = (NO_RAMP, *READY_MADE)


def traffic_section(
    experiment: ExperimentOut, *, may_edit: bool, refused: Refused | None = None
) -> Traffic | None:
    """None of what was collected elsewhere: nobody is served."""
    if experiment.source == "external":
        return None
    offered = acts_of(experiment) if may_edit else ()
    arms = tuple((arm.key, plain(arm.name)) for arm in experiment.variants if arm.active)
    return Traffic(
        text="" if experiment.status not in STARTED else f"{traffic_of(experiment)} of traffic",
        steps=_steps(experiment),
        ramp_text=_ramp_text(experiment),
        ramp=_form("ramp", OF_RAMP, offered, refused),
        enrolment_text=_enrolment_text(experiment),
        enrolment=_form("enrolment", OF_ENROLMENT, offered, refused),
        release_text="" if experiment.release is None else released(experiment.release),
        release=_form("release", (Act.RELEASE,), offered, refused, _released_now(experiment)),
        arms=arms,
    )


def acts_of(experiment: ExperimentOut) -> tuple[Act, ...]:
    """What the state allows, in order."""
    if experiment.source == "external":
        return ()
    found = list(_ramp_acts(experiment))
    if experiment.status in STARTED and experiment.rolled_back_from is None:
        found.append(Act.CLOSE if experiment.enrolment == "open" else Act.OPEN)
    if experiment.status is Status.CONCLUDED:
        found.append(Act.RELEASE)
    return tuple(found)


def label_of_act(act: Act) -> str:
    """The act, as its button names it."""
    return _LABELS[act]


def wanted_in(form: Mapping[str, str]) -> Wanted:
    """The fields of the form that people fill in, without the space around them."""
    return Wanted(**{name: form.get(name, "").strip() for name in sorted(_FIELDS)})


def fields_of(act: Act, wanted: Wanted) -> dict[str, str]:
    """What the form of the act sends, by field."""
    names = _FIELDS if act is Act.RELEASE else ("reason",)
    return {name: getattr(wanted, name) for name in sorted(names)}


def release_in(wanted: Wanted) -> dict[str, str]:
    """The release as the API's call takes it. Raises Problem 422 where its share is missing.

    A number without a sign is in percent. A ramp begins with its own first share.
    """
    found = {"variant_key": wanted.variant_key, "population": wanted.population}
    if wanted.reason:
        found["reason"] = wanted.reason
    if wanted.ramp not in ("", NO_RAMP):
        return found | {"ramp": wanted.ramp}
    if not wanted.share:
        raise Problem(422, "missing_field", "Say which share gets it, such as 25 %.", field="share")
    return found | {"share": f"{wanted.share} %" if _NUMBER.fullmatch(wanted.share) else wanted.share}


def errors_of_traffic(problem: Problem) -> dict[str, str]:
    """Why it was refused, by the form's fields; a part of a field is told beside the whole."""
    errors: dict[str, str] = {}
    for each in problem.members.get("errors") or [{"field": problem.field, "message": problem.detail}]:
        name = (each["field"] or "").partition(".")[0]
        errors.setdefault(name if name in _FIELDS else "", str(each["message"]))
    return errors


def _ramp_acts(experiment: ExperimentOut) -> tuple[Act, ...]:
    ramp = experiment.ramp
    if ramp is None or experiment.status is not Status.RUNNING:
        return ()
    found = [Act.CONTINUE if ramp.held is not None else Act.HOLD]
    if _coming_share(experiment, ramp) is not None:
        found.append(Act.SKIP)
    if ramp.held is None or experiment.enrolment == "open":
        found.append(Act.BACK)
    return tuple(found)


def _coming_share(experiment: ExperimentOut, ramp: RampOut) -> int | None:
    coming = outlook(
        ramp.plan, standing_in(ramp, experiment.status, experiment.allocation, experiment.enrolment)
    )
    return coming.share if coming is not None and coming.action is Action.ADVANCE else None


def _form(
    name: str,
    acts: tuple[Act, ...],
    offered: tuple[Act, ...],
    refused: Refused | None,
    given: Wanted | None = None,
) -> Form | None:
    """None where none of its acts is possible, and none was refused."""
    buttons = tuple(
        Button(act.value, _LABELS[act], {Act.BACK: "danger", Act.RELEASE: "primary"}.get(act, ""))
        for act in acts
        if act in offered
    )
    of_this = refused is not None and refused.act in acts
    if not buttons:
        return None
    text = " ".join(_WHAT_IT_DOES[act] for act in acts if act in offered and act in _WHAT_IT_DOES)
    return Form(
        name=name,
        text=text,
        buttons=buttons,
        needs_reason=acts is OF_RAMP,
        given=refused.wanted if refused is not None and of_this else given or Wanted(),
        errors=refused.errors if refused is not None and of_this else {},
    )


def _steps(experiment: ExperimentOut) -> tuple[Step, ...]:
    ramp = experiment.ramp
    if ramp is None:
        return ()
    found = []
    for number, step in enumerate(ramp.steps, start=1):
        state = "done" if number < ramp.position else "now" if number == ramp.position else ""
        units = "" if step.units is None else f", {numbers.count(step.units)} units"
        text = f"{span(round(read_duration(step.hold).total_seconds()))}{units}"
        found.append(Step(numbers.share(step.allocation / FULL_ALLOCATION), text, state))
    return tuple(found)


def _ramp_text(experiment: ExperimentOut) -> str:
    """What comes next of the ramp, or why nothing does; empty without one."""
    ramp = experiment.ramp
    if ramp is None:
        return ""
    if experiment.status not in STARTED:
        return "" if experiment.started_at is not None else "The ramp begins with the start."
    if ramp.held is not None:
        return f"Held: {plain(ramp.held)}"
    if experiment.status is not Status.RUNNING:
        return "The ramp waits: it does not run."
    where = standing_in(ramp, experiment.status, experiment.allocation, experiment.enrolment)
    coming = outlook(ramp.plan, where)
    if coming is None:
        return "Every step is taken."
    then = "concluded with its release" if coming.share is None else _percent(coming.share)
    when = "" if coming.until is None else f", from {instant(coming.until)} on"
    return f"Next: {then}{when}, while every guardrail holds."


def _percent(share: int) -> str:
    return numbers.share(share / FULL_ALLOCATION)


def _enrolment_text(experiment: ExperimentOut) -> str:
    if experiment.status not in STARTED:
        return ""
    if experiment.rolled_back_from is not None:
        return "Enrolment was closed by the roll back: resume undoes it."
    if experiment.enrolment == "open":
        return "Enrolment is open to new units."
    return "Enrolment is closed: no new unit gets in."


def _released_now(experiment: ExperimentOut) -> Wanted:
    """The release as it stands, to be changed: what is not said stays."""
    release = experiment.release
    if release is None:
        control = next((arm.key for arm in experiment.variants if arm.is_control), "")
        return Wanted(variant_key=control, population="targeted", ramp=NO_RAMP)
    return Wanted(
        variant_key=release.variant_key,
        share=f"{release.share / 100:g}",
        population=release.population,
        ramp=NO_RAMP,
    )
