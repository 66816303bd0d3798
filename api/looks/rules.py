"""Whether a look is the next one of its experiment: pure functions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from datetime import datetime

from api.experiments.answers import ExperimentOut
from neonblue.contract.codes import Code
from neonblue.contract.instants import format_instant
from neonblue.contract.life_cycle import STARTED, Status
from neonblue.contract.looks import LookCell, LookMessage
from neonblue.contract.violation import Violation

LOOKED_AT = STARTED | {Status.CONCLUDED}
"""In these states looks are taken."""


def refusals(
    look: LookMessage, experiment: ExperimentOut, earlier: Sequence[LookMessage], now: datetime
) -> list[Violation]:
    """Each rule that the look breaks. earlier: the looks that were taken, in order."""
    return [
        *_of_times(look, earlier, now),
        *_of_plan(look, experiment),
        *_of_cells(look, experiment, earlier),
    ]


def _of_times(look: LookMessage, earlier: Sequence[LookMessage], now: datetime) -> Iterator[Violation]:
    # Texts of instants are in the order of their times.
    if earlier and look.closed_to <= earlier[-1].closed_to:
        message = f"must be later than the last look's, {earlier[-1].closed_to}"
        yield Violation(Code.DATES_ORDER, message, "closed_to")
    if look.closed_to > format_instant(now):
        yield Violation(Code.IN_FUTURE, "must not lie ahead: a look is at what is closed", "closed_to")


def _of_plan(look: LookMessage, experiment: ExperimentOut) -> Iterator[Violation]:
    if look.configuration_version > experiment.version:
        message = f"must be a version that there is, up to {experiment.version}"
        yield Violation(Code.VALUE_OUT_OF_RANGE, message, "configuration_version")
    if look.inference != experiment.inference:
        yield Violation(Code.FROZEN, f"must be {experiment.inference}, as at the start", "inference")
    if look.planned_units != experiment.planned_units:
        message = f"must be the experiment's: {_shown(experiment.planned_units)}"
        yield Violation(Code.FROZEN, message, "planned_units")


def _of_cells(
    look: LookMessage, experiment: ExperimentOut, earlier: Sequence[LookMessage]
) -> Iterator[Violation]:
    metrics = {metric.key: metric.version for metric in experiment.metrics}
    treatments = {variant.key for variant in experiment.variants if not variant.is_control}
    reached, times = _reached(earlier), {taken.closed_to for taken in (*earlier, look)}
    seen: set[tuple[str, str]] = set()
    for index, cell in enumerate(look.cells):
        place, comparison = f"cells.{index}", (cell.metric_key, cell.variant_key)
        if comparison in seen:
            yield Violation(Code.DUPLICATE, "two are of the same metric and treatment", place)
        seen.add(comparison)
        if cell.metric_key not in metrics:
            yield Violation(Code.UNKNOWN_METRIC, "the experiment has no such metric", f"{place}.metric_key")
        elif cell.metric_version != metrics[cell.metric_key]:
            message = f"must be {metrics[cell.metric_key]}, the version that the experiment measures"
            yield Violation(Code.UNKNOWN_METRIC, message, f"{place}.metric_version")
        if cell.variant_key not in treatments:
            message = "the experiment has no such treatment"
            yield Violation(Code.UNKNOWN_VARIANT, message, f"{place}.variant_key")
        yield from _of_progress(cell, reached.get(comparison, (0.0, 0.0)), place)
        yield from _of_rejection(cell, times, place)


def _of_progress(cell: LookCell, reached: tuple[float, float], place: str) -> Iterator[Violation]:
    for name, value, before in zip(("share", "spent"), (cell.share, cell.spent), reached, strict=True):
        if value < before:
            message = f"was {before:g} at an earlier look and never falls"
            yield Violation(Code.MAY_ONLY_GROW, message, f"{place}.{name}")


def _of_rejection(cell: LookCell, times: Set[str], place: str) -> Iterator[Violation]:
    if cell.rejected and cell.rejected_at not in times:
        message = "must be the time up to which this look or an earlier one judged"
        yield Violation(Code.INVALID, message, f"{place}.rejected_at")
    if not cell.rejected and cell.rejected_at is not None:
        yield Violation(Code.INVALID, "must be null: the test has not rejected", f"{place}.rejected_at")


def _reached(earlier: Sequence[LookMessage]) -> dict[tuple[str, str], tuple[float, float]]:
    """The largest share and spent error of each comparison."""
    found: dict[tuple[str, str], tuple[float, float]] = {}
    for look in earlier:
        for cell in look.cells:
            place = (cell.metric_key, cell.variant_key)
            share, spent = found.get(place, (0.0, 0.0))
            found[place] = (max(share, cell.share), max(spent, cell.spent))
    return found


def _shown(planned_units: int | None) -> str:
    return "none is planned" if planned_units is None else str(planned_units)
