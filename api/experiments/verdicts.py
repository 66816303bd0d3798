"""A decision beside what the data say: the comparison warns and refuses nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from api.experiments.answers import WarningOut
from api.experiments.schemas import DecisionIn
from api.http.problems import Problem
from neonblue.analysis.answer import Answer
from neonblue.contract.codes import Code
from neonblue.findings.said import contradicts, said_in

_SECONDS = 3.0
"""How long a decision waits for the results that it is compared with."""


@dataclass(frozen=True, slots=True)
class LiveResults:
    """What an experiment's results say now. read: them, by the experiment's key; raises Problem."""

    read: Callable[[str], Awaitable[Answer]]

    async def now(self, key: str) -> Answer | None:
        """None where they can't be read soon, which keeps nobody from deciding."""
        try:
            async with asyncio.timeout(_SECONDS):
                return await self.read(key)
        except (Problem, TimeoutError):
            return None


def against(decision: DecisionIn, answer: Answer | None) -> list[WarningOut]:
    """What to tell whoever decided. answer: the results as of the decision; None: they could not be read."""
    said = None if answer is None else said_in(answer)
    ships = decision.outcome == "ship"
    if said is None or not said.has_numbers:
        if not ships:
            return []
        why = "the results can't be read now" if said is None else said.sentence or "there are no results yet"
        return [_warning(f"The decision was recorded and could not be compared with the data: {why}")]
    if not contradicts(decision.outcome, decision.variant_key, said):
        return []
    decided = f"ship {decision.variant_key}" if ships else decision.outcome.replace("_", " ")
    return [_warning(f"The decision, {decided}, was recorded; the data say: {said.sentence}")]


def _warning(message: str) -> WarningOut:
    return WarningOut(code=str(Code.AGAINST_THE_DATA), message=message, field="outcome")
