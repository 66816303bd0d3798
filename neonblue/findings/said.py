"""What the data say, and whether a decision goes against it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from neonblue.analysis.why import State

if TYPE_CHECKING:
    from neonblue.analysis.answer import Answer


class Outcome(StrEnum):
    """What the data lead to, or why they lead to nothing: gives a report its colour and its first words."""

    SHIP = "ship"
    ROLL_BACK = "roll_back"
    KEEP_RUNNING = "keep_running"
    INCONCLUSIVE = "inconclusive"
    INVALID = "invalid"
    TOO_EARLY = "too_early"
    NOT_BUILT = "not_built"
    ON_ITS_WAY = "on_its_way"
    NO_DATA = "no_data"


_WITHOUT_NUMBERS: dict[str, Outcome] = {
    State.NOT_BUILT: Outcome.NOT_BUILT,
    State.ON_ITS_WAY: Outcome.ON_ITS_WAY,
}
_UNDECIDED = (Outcome.KEEP_RUNNING, Outcome.INCONCLUSIVE)


@dataclass(frozen=True, slots=True)
class Said:
    """What the data say. sentence: in words; arm: which one they would ship or roll back, where they name one."""

    outcome: Outcome
    sentence: str
    arm: str | None = None

    @property
    def has_numbers(self) -> bool:
        """Whether it is made of numbers, not of the reason why there are none."""
        return self.outcome not in (Outcome.NO_DATA, *_WITHOUT_NUMBERS.values())


def said_in(answer: Answer) -> Said:
    """What the data say, in an answer."""
    decided = answer.decision
    if decided is None:
        return said_of(answer.status, answer.reason)
    return said_of(answer.status, answer.reason, decided.action, decided.sentence, decided.arm)


def said_of(
    status: str, reason: str, action: str | None = None, sentence: str = "", arm: str | None = None
) -> Said:
    """What the data say, from an answer's status with its reason and from its decision; action: None without one.

    Without numbers the reason stands for a verdict, whatever the decision. Where it is too early for a comparison, it
    stands for one that decides nothing; what ends an experiment, such as a broken split, is said all the same.
    """
    if status not in (State.OK, State.TOO_EARLY):
        return Said(_WITHOUT_NUMBERS.get(status, Outcome.NO_DATA), reason)
    if status == State.TOO_EARLY and (action is None or action in _UNDECIDED):
        return Said(Outcome.TOO_EARLY, reason)
    if action is None:
        return Said(Outcome.NO_DATA, reason)
    return Said(Outcome(action), sentence, arm)


def contradicts(outcome: str, arm: str | None, said: Said) -> bool:
    """Whether a recorded decision, to `ship` the arm, `roll_back` or `inconclusive`, goes against what the data say.

    To ship is borne out by nothing but data that would ship the same arm. Back to the control needs no proof: what goes
    against it are data that would ship. Against `inconclusive` are those that lead to either.
    """
    if outcome == "ship":
        return said.outcome is not Outcome.SHIP or said.arm != arm
    if outcome == "roll_back":
        return said.outcome is Outcome.SHIP
    return said.outcome in (Outcome.SHIP, Outcome.ROLL_BACK)
