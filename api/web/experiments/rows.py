"""One experiment in the list: where it stands, what its results say, and whether it needs a person. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from api.experiments.answers import ExperimentOut
from api.web.shared.drawing import Axis, Interval, interval_of
from api.web.shared.results import WHY_MISSING, Seen, about_of, headline_of
from neonblue.contract.life_cycle import STARTED, Status
from neonblue.findings.effect import Effect, shown
from neonblue.findings.heading import WORDS, heading_of
from neonblue.findings.said import Outcome, Said
from neonblue.statistics.experiment.standing import GuardrailState
from neonblue.statistics.experiment.wording import check_name
from neonblue.texts import plain

_BADGES = {Status.RUNNING: "running", Status.PAUSED: "warn"}
_COLOURS = {
    Outcome.SHIP: "better",
    Outcome.ROLL_BACK: "worse",
    Outcome.INVALID: "worse",
}
_CALLS_FOR_SOMEBODY = (Outcome.SHIP, Outcome.ROLL_BACK, Outcome.INVALID, Outcome.INCONCLUSIVE)


class Group(StrEnum):
    """Where a row stands in the list, in this order."""

    NEEDS_A_PERSON = "Needs a person"
    RUNNING = "Running"
    NOT_STARTED = "Not started"
    CONCLUDED = "Concluded"
    ARCHIVED = "Archived"


_GROUPS = {
    Status.DRAFT: Group.NOT_STARTED,
    Status.SCHEDULED: Group.NOT_STARTED,
    Status.RUNNING: Group.RUNNING,
    Status.PAUSED: Group.NEEDS_A_PERSON,
    Status.CONCLUDED: Group.CONCLUDED,
    Status.ARCHIVED: Group.ARCHIVED,
}


@dataclass(frozen=True, slots=True)
class Badge:
    """A state in a word. kind: gives the colour, empty for none."""

    text: str
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """A word with its mark and what stands under it. kind: gives the colour."""

    text: str
    mark: str = ""
    kind: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A row as it is shown. Where there is no interval, `nothing` says why; `metric` is empty then."""

    key: str
    name: str
    about: str
    group: Group
    state: Badge
    state_note: str
    starts: datetime | None
    day: str
    day_note: str
    health: Told
    interval: Interval | None
    nothing: str
    metric: str
    change: str
    change_interval: str
    decision: Told


def effect_of_row(seen: Seen) -> Effect | None:
    """What the row draws; None where there is nothing to draw, or it is not to be used."""
    return None if seen.is_invalid else headline_of(seen)


def row_of(experiment: ExperimentOut, seen: Seen, axis: Axis, now: datetime) -> Row:
    """The experiment as the list shows it."""
    effect = effect_of_row(seen)
    words = None if effect is None else shown(effect)
    drawn = None if effect is None else interval_of(effect, axis)
    day, day_note = _days(experiment, now)
    return Row(
        key=experiment.key,
        name=experiment.name or experiment.key,
        about=_about(experiment),
        group=group_of(experiment, seen),
        state=badge_of(experiment),
        state_note=_state_note(experiment),
        starts=experiment.scheduled_start_at if experiment.status is Status.SCHEDULED else None,
        day=day,
        day_note=day_note,
        health=health_of(experiment, seen),
        interval=drawn,
        nothing="" if drawn else _nothing(experiment, seen),
        metric=effect.metric if drawn and effect else "",
        change=words.change if drawn and words else "",
        change_interval=words.change_interval if drawn and words else "",
        decision=_decision(experiment, seen, now),
    )


def group_of(experiment: ExperimentOut, seen: Seen) -> Group:
    """Whether somebody must do something, else where the experiment stands."""
    usual = _GROUPS[experiment.status]
    if experiment.status is Status.CONCLUDED and experiment.decision is None:
        return Group.NEEDS_A_PERSON
    if experiment.status is not Status.RUNNING:
        return usual
    calls = seen.said is not None and seen.said.outcome in _CALLS_FOR_SOMEBODY
    return Group.NEEDS_A_PERSON if calls or _breached(seen) else usual


def badge_of(experiment: ExperimentOut) -> Badge:
    """The status in a word."""
    return Badge(experiment.status.value, _BADGES.get(experiment.status, ""))


