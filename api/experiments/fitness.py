"""What may not be stored anew, and what a stored experiment is warned of: pure functions.

What an earlier version accepted goes on working: it is refused only where it is written again.
"""

from __future__ import annotations

from collections.abc import Iterator
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
        found.extend(_of_targeting(after.targeting))
    if before is None or _payloads(before) != _payloads(after):
        found.extend(payloads.refusals(after.variants))
    return found


def warnings_of(experiment: ExperimentOut) -> list[WarningOut]:
    """What whoever starts or reads the experiment should look at."""
    found = [*payloads.refusals(experiment.variants), *payloads.doubts(experiment.variants)]
    if experiment.targeting is not None:
        found.extend(_of_targeting(experiment.targeting))
    if 0 < experiment.allocation < _SMALL_ALLOCATION:
        share = f"{experiment.allocation / 100:g} %"
        message = (
            f"{experiment.allocation} basis points are {share} of the traffic: 100 are 1 %, 10000 are all"
        )
        found.append(Violation(Code.SMALL_ALLOCATION, message, "allocation"))
    return [WarningOut(code=str(rule.code), message=rule.message, field=rule.field) for rule in found]


def _of_targeting(text: str) -> Iterator[Violation]:
    try:
        check_expression(text)
    except ValueError as error:
        yield Violation(Code.INVALID_EXPRESSION, str(error), "targeting")


def _payloads(experiment: ExperimentIn) -> list[dict[str, Any] | None]:
    return [arm.payload for arm in experiment.variants]
