"""Guardrails: evidence that a metric is not worse than control by more than a margin, one-sided."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from neonblue.statistics.methods import score
from neonblue.statistics.methods.effect import Effect
from neonblue.statistics.methods.proportions import not_countable
from neonblue.statistics.methods.score_strata import (
    StratifiedCounts,
    stratified_score_interval,
    stratified_score_lift,
)
from neonblue.statistics.methods.t_test import infer
from neonblue.statistics.moments import Moments
from neonblue.statistics.result import Alternative, Interval, Lift
from neonblue.statistics.status import Status, StatusCode


class Direction(StrEnum):
    """Which way the metric should go."""

    HIGHER_IS_BETTER = "higher_is_better"
    LOWER_IS_BETTER = "lower_is_better"


@dataclass(frozen=True, slots=True)
class Margin:
    """The largest loss that is acceptable, > 0: in the metric's unit, or as a share of the control's mean.

    Raises ValueError for a size that is not positive, and for a relative loss of 1 or more when higher is
    better: it would accept losing everything.
    """

    size: float
    relative: bool = False
    direction: Direction = Direction.HIGHER_IS_BETTER

    def __post_init__(self) -> None:
        if not (self.size > 0 and math.isfinite(self.size)):
            raise ValueError(f"size: a margin must be positive, got {self.size}")
        if self.relative and self.signed <= -1:
            raise ValueError(f"size: a relative loss must be below 1, got {self.size}")

    @property
    def alternative(self) -> Alternative:
        """The hypothesis a non-inferior treatment supports."""
        higher = self.direction is Direction.HIGHER_IS_BETTER
        return Alternative.GREATER if higher else Alternative.LESS

    @property
    def signed(self) -> float:
        """The margin as a change: negative when higher is better."""
        return -self.size if self.direction is Direction.HIGHER_IS_BETTER else self.size


@dataclass(frozen=True, slots=True)
class NonInferiority:
    """The outcome of a one-sided test of "worse than control by the margin or more".

    diff: treatment - control; contrast: the difference less the margin's value (in the metric's unit), se its
    standard error, statistic contrast / se, df its degrees of freedom (inf for z). p_value, log10_p: one-sided,
    small where the treatment is not worse than the margin. bound: the one-sided confidence bound at 1 - alpha of
    the difference (absolute margin) or of the relative lift (relative margin, None where unbounded): the guardrail
    holds when it lies on the good side of the margin. log10_p_inferior: of the other tail's p-value, small where the
    treatment is worse than the margin. non_inferior: p_value < alpha, by logarithms.
    """

    diff: float
    contrast: float
    se: float
    statistic: float
    df: float
    p_value: float
    log10_p: float
    log10_p_inferior: float
    bound: float | None
    alpha: float
    non_inferior: bool

    def inferior_at(self, alpha: float) -> bool:
        """Whether the opposite is shown, one-sided at this alpha: worse than the margin.

        By the other tail's logarithm: 1 - p_value is 0 from 8 standard errors on, and would be below any alpha.
        """
        return self.log10_p_inferior < math.log10(alpha)


def non_inferior(effect: Effect, margin: Margin, alpha: float = 0.05) -> NonInferiority | Status:
    """Non-inferiority of any effect: of a mean, a rate, a ratio, a quantile or an adjusted difference.

    With a relative margin m the hypothesis is diff = -m |control| (higher is better), tested as a linear
    contrast: the control's own error counts, unlike where m * control is taken for a known number. Its degrees of
    freedom are those of the difference, as the lift's bound has: verdict and bound are of one test. Raises
    ValueError for an alpha outside (0, 1). Source: Rothmann, Wiens and Chan (2011), Design and Analysis of
    Non-Inferiority Trials.
    """
    share, amount = (margin.signed, 0.0) if margin.relative else (0.0, margin.signed)
    contrast = effect.less(share, amount)
    if contrast.variance <= 0:
        message = "The margin's contrast does not vary: nothing to test with."
        return Status(StatusCode.ZERO_VARIANCE, message)
    if margin.relative:
        lift = effect.lift(alpha, margin.alternative)
        bound = _bound(lift.interval, margin) if isinstance(lift, Lift) else None
    else:
        bound = _bound(effect.test(alpha, margin.alternative).interval, margin)
    se = math.sqrt(contrast.variance)
    return _verdict(effect.diff, contrast.diff, se, effect.df, margin, alpha, bound)


def non_inferior_proportion_score(
    control: Moments, treatment: Moments, margin: Margin, alpha: float = 0.05
) -> NonInferiority | Status:
    """Non-inferiority of a proportion by Miettinen and Nurminen's score test, for few outcomes or lopsided arms.

    Statuses as `score_test`; ZERO_BASELINE for a relative margin without a success in control. ValueError
    for a relative margin that allows a ratio of 0 or less.
    """
    problem = not_countable(control, treatment)
    if problem:
        return problem
    counts = (control.sum, control.n, treatment.sum, treatment.n)
    ratio = 1 + margin.signed
    if margin.relative:
        contrast = treatment.mean - ratio * control.mean
        variance = float(score.ratio_variance(*counts, ratio))
        limit = score.score_lift(control, treatment, alpha, margin.alternative, margin.signed)
        interval = limit.interval if isinstance(limit, Lift) else None
    else:
        contrast = treatment.minus(control) - margin.signed
        variance = float(score.difference_variance(*counts, margin.signed))
        limits = score.score_interval(control, treatment, alpha, margin.alternative, margin.signed)
        interval = None if isinstance(limits, Status) else limits
    if variance == 0:
        return score.NO_VARIANCE
    bound = None if interval is None else _bound(interval, margin)
    diff = treatment.minus(control)
    return _verdict(diff, contrast, math.sqrt(variance), math.inf, margin, alpha, bound)


def non_inferior_stratified_score(
    counts: StratifiedCounts, margin: Margin, alpha: float = 0.05
) -> NonInferiority | Status:
    """Non-inferiority of a proportion over several strata by the stratified score test.

    The margin's difference (or ratio) is the hypothesis in every stratum. se: of the weighted contrast. Statuses and
    errors as `non_inferior_proportion_score`.
    """
    diff = float(counts.weighted_diff)
    if margin.relative:
        contrast = diff - margin.signed * float(counts.control)
        variance = float(counts.ratio_variance(1 + margin.signed))
        limit = stratified_score_lift(counts, alpha, margin.alternative, margin.signed)
        interval = limit.interval if isinstance(limit, Lift) else None
    else:
        contrast = diff - margin.signed
        variance = float(counts.difference_variance(margin.signed))
        interval = stratified_score_interval(counts, alpha, margin.alternative, margin.signed)
    if variance == 0:
        return score.NO_VARIANCE
    bound = None if interval is None else _bound(interval, margin)
    return _verdict(diff, contrast, math.sqrt(variance), math.inf, margin, alpha, bound)


def _verdict(
    diff: float, contrast: float, se: float, df: float, margin: Margin, alpha: float, bound: float | None
) -> NonInferiority:
    test = infer(contrast, se, df, alpha)
    higher = margin.direction is Direction.HIGHER_IS_BETTER
    towards = float(test.statistic) if higher else -float(test.statistic)
    tail = float(test.log10_p) - math.log10(2)  # of the side the statistic lies on
    rest = math.log1p(-(10.0**tail)) / math.log(10)
    log10_p, log10_p_inferior = (tail, rest) if towards > 0 else (rest, tail)
    return NonInferiority(
        diff=diff,
        contrast=contrast,
        se=se,
        statistic=float(test.statistic),
        df=df,
        p_value=float(test.p_greater if higher else test.p_less),
        log10_p=log10_p,
        log10_p_inferior=log10_p_inferior,
        bound=bound,
        alpha=alpha,
        non_inferior=log10_p < math.log10(alpha),
    )


def _bound(interval: Interval, margin: Margin) -> float:
    return interval.lower if margin.direction is Direction.HIGHER_IS_BETTER else interval.upper