def health_of(experiment: ExperimentOut, seen: Seen) -> Told:
    """Whether the numbers can be trusted, in a word."""
    if seen.answer is None or not seen.answer.health:
        return Told("–", note="" if experiment.status not in STARTED else "not known yet")
    failed = [check for check in seen.answer.health if not check.passed]
    blocking = [check for check in failed if check.blocking]
    if blocking:
        return Told(f"{check_name(blocking[0].name)} failed", "✗", "fail")
    breached = _breached(seen)
    if breached:
        return Told("guardrail breached", "✗", "fail", breached[0].metric)
    if failed:
        warnings = f"{len(failed)} warning{'s' * (len(failed) != 1)}"
        return Told(f"good, {warnings}", "!", "warn", check_name(failed[0].name))
    return Told("good", "✓", "ok")


def _breached(seen: Seen) -> list[Effect]:
    return [effect for effect in seen.effects if effect.guardrail is GuardrailState.BREACHED]


def _about(experiment: ExperimentOut) -> str:
    arms = f"{len(experiment.variants)} arms" if len(experiment.variants) > 2 else ""
    return " · ".join(filter(None, (plain(experiment.owner), *map(plain, experiment.tags), arms)))


def _state_note(experiment: ExperimentOut) -> str:
    if experiment.source == "external":
        return "collected elsewhere"
    if experiment.status in STARTED:
        return f"{traffic_of(experiment)} of traffic"
    if experiment.concluded_at:
        return f"{experiment.concluded_at:%Y-%m-%d}"
    return ""


def traffic_of(experiment: ExperimentOut) -> str:
    """The share of traffic that enters."""
    return f"{experiment.allocation / 100:g} %"


def _days(experiment: ExperimentOut, now: datetime) -> tuple[str, str]:
    day = about_of(experiment, now).day
    if day is None:
        return "–", ""
    planned = experiment.planned_days
    if experiment.status not in STARTED or planned is None:
        return f"{day}", ""
    left = planned - day
    return f"{day} of {planned}", f"{left} left" if left > 0 else "time is up"


def _nothing(experiment: ExperimentOut, seen: Seen) -> str:
    if experiment.started_at is None and experiment.source == "internal":
        return "No traffic yet"
    if seen.is_invalid:
        return "No estimate while a check fails"
    if seen.said is None:
        return WHY_MISSING[seen.glance.missing]
    if not seen.said.has_numbers or seen.said.outcome is Outcome.TOO_EARLY:
        first, found, _ = seen.said.sentence.partition(". ")  # the experiment's page has the rest
        return f"{first}." if found else first
    effect = headline_of(seen)
    if effect is None:
        return "No primary metric"
    return effect.note or "No relative change: control’s value is 0 or unknown"


def _decision(experiment: ExperimentOut, seen: Seen, now: datetime) -> Told:
    if experiment.started_at is None and experiment.source == "internal":
        return Told("Not started", note="everybody gets the control")
    said = seen.said or Said(Outcome.NO_DATA, "")
    heading = heading_of(about_of(experiment, now), said)
    if seen.said is None and experiment.decision is None:
        return Told("–")  # why stands in the place of the interval
    if experiment.decision is not None:
        note = heading.warning if seen.said else ""
        return Told(heading.title, heading.mark, _COLOURS.get(heading.kind, ""), note)
    mark, word = WORDS[said.outcome]
    decided = said.outcome in (Outcome.SHIP, Outcome.ROLL_BACK)
    title = f"{word} {plain(said.arm)}" if decided and said.arm else word
    return Told(
        title,
        mark if _COLOURS.get(said.outcome) else "",
        _COLOURS.get(said.outcome, ""),
        _way_on(experiment, said),
    )


def _way_on(experiment: ExperimentOut, said: Said) -> str:
    if experiment.status is Status.CONCLUDED:
        return "concluded; nobody has recorded a decision"
    if experiment.status is Status.PAUSED:
        return "paused: resume, or conclude"
    if said.outcome in (Outcome.SHIP, Outcome.ROLL_BACK, Outcome.INCONCLUSIVE):
        return "nobody has decided"
    return ""
