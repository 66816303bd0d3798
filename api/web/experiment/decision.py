"""What stands first on an experiment's page: the decision in a sentence, and what would change it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from api.experiments.answers import ExperimentOut
from api.results.glances import Missing
from api.web.shared.results import WHY_MISSING, Seen, about_of
from neonblue.analysis.answer import Answer
from neonblue.analysis.why import State
from neonblue.contract.life_cycle import STARTED, Status
from neonblue.findings.heading import heading_of
from neonblue.findings.said import Outcome, Said
from neonblue.statistics import Role, numbers
from neonblue.texts import instant, plain

_KINDS = {
    Outcome.SHIP: "ship",
    Outcome.ROLL_BACK: "stop",
    Outcome.INVALID: "stop",
    Outcome.KEEP_RUNNING: "keep",
    Outcome.TOO_EARLY: "keep",
}
_NOT_STARTED = {
    Status.DRAFT: "It has not started: everybody gets the control.",
    Status.SCHEDULED: "It waits for its time: until then everybody gets the control.",
}
_UNREAD = {
    Missing.NOTHING: "No results",
    Missing.NOT_ASKED: "Still computing",
    Missing.AWAY: "Results can’t be read now",
    Missing.FAILED: "Results could not be computed",
}
_TITLES = {State.NOT_INGESTED.value: "Just arrived", State.NOT_STARTED.value: "Just started"}


@dataclass(frozen=True, slots=True)
class Would:
    """One thing that would change the decision, or comes next. bar: a share drawn, as a width; empty without one."""

    head: str
    text: str
    when: str = ""
    bar: str = ""


@dataclass(frozen=True, slots=True)
class DecisionBlock:
    """kind: gives the colour. say: the sentence. people: who decided, when and why; data: what the data say beside it.

    warning: where the two differ.
    """

    kind: str
    mark: str
    title: str
    say: str
    people: str = ""
    data: str = ""
    warning: str = ""
    would: tuple[Would, ...] = ()


def decision_of(experiment: ExperimentOut, seen: Seen, now: datetime) -> DecisionBlock:
    """The decision, whatever is known of the results."""
    about = about_of(experiment, now)
    said = seen.said
    if said is None and experiment.status in _NOT_STARTED:
        said = Said(Outcome.NO_DATA, _NOT_STARTED[Status(experiment.status)])
    elif said is None and experiment.started_at is None and experiment.source == "internal":
        said = Said(Outcome.NO_DATA, "It was archived before it started.")
    elif said is None:
        return _unread(experiment, seen, now)
    heading = heading_of(about, said)
    title, say = parted(heading.title, heading.data)
    if heading.kind is Outcome.NO_DATA and not heading.people and seen.answer is not None:
        title = _TITLES.get(seen.answer.status, title)
    people = heading.people
    return DecisionBlock(
        kind="caution" if experiment.status is Status.PAUSED else _KINDS.get(heading.kind, ""),
        mark=heading.mark,
        title=title,
        say="" if people else say,
        people=people,
        data=heading.data.removeprefix("The data said: ") if people else "",
        warning=heading.warning,
        would=would_of(experiment, seen),
    )


def parted(title: str, sentence: str) -> tuple[str, str]:
    """A title and a sentence that begins with it: "Ship" and "Ship b: x +2 %." become "Ship b" and "x +2 %."."""
    for mark in (": ", ". "):
        head, found, rest = sentence.partition(mark)
        if found and rest and (head == title or (mark == ": " and head.startswith(f"{title} "))):
            return head, rest
    return title, sentence


def _unread(experiment: ExperimentOut, seen: Seen, now: datetime) -> DecisionBlock:
    """Without results: what people decided stands all the same."""
    missing = seen.glance.missing
    why = WHY_MISSING[missing]
    next_ = Would("What to do", "Load this page again in a moment.")
    if missing is Missing.AWAY:
        text = "Load this page again in a moment; “neonblue status” on the server says what is down."
        next_ = Would("What to do", text, "No event is lost: they are stored, and counted when it is back.")
    if experiment.decision is None:
        return DecisionBlock("caution", "!", _UNREAD[missing], why, would=(next_,))
    heading = heading_of(about_of(experiment, now), Said(Outcome.NO_DATA, why))
    return DecisionBlock(
        _KINDS.get(heading.kind, ""),
        heading.mark,
        heading.title,
        "",
        people=heading.people,
        data=why,
        would=(next_,),
    )


def would_of(experiment: ExperimentOut, seen: Seen) -> tuple[Would, ...]:
    """What would change the decision, or what comes next."""
    if experiment.status in _NOT_STARTED:
        return _before_the_start(experiment)
    answer = seen.answer
    if experiment.status not in STARTED or answer is None or seen.said is None:
        return ()
    outcome = seen.said.outcome
    if outcome is Outcome.KEEP_RUNNING:
        return _while_running(experiment, answer)
    if outcome is Outcome.TOO_EARLY:
        return _while_early(answer)
    if outcome in _AFTER:
        arm = plain(seen.said.arm) if seen.said.arm else "the arm"
        return tuple(Would(head, text.format(arm=arm)) for head, text in _AFTER[outcome])
    return _WAITING.get(answer.status, ())


_AFTER = {
    Outcome.SHIP: (
        ("It stands unless", "a guardrail is shown to be beyond its margin, or a check of health fails."),
        ("Next", "conclude it and ship {arm}, or say why not."),
    ),
    Outcome.ROLL_BACK: (
        ("It stands unless", "a check of health fails: what was shown is not taken back by more data."),
        ("Next", "conclude it and roll back, or drop the arm that does harm."),
    ),
    Outcome.INCONCLUSIVE: (
        ("Why no more data", "the planned end is reached: reading on would find effects that are not there."),
        ("Next", "conclude it. A new experiment with more units finds a smaller change."),
    ),
    Outcome.INVALID: (
        ("It becomes usable when", "what failed below is mended and passes again."),
        ("What still holds", "nobody loses a variant, and every event is kept."),
    ),
}
_WAITING = {
    State.NO_DATA.value: (
        Would("First numbers", "when a user has been assigned and met a variant."),
        Would("Next", "have the application ask for this key, and see whether its calls arrive."),
    ),
    State.ON_ITS_WAY.value: (Would("First numbers", "within 20 seconds.", "Load this page again."),),
    State.NOT_INGESTED.value: (Would("First numbers", "within 20 seconds.", "Load this page again."),),
    State.NOT_STARTED.value: (Would("First numbers", "within 20 seconds.", "Load this page again."),),
    State.NOT_BUILT.value: (
        Would(
            "First numbers",
            "after the next build, at five past the hour.",
            "“neonblue build” begins one now.",
        ),
    ),
}


def _before_the_start(experiment: ExperimentOut) -> tuple[Would, ...]:
    start = experiment.scheduled_start_at
    if experiment.status is Status.SCHEDULED and start is not None:
        starts = Would("It starts", f"by itself at {instant(start)}, or before, when somebody starts it.")
    else:
        starts = Would("It starts", "when somebody starts it.", "Until then all of it may be changed.")
    size = experiment.planned_units
    how = (
        f"once a day until {numbers.count(size)} units have entered."
        if size
        else "at any time: its intervals hold however often they are looked at."
    )
    return starts, Would("It may decide", how, "This is fixed for good by the start.")


def _while_running(experiment: ExperimentOut, answer: Answer) -> tuple[Would, ...]:
    primary = _named(experiment, Role.PRIMARY)
    guardrails = _named(experiment, Role.GUARDRAIL)
    holds = f", and {guardrails} {'hold' if ' and ' in guardrails else 'holds'}" if guardrails else ""
    left = answer.decision.days_left if answer.decision else None
    when = "" if left is None else f"{_days(left)} at the present rate."
    harm = f"{primary} is worse" if primary else "a primary metric is worse"
    beyond = ", or a guardrail is shown to be beyond its margin" if guardrails else ""
    return (
        Would("Ships when", f"{primary or 'a primary metric'} is shown to be better in an arm{holds}.", when),
        Would("Rolls back when", f"{harm}{beyond}, in every arm."),
        _end(experiment, answer),
    )


def _end(experiment: ExperimentOut, answer: Answer) -> Would:
    size, plan = experiment.planned_units, answer.plan
    if size:
        done = f"{numbers.count(answer.units)} of {numbers.count(size)} units, {answer.units / size:.0%}"
        return Would(
            "Ends undecided",
            f"at {numbers.count(size)} units.",
            done.replace("%", " %"),
            width_of(answer.units / size),
        )
    if plan is not None and plan.planned_days and plan.day:
        text = f"after {plan.planned_days} days."
        return Would(
            "Ends undecided",
            text,
            f"day {plan.day} of {plan.planned_days}",
            width_of(plan.day / plan.planned_days),
        )
    return Would("Ends undecided", "never by itself: no size and no days were planned.")


def _while_early(answer: Answer) -> tuple[Would, ...]:
    needed = answer.units_needed
    if not needed:
        return (Would("First interval", "when enough units have an outcome."),)
    text = f"at {numbers.count(needed)} units over all arms."
    share = answer.units / needed
    return (
        Would("First interval", text, f"{numbers.count(answer.units)} so far", width_of(share)),
        Would("May decide", "from then on, if the change is large."),
    )


def width_of(share: float) -> str:
    """A share as a width that never leaves its track."""
    return f"{100 * min(max(share, 0.0), 1.0):.1f}%"


def _named(experiment: ExperimentOut, role: Role) -> str:
    keys = [plain(metric.key) for metric in experiment.metrics if metric.role == role]
    if len(keys) > 3:
        return (
            f"one of {len(keys)} primary metrics"
            if role is Role.PRIMARY
            else f"all {len(keys)} guardrails and their margins"
        )
    return " and ".join(keys)


def _days(left: float) -> str:
    if left < 1:
        return "Less than a day"
    days = round(left)
    return f"About {days} day{'s' * (days != 1)}"
