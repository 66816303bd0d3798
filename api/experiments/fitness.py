"""What may not be stored anew, and what a stored experiment is warned of: pure functions.

What an earlier version accepted goes on working: it is refused only where it is written again.
"""

from __future__ import annotations

from typing import Any

from api.experiments import payloads
from api.experiments.answers import ExperimentOut, WarningOut
from api.experiments.schemas import ExperimentIn
from neonblue.bucketing import check_expression
from neonblue.contract.codes import Code
from neonblue.contract.violation import Violation

_SMALL_ALLOCATION = 100
"""Basis points: who writes a percentage into `allocation` gets less than one percent."""


def unfit(before: ExperimentIn | None, after: ExperimentIn) -> list[Violation]:
    """Why what is written anew can't be stored. before: None for a new experiment."""
    found: list[Violation] = []
    if after.targeting is not None and (before is None or before.targeting != after.targeting):
        found.extend(refused_targeting(after.targeting))
    if before is None or _payloads(before) != _payloads(after):
        found.extend(payloads.refusals(after.variants))
    return found


def warnings_of(experiment: ExperimentOut) -> list[WarningOut]:
    """What whoever writes or reads the experiment should look at, as far as it says so itself.

    Its checklist (`readiness`) says the same, and what was seen of units beside it.
    """
    found = [*payloads.refusals(experiment.variants), *payloads.doubts(experiment.variants)]
    if experiment.targeting is not None:
        found.extend(refused_targeting(experiment.targeting))
    small = small_allocation(experiment.allocation)
    if small is not None:
        found.append(small)
    return [WarningOut(code=str(rule.code), message=rule.message, field=rule.field) for rule in found]


def refused_targeting(text: str) -> list[Violation]:
    """Why the expression can't be stored anew: it can't be read, or is true for nobody, or says another thing."""
    try:
        check_expression(text)
    except ValueError as error:
        return [Violation(Code.INVALID_EXPRESSION, str(error), "targeting")]
    return []


def small_allocation(allocation: int) -> Violation | None:
    """None where the share, in basis points, is none at all or at least one percent."""
    if not 0 < allocation < _SMALL_ALLOCATION:
        return None
    message = (
        f"{allocation} basis points are {allocation / 100:g} % of the traffic: 100 are 1 %, 10000 are all"
    )
    return Violation(Code.SMALL_ALLOCATION, message, "allocation")


def _payloads(experiment: ExperimentIn) -> list[dict[str, Any] | None]:
    return [arm.payload for arm in experiment.variants]
