"""Looks at an experiment: what those that are kept have left, and what is kept of one more. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

import msgspec

from neonblue.analysis.experiment import experiment_of
from neonblue.analysis.rows import ExperimentRows
from neonblue.analysis.windows import entered_before, finished_by
from neonblue.contract.instants import format_instant
from neonblue.contract.looks import LookCell, LookMessage
from neonblue.contract.messages import ExperimentMessage
from neonblue.statistics import (
    Estimate,
    Interval,
    Lift,
    MetricResult,
    NonInferiority,
    Plan,
    Report,
    analyze_metrics,
)
from neonblue.statistics.analysis import Looked, Standings
from neonblue.statistics.experiment import Deciding
from neonblue.statistics.group_sequential import EarlierLook
from neonblue.statistics.standing import NOTHING, GuardrailState, Standing

if TYPE_CHECKING:
    from neonblue.analysis.question import Question

_DAY = timedelta(days=1)


def standings_of(newest: ExperimentMessage, looks: Sequence[LookMessage]) -> Standings:
    """What the looks have left of the newest configuration's metrics, by metric and arm."""
    versions = {metric.key: metric.version for metric in newest.metrics}
    found: dict[tuple[str, str], Standing] = {}
    for look in looks:
        for cell in look.cells:
            if versions.get(cell.metric_key) == cell.metric_version:
                place = cell.metric_key, cell.variant_key
                found[place] = _with_cell(found.get(place, NOTHING), cell)
    return found


def replayed(
    configurations: Mapping[int, ExperimentMessage], rows: ExperimentRows, plan: Plan, closed_to: datetime
) -> Standings:
    """What the looks would have left that were due on these rows, a look for each closed day with news, but the last.

    The last one is the one that is taken next, at `closed_to`.
    """
    days = sorted(_days_with_news(rows, closed_to))
    standings: dict[tuple[str, str], Standing] = {}
    for day in days[:-1]:
        moment = datetime.combine(day + _DAY, time(), UTC)
        judged = entered_before(moment, finished_by(moment))
        experiment = experiment_of(configurations, replace(rows, quantiles=[]), judged)
        for result in analyze_metrics(experiment, replace(plan, ended=False), standings):
            place = result.metric.name, result.arm
            standings[place] = standing_after(standings.get(place, NOTHING), result, plan)
    return standings


def standing_after(before: Standing, result: MetricResult, plan: Plan) -> Standing:
    """What stands once the result's look is taken; the same where it was none."""
    looked, test = result.looked, result.comparison.absolute
    if looked is None:
        return before
    looks = before.looks
    if looked.z is not None:
        looks = (*looks, EarlierLook(looked.information, looked.share))
    share = max(before.share, looked.share)
    after = replace(before, looks=looks, share=share, guardrail=result.guardrail_state)
    stays = before.rejected and plan.deciding is Deciding.GROUP_SEQUENTIAL
    if stays or not isinstance(test, Estimate) or result.p_value is None:
        return after
    relative = result.comparison.relative
    return replace(
        after,
        p_value=result.p_value,
        log10_p=result.log10_p,
        adjusted_p=result.adjusted_p,
        diff=before.diff if before.rejected else test.diff,
        interval=test.interval,
        relative=relative.interval if isinstance(relative, Lift) else None,
        rejected=result.rejected,
    )


def look_of(question: Question, report: Report) -> LookMessage | None:
    """What is to be kept of this look; None where it is none, or told nothing new. A fixed horizon has no looks."""
    if question.plan.deciding is Deciding.FIXED or not question.looking:
        return None
    if all(result.looked is None for result in report.results):
        return None
    plan, closed_to = question.plan, format_instant(question.closed_to)
    versions = {metric.key: metric.version for metric in question.configuration.metrics}
    known = {(cell.metric_key, cell.variant_key): cell for look in question.looks for cell in look.cells}
    cells = []
    for result in report.results:
        place = result.metric.name, result.arm
        after = standing_after(question.standings.get(place, NOTHING), result, plan)
        cell = _cell(result, versions[result.metric.name], after, known.get(place))
        since = (cell.rejected_at or closed_to) if cell.rejected else None
        cells.append(msgspec.structs.replace(cell, rejected_at=since))
    if plan.deciding is Deciding.CONFIDENCE_SEQUENCE and not _tells_more(cells, known):
        return None
    return LookMessage(
        experiment=question.configuration.key,
        number=len(question.looks) + 1,
        closed_to=closed_to,
        configuration_version=question.configuration.version,
        inference=plan.deciding.value,
        planned_units=plan.planned_units,
        alpha=plan.alpha,
        cells=cells,
    )


