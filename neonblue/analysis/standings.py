"""What looks at an experiment have left: those that are kept, or that would have been taken. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

from neonblue.analysis.experiment import experiment_of
from neonblue.analysis.rows import ExperimentRows
from neonblue.analysis.windows import entered_before, finished_by
from neonblue.contract.looks import LookCell, LookMessage
from neonblue.contract.messages import ExperimentMessage
from neonblue.statistics import Estimate, Interval, Lift, MetricResult, Plan, analyze_metrics
from neonblue.statistics.experiment.analysis import Standings
from neonblue.statistics.experiment.experiment import Inference
from neonblue.statistics.experiment.standing import NOTHING, GuardrailState, Standing
from neonblue.statistics.sequential.group_sequential import EarlierLook

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
    stays = before.rejected and plan.inference is Inference.GROUP_SEQUENTIAL
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
