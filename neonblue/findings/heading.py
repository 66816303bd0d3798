"""What a result says first: the team's recorded decision, and what the data say. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from neonblue.analysis.about import About, RecordedDecision
from neonblue.findings.said import Outcome, Said, contradicts
from neonblue.texts import instant, person, plain

_NOT_STARTED = ("draft", "scheduled")
_ENDED = ("concluded", "archived")


WORDS = {
    Outcome.SHIP: ("✓", "Ship"),
    Outcome.ROLL_BACK: ("✗", "Roll back"),
    Outcome.KEEP_RUNNING: ("…", "Keep running"),
    Outcome.INCONCLUSIVE: ("?", "No decision"),
    Outcome.INVALID: ("!", "Do not use these results"),
    Outcome.TOO_EARLY: ("…", "Too early"),
    Outcome.NOT_BUILT: ("○", "Not built yet"),
    Outcome.ON_ITS_WAY: ("○", "On its way"),
    Outcome.NO_DATA: ("○", "No data yet"),
}
_DECIDED = {
    "ship": (Outcome.SHIP, "Decided: ship"),
    "roll_back": (Outcome.ROLL_BACK, "Decided: roll back"),
    "inconclusive": (Outcome.INCONCLUSIVE, "Decided: inconclusive"),
}


@dataclass(frozen=True, slots=True)
class Heading:
    """kind: gives the colour. title: the first words; mark: a sign beside them, so that colour is not all there is.

    people: who decided, when and why; empty where nobody did. data: what the data say; warning: where the two differ.
    """

    kind: Outcome
    mark: str
    title: str
    people: str
    data: str
    warning: str


def heading_of(about: About | None, said: Said) -> Heading:
    """What stands first. about: None of a file, or where no configuration has arrived.

    A decision that people recorded stands before what the data said. An experiment that is not running has its status
    first: what the data say is no instruction there.
    """
    outcome, sentence = said.outcome, said.sentence
    mark, words = WORDS[outcome]
    spoken = sentence if sentence.startswith(words) else f"{words}: {sentence}"
    if about is None or (about.status == "running" and about.recorded is None):
        return Heading(outcome, mark, words, "", sentence, "")
    if about.recorded is not None:
        kind, decided = _DECIDED.get(about.recorded.outcome, (Outcome.INCONCLUSIVE, "Decided"))
        title = f"{decided} {plain(about.recorded.variant_key)}" if about.recorded.variant_key else decided
        against = contradicts(about.recorded.outcome, about.recorded.variant_key, said)
        warning = _difference(outcome) if against else ""
        return Heading(
            kind, WORDS[kind][0], title, _people(about.recorded), f"The data said: {spoken}", warning
        )
    if about.status in _NOT_STARTED:
        title = "Draft: not started" if about.status == "draft" else "Scheduled: not started"
        return Heading(Outcome.NO_DATA, "○", title, "", sentence, "")
    if about.status == "paused":
        return Heading(outcome, mark, "Paused", "", f"The data say: {spoken}", "")
    if about.source == "external" and about.status in _ENDED:
        return Heading(outcome, mark, words, "", sentence, "")
    if about.started_at is None and about.source != "external":
        return Heading(Outcome.NO_DATA, "○", "Archived: never started", "", sentence, "")
    title = f"{about.status.capitalize()}: no decision recorded"
    return Heading(Outcome.INCONCLUSIVE, "?", title, "", f"The data say: {spoken}", "")


def _people(recorded: RecordedDecision) -> str:
    by = f"by {person(recorded.decided_by)}" if recorded.decided_by else "by whom was not kept"
    at = f" on {instant(recorded.decided_at)}" if recorded.decided_at else ""
    return f"{by}{at}. Reason: {plain(recorded.reason)}"


def _difference(outcome: Outcome) -> str:
    if outcome is Outcome.INVALID:
        return "The decision rests on results that are not to be used."
    if outcome in (Outcome.SHIP, Outcome.ROLL_BACK):
        return "The decision is not what the data said."
    return "The data did not show it."