def _days_with_news(rows: ExperimentRows, closed_to: datetime) -> set[date]:
    """The closed days on which units entered or finished their window."""
    finished = finished_by(closed_to)
    # A look of a day judges what finished by its end: what finishes at midnight is of the day before.
    days = {
        row.exposure_date if row.finishes_at is None else (row.finishes_at - timedelta(microseconds=1)).date()
        for row in rows.moments
        if finished(row)
    }
    last = (closed_to - timedelta(microseconds=1)).date()
    return {day for day in days if day <= last}


def _with_cell(before: Standing, cell: LookCell) -> Standing:
    looks = before.looks
    if cell.z is not None:
        looks = (*looks, EarlierLook(cell.information, cell.share))
    return Standing(
        looks=looks,
        share=max(before.share, cell.share),
        p_value=cell.p_value,
        log10_p=cell.log10_p,
        adjusted_p=cell.adjusted_p,
        diff=cell.difference,
        interval=None if cell.level is None else _interval(cell.lower, cell.upper, cell.level),
        relative=_bounded(cell.relative_lower, cell.relative_upper, cell.level),
        rejected=cell.rejected,
        guardrail=GuardrailState(cell.guardrail) if cell.guardrail else None,
    )


def _interval(lower: float | None, upper: float | None, level: float) -> Interval:
    """An end that is not kept is infinite: an early look of few units excludes nothing."""
    return Interval(-math.inf if lower is None else lower, math.inf if upper is None else upper, level)


def _bounded(lower: float | None, upper: float | None, level: float | None) -> Interval | None:
    if level is None or (lower is None and upper is None):
        return None
    return _interval(lower, upper, level)


def _cell(result: MetricResult, version: int, after: Standing, before: LookCell | None) -> LookCell:
    """What is kept of a comparison; of one that was not looked at, what is kept of it already."""
    looked, guard = result.looked, result.guardrail
    interval, relative = after.interval, after.relative
    tested = guard if isinstance(guard, NonInferiority) else None
    if looked is None:
        looked = Looked(0.0, 0.0, 0.0, None)
        if before is not None:
            looked = Looked(before.information, before.share, before.spent, None)
    return LookCell(
        metric_key=result.metric.name,
        metric_version=version,
        variant_key=result.arm,
        n_control=result.comparison.n_control,
        n_variant=result.comparison.n_treatment,
        information=looked.information,
        share=looked.share,
        spent=looked.spent,
        z=_finite(looked.z),
        p_value=after.p_value,
        log10_p=_finite(after.log10_p),
        adjusted_p=after.adjusted_p,
        difference=_finite(after.diff),
        lower=_finite(interval.lower) if interval else None,
        upper=_finite(interval.upper) if interval else None,
        relative_lower=_finite(relative.lower) if relative else None,
        relative_upper=_finite(relative.upper) if relative else None,
        level=interval.level if interval else None,
        rejected=after.rejected,
        rejected_at=before.rejected_at if before else None,
        guardrail=after.guardrail.value if after.guardrail else "",
        guardrail_bound=_finite(tested.bound) if tested else None,
        guardrail_p=tested.p_value if tested else None,
    )


def _finite(value: float | None) -> float | None:
    """JSON has neither NaN nor infinity."""
    return value if value is not None and math.isfinite(value) else None


def _tells_more(cells: Sequence[LookCell], known: Mapping[tuple[str, str], LookCell]) -> bool:
    """Whether any p fell, any interval shrank or any guardrail changed since the last look of a confidence sequence."""

    def state(cell: LookCell) -> tuple[object, ...]:
        return cell.p_value, cell.lower, cell.upper, cell.rejected, cell.guardrail

    for cell in cells:
        before = known.get((cell.metric_key, cell.variant_key))
        if before is None or state(before) != state(cell):
            return True
    return False
