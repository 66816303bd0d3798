"""What must be known beside a number, in words. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from neonblue.analysis import Question
from neonblue.analysis.windows import NOBODY
from neonblue.statistics import MetricResult, numbers
from neonblue.statistics.methods.by_kind import KINDS


def notes_of(question: Question, result: MetricResult) -> tuple[str, ...]:
    """Who is not in the numbers of one metric in one arm: units that have not finished, and units without a value."""
    metric = result.metric
    cells = [(metric.name, arm) for arm in (question.experiment.control, result.arm)]
    judged = result.comparison.n_control + result.comparison.n_treatment
    missing = sum(question.experiment.missing.get(cell, 0) for cell in cells)
    open_ = [question.unfinished.get(cell, NOBODY) for cell in cells]
    unfinished = sum(each.units for each in open_)
    found = []
    if unfinished:
        means = [each.mean for each in open_]
        share = KINDS[metric.kind].is_share
        found.append(
            f"{judged + missing:,} of {judged + missing + unfinished:,} units have finished their window; "
            f"the others are not judged{_so_far(means, share)}."
        )
    if missing:
        found.append(f"{missing:,} units without a value are left out.")
    return tuple(found)


def _so_far(means: Iterable[float | None], share: bool) -> str:
    write = numbers.share if share else numbers.number
    known = [write(mean) for mean in means if mean is not None]
    return f" (so far {known[1]} against {known[0]} in control)" if len(known) > 1 else ""
