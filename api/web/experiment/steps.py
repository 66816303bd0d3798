"""The steps that an experiment's page offers, and what each asks for first. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from api.experiments.answers import ExperimentOut
from api.http.problems import Problem
from api.web.experiment.history import ChangedField, Entry
from api.web.experiments.rows import traffic_of
from neonblue.contract.life_cycle import Step, legal_steps
from neonblue.statistics import numbers
from neonblue.texts import instant, plain

ASKING = frozenset({Step.START, Step.SCHEDULE, Step.PAUSE, Step.ROLL_BACK, Step.CONCLUDE, Step.ARCHIVE})
"""Steps that are reviewed, or say why, before they are taken."""
LATER = "later"
"""To conclude now, and decide later."""
_LABELS = {
    Step.SCHEDULE: "Schedule",
    Step.UNSCHEDULE: "Take off the schedule",
    Step.START: "Start",
    Step.PAUSE: "Pause",
    Step.ROLL_BACK: "Roll back",
    Step.RESUME: "Resume",
    Step.CONCLUDE: "Conclude",
    Step.ARCHIVE: "Archive",
}
_WHAT_IT_DOES = {
    Step.PAUSE: "No new unit is assigned, and everybody gets the control until it is resumed. The numbers stay.",
    Step.ROLL_BACK: "Everybody gets the control, and no new unit is let in. Resume undoes it.",
    Step.CONCLUDE: "No unit is assigned any more, and the verdicts become final. An arm that is shipped goes "
    "at once to all whom targeting means.",
    Step.ARCHIVE: "It leaves the list for good and can’t be changed any more. Its results stay.",
}
_FIELDS = frozenset({"outcome", "variant_key", "reason"})
_FORCED = frozenset({Step.START, Step.ARCHIVE})


@dataclass(frozen=True, slots=True)
class Offer:
    """A button. asks: it leads to a form; else it takes the step at once."""

    step: str
    label: str
    kind: str
    asks: bool


@dataclass(frozen=True, slots=True)
class Given:
    """What a form was filled in with, as it was sent; empty texts where it was not."""

    outcome: str = ""
    variant_key: str = ""
    reason: str = ""
    force: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """The form of a step. review: what will be, as names and texts. arms: what can be shipped, by key with name.

    given: what was sent and refused; errors: why, by field. can_force: whether a reason overrides the refusal.
    """

    step: str
    label: str
    text: str
    review: tuple[tuple[str, str], ...] = ()
    arms: tuple[tuple[str, str], ...] = ()
    decides: bool = False
    given: Given = field(default_factory=Given)
    errors: Mapping[str, str] = field(default_factory=dict)
    can_force: bool = False


@dataclass(frozen=True, slots=True)
class Conflict:
    """It was changed since the page was opened.

    label: what was to be done. entries: what was done meanwhile, newest first; changed: what is not as it was. sent:
    what the form sends again, by name; to: where, below the page's own path. possible: whether it still can be done.
    """

    label: str
    saw: int
    now: int
    entries: tuple[Entry, ...]
    changed: tuple[ChangedField, ...]
    sent: tuple[tuple[str, str], ...]
    to: str
    possible: bool


def offers_of(experiment: ExperimentOut, now: datetime, *, may_edit: bool) -> tuple[Offer, ...]:
    """What whoever may edit can do now, in order; nothing for a viewer."""
    if not may_edit:
        return ()
    return tuple(_offer(step) for step in legal_steps(experiment.status) if _possible(experiment, step, now))


def asked_of(
    experiment: ExperimentOut,
    step: Step,
    now: datetime,
    given: Given | None = None,
    errors: Mapping[str, str] | None = None,
) -> Asked | None:
    """The form of a step; None where it can't be taken now, or asks for nothing."""
    if (
        step not in ASKING
        or step not in legal_steps(experiment.status)
        or not _possible(experiment, step, now)
    ):
        return None
    arms: tuple[tuple[str, str], ...] = ()
    if step is Step.CONCLUDE:
        arms = tuple(
            (arm.key, plain(arm.name) if arm.name else "")
            for arm in experiment.variants
            if arm.active and not arm.is_control
        )
    return Asked(
        step=step.value,
        label=_LABELS[step],
        text=_WHAT_IT_DOES.get(step, ""),
        review=_review(experiment) if step in (Step.START, Step.SCHEDULE) else (),
        arms=arms,
        decides=step is Step.CONCLUDE and experiment.decision is None,
        given=given or Given(),
        errors=errors or {},
        can_force=step in _FORCED and bool(errors),
    )


