"""A decision beside what the data say: a pure comparison, which warns and refuses nothing."""

from __future__ import annotations

from api.experiments.answers import WarningOut
from api.experiments.schemas import DecisionIn
from neonblue.contract.codes import Code
from neonblue.results.answer import Answer
from neonblue.statistics import Action

_CONTRARY = {
    "roll_back": (Action.SHIP,),
    "inconclusive": (Action.SHIP, Action.ROLL_BACK),
}


def against(decision: DecisionIn, answer: Answer | None) -> list[WarningOut]:
    """What to tell whoever decided. answer: the results as of the decision; None: they could not be read."""
    ships = decision.outcome == "ship"
    if answer is None or answer.decision is None:
        if not ships:
            return []
        why = (
            "the results can't be read now" if answer is None else answer.reason or "there are no results yet"
        )
        message = f"The decision was recorded and could not be compared with the data: {why}"
        return [_warning(message)]
    said = answer.decision
    if ships:
        agrees = said.action == Action.SHIP and said.arm == decision.variant_key
    else:
        agrees = said.action not in _CONTRARY[decision.outcome]
    if agrees:
        return []
    decided = f"ship {decision.variant_key}" if ships else decision.outcome.replace("_", " ")
    return [_warning(f"The decision, {decided}, was recorded; the data say: {said.sentence}")]


def _warning(message: str) -> WarningOut:
    return WarningOut(code=str(Code.AGAINST_THE_DATA), message=message, field="outcome")
