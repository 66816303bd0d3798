"""What is kept of a look at an experiment. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec

from neonblue.analysis.question import Question
from neonblue.analysis.standings import standing_after
from neonblue.contract.instants import format_instant
from neonblue.contract.looks import LookCell, LookMessage
from neonblue.statistics import MetricResult, NonInferiority, Report
from neonblue.statistics.experiment.experiment import Inference
from neonblue.statistics.experiment.metric_result import Looked
from neonblue.statistics.experiment.standing import NOTHING, Standing


def look_of(question: Question, report: Report) -> LookMessage | None:
    """What is to be kept of this look; None where it is none, or told nothing new. A fixed horizon has no looks."""
    if question.plan.inference is Inference.FIXED or not question.looking:
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
    if plan.inference is Inference.CONFIDENCE_SEQUENCE and not _tells_more(cells, known):
        return None
    return LookMessage(
        experiment=question.configuration.key,
        number=len(question.looks) + 1,
        closed_to=closed_to,
        configuration_version=question.configuration.version,
        inference=plan.inference.value,
        planned_units=plan.planned_units,
        alpha=plan.alpha,
        cells=cells,
    )


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