def given_in(form: Mapping[str, str]) -> Given:
    """The fields of the form that people fill in, without the space around them."""
    outcome, arm, reason = (form.get(name, "").strip() for name in ("outcome", "variant_key", "reason"))
    return Given(outcome, arm, reason, form.get("force") == "yes")


def decided_by(given: Given) -> dict[str, str | None] | None:
    """The decision in the form's fields; None: it is to come. Raises Problem 422 naming what is missing."""
    outcome, arm, reason = given.outcome, given.variant_key, given.reason
    if outcome == LATER:
        return None
    missing = {
        "outcome": "" if outcome else "Choose what was decided, or to decide later.",
        "variant_key": "Choose which arm is shipped." if outcome == "ship" and not arm else "",
        "reason": "" if reason else "Say why: it stands beside the decision in the report and the history.",
    }
    errors = [{"field": name, "message": text} for name, text in missing.items() if text]
    if errors:
        raise Problem(422, "missing_field", errors[0]["message"], members={"errors": errors})
    return {"outcome": outcome, "variant_key": arm if outcome == "ship" else None, "reason": reason}


def can_be_forced(problem: Problem) -> bool:
    """Whether a reason overrides the refusal: it is still asked for, or its checklist has items that are blocking."""
    return problem.code == "still_evaluated" or bool(problem.members.get("items"))


def errors_of(problem: Problem) -> dict[str, str]:
    """Why a form was refused, by the form's fields; what names none of them stands under an empty name."""
    told = problem.members.get("errors") or [{"field": problem.field, "message": problem.detail}]
    return {(each["field"] if each["field"] in _FIELDS else ""): str(each["message"]) for each in told}


def label_of(step: Step) -> str:
    """The act, as its button names it."""
    return _LABELS[step]


def _offer(step: Step) -> Offer:
    asks = step in ASKING
    kind = {
        Step.START: "primary",
        Step.RESUME: "primary",
        Step.ROLL_BACK: "danger",
        Step.ARCHIVE: "danger",
    }.get(step, "")
    return Offer(step.value, _LABELS[step] + ("…" if asks else ""), kind, asks)


def _possible(experiment: ExperimentOut, step: Step, now: datetime) -> bool:
    """Whether it makes sense now: its dates allow it, and a roll back has something to take back."""
    if step is Step.ROLL_BACK:
        return experiment.source == "internal" and experiment.rolled_back_from is None
    start = experiment.scheduled_start_at
    return step is not Step.SCHEDULE or (start is not None and start > now)


def _review(experiment: ExperimentOut) -> tuple[tuple[str, str], ...]:
    weights = sum(arm.weight for arm in experiment.variants if arm.active) or 1
    arms = ", ".join(
        f"{plain(arm.key)} {100 * arm.weight / weights:.4g} %" for arm in experiment.variants if arm.active
    )
    metrics = (
        ", ".join(plain(metric.key) for metric in experiment.metrics) or "none: nothing will be compared"
    )
    size = experiment.planned_units
    how = (
        f"looks once a day, until {numbers.count(size)} units"
        if size
        else "intervals that hold at any time; no size is planned"
    )
    found = [
        ("traffic", traffic_of(experiment)),
        ("arms", arms),
        ("who enters", experiment.targeting or "everybody"),
        ("metrics", metrics),
        ("decided by", f"{how}. The start fixes this for good"),
    ]
    if experiment.scheduled_start_at is not None:
        found.append(("starts", instant(experiment.scheduled_start_at)))
    if experiment.scheduled_stop_at is not None:
        found.append(("stops", instant(experiment.scheduled_stop_at)))
    return tuple(found)
