"""Effects in segments: every segment's test is one of a family, judged together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from neonblue.analysis import too_small
from neonblue.analysis.caps import EmptyCaps, told
from neonblue.statistics import (
    Comparison,
    Direction,
    Estimate,
    Experiment,
    Lift,
    Metric,
    Plan,
    Procedure,
    Role,
    Status,
    StatusCode,
    Verdict,
    compare_strata,
    judge,
)
from neonblue.statistics.experiment.adjusting import as_adjusted
from neonblue.statistics.experiment.wording import remarks_on_test


@dataclass(frozen=True, slots=True)
class Segment:
    """A value of an attribute, such as platform: ios."""

    attribute: str
    value: str


@dataclass(frozen=True, slots=True)
class SegmentEffect:
    """One metric in one segment; adjusted_p and verdict: over all segments shown, together.

    lower, upper: the lift's interval at `level`.
    """

    attribute: str
    value: str
    metric: str
    arm: str
    units: int
    lift: float | None = None
    lower: float | None = None
    upper: float | None = None
    level: float = 0.95
    adjusted_p: float | None = None
    verdict: Verdict = Verdict.UNDECIDED
    note: str = ""


@dataclass(frozen=True, slots=True)
class _Cell:
    segment: Segment
    experiment: Experiment
    metric: Metric
    arm: str
    plan: Plan
    caps: EmptyCaps

    def compare(self, alpha: float) -> Comparison | None:
        strata = self.experiment.compared(self.metric.name, self.arm)
        if isinstance(strata, Status):
            return None if strata.code is StatusCode.MISSING_ARM else _without_test(strata)
        found = told(
            self.caps, self.metric.name, compare_strata(self.metric.kind, as_adjusted(strata)[0], alpha)
        )
        units = found.n_control, found.n_treatment
        few = too_small(self.plan, len(self.experiment.arms), units)
        return found if few is None else replace(found, diff=None, absolute=few, relative=few)


def segment_effects(
    segments: Mapping[Segment, Experiment], plan: Plan, caps: EmptyCaps | None = None
) -> tuple[SegmentEffect, ...]:
    """Every primary metric and arm in every segment, by one look at a fixed horizon.

    All of them are one family under Benjamini-Hochberg at the plan's false discovery rate; each interval is at the
    level that agrees with its verdict. They explain and do not decide: looked at before the end of a plan they
    keep no error rate. caps: of the whole experiment, as those that the segments' values have.
    """
    cells = [
        _Cell(segment, experiment, metric, arm, plan, caps or {})
        for segment, experiment in segments.items()
        for metric in experiment.metrics
        if metric.role is Role.PRIMARY
        for arm in experiment.treatments
    ]
    first = [cell.compare(plan.alpha) for cell in cells]
    family = judge([_p(found) for found in first], Procedure.BENJAMINI_HOCHBERG, plan.false_discovery_rate)
    return tuple(
        _effect(cell, found if level is None else cell.compare(level), adjusted, rejected)
        for cell, found, level, adjusted, rejected in zip(
            cells, first, family.interval_alpha, family.adjusted, family.rejected, strict=True
        )
    )


def _without_test(reason: Status) -> Comparison:
    return Comparison(0, 0, None, None, None, reason, reason)


def _p(comparison: Comparison | None) -> float | None:
    test = comparison.absolute if comparison else None
    return test.p_value if isinstance(test, Estimate) else None


def _effect(cell: _Cell, found: Comparison | None, adjusted: float | None, rejected: bool) -> SegmentEffect:
    lift = found.relative if found else None
    interval = lift.interval if isinstance(lift, Lift) else None
    return SegmentEffect(
        attribute=cell.segment.attribute,
        value=cell.segment.value,
        metric=cell.metric.name,
        arm=cell.arm,
        units=found.n_control + found.n_treatment if found else 0,
        lift=lift.value if isinstance(lift, Lift) else None,
        lower=_bound(interval.lower) if interval else None,
        upper=_bound(interval.upper) if interval else None,
        level=interval.level if interval else 1 - cell.plan.alpha,
        adjusted_p=adjusted,
        verdict=_verdict(cell.metric, found, rejected),
        note=_note(found, lift),
    )


def _note(found: Comparison | None, lift: Lift | Status | None) -> str:
    if found is None:
        return "An arm has no units here."
    lacking = [lift.message] if isinstance(lift, Status) else []
    return " ".join([*lacking, *remarks_on_test(found)])


def _verdict(metric: Metric, found: Comparison | None, rejected: bool) -> Verdict:
    test = found.absolute if found else None
    if not isinstance(test, Estimate):
        return Verdict.UNKNOWN
    if not rejected:
        return Verdict.UNDECIDED
    higher = metric.direction is Direction.HIGHER_IS_BETTER
    return Verdict.BETTER if (test.diff > 0) == higher else Verdict.WORSE


def _bound(bound: float) -> float | None:
    return bound if math.isfinite(bound) else None
