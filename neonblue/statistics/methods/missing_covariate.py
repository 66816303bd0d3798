"""CUPED where some units have no covariate: the missing-indicator adjustment.

Units without the covariate get one value in its place, and whether they lack it is a second covariate. Both slopes are
estimated within the arms, so the difference is that of y ~ 1 + treatment + covariate + indicator by least squares,
whatever the value in its place is. Valid where lacking it has nothing to do with the treatment, as for whatever is
measured before exposure; 0 in its place without the indicator would be taken for a measurement. Source: Zhao and Ding
(2022), "To adjust or not to adjust? Estimating the average treatment effect in randomized experiments with missing
covariates", Journal of the American Statistical Association 119.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from neonblue.statistics.methods.cuped import (
    CupedAdjustment,
    CupedComparison,
    adjusted_effect,
    compare_adjusted,
    residual_squares,
)
from neonblue.statistics.methods.effect import Effect
from neonblue.statistics.methods.means import mean_variance, too_few
from neonblue.statistics.moments import CovariateMoments, Moments
from neonblue.statistics.result import Alternative
from neonblue.statistics.status import Status


@dataclass(frozen=True, slots=True)
class PartialCovariateMoments:
    """An arm in which some units have no covariate.

    observed: outcome and covariate of the units that have one; missing: the outcome of those that have none.
    """

    observed: CovariateMoments
    missing: Moments

    @property
    def n(self) -> int:
        """All units of the arm."""
        return self.observed.n + self.missing.n

    @property
    def outcome(self) -> Moments:
        """Moments of the outcome alone, over all units."""
        return self.observed.outcome.merge(self.missing)

    def merge(self, other: PartialCovariateMoments) -> PartialCovariateMoments:
        """Moments of both sets of units together."""
        return PartialCovariateMoments(self.observed.merge(other.observed), self.missing.merge(other.missing))


def adjust_partial(
    control: PartialCovariateMoments, treatment: PartialCovariateMoments
) -> CupedAdjustment | Status:
    """The difference adjusted by the covariate and by whether there is one, with its variances.

    The thetas are the covariate's slope. NOT_ENOUGH_UNITS below two units in an arm.
    """
    problem = too_few(control.outcome, treatment.outcome)
    if problem:
        return problem
    centre = control.observed.merge(treatment.observed).covariate.mean
    c, t = _Arm.of(control, centre), _Arm.of(treatment, centre)
    slope, step = _slopes(c, t)
    var_c, var_t = c.residual_variance(slope, step), t.residual_variance(slope, step)
    y_c, y_t = control.outcome, treatment.outcome
    unadjusted = y_t.minus(y_c)
    var_plain = y_c.variance / y_c.n + y_t.variance / y_t.n
    products = slope * c.covariate_products + step * c.indicator_products
    return CupedAdjustment(
        theta_control=slope,
        theta_treatment=slope,
        diff=unadjusted
        - slope * (t.covariate_mean - c.covariate_mean)
        - step * (t.missing_share - c.missing_share),
        var_control=var_c,
        var_treatment=var_t,
        unadjusted_diff=unadjusted,
        unadjusted_se=math.sqrt(var_plain),
        variance_reduction=1 - (var_c + var_t) / var_plain if var_plain else 0.0,
        covariance=(products - y_c.centred) / (y_c.n - 1) / y_c.n,
    )


def usable_partial_effect(
    control: PartialCovariateMoments, treatment: PartialCovariateMoments
) -> Effect | Status:
    """The effect that `compare_partial` tests, or why it takes the plain one."""
    fewest = min(control.observed.n, treatment.observed.n)
    return adjusted_effect(control.outcome, treatment.outcome, adjust_partial(control, treatment), fewest)


def compare_partial(
    control: PartialCovariateMoments,
    treatment: PartialCovariateMoments,
    alpha: float = 0.05,
    alternative: Alternative = Alternative.TWO_SIDED,
) -> CupedComparison:
    """The adjusted comparison, or the plain one with the reason, as `compare_cuped`."""
    adjustment = adjust_partial(control, treatment)
    fewest = min(control.observed.n, treatment.observed.n)
    return compare_adjusted(control.outcome, treatment.outcome, adjustment, fewest, alpha, alternative)


@dataclass(frozen=True, slots=True)
class _Arm:
    """An arm whose covariate is measured from `centre`, which missing ones are set to: they count 0.

    between: observed n x missing n / n; covariate_gap, outcome_gap: mean of those with a covariate minus that of those
    without.
    """

    moments: PartialCovariateMoments
    between: float
    covariate_gap: float
    outcome_gap: float

    @classmethod
    def of(cls, moments: PartialCovariateMoments, centre: float) -> _Arm:
        observed, missing = moments.observed, moments.missing
        covariate_gap = observed.covariate.mean - centre if observed.n else 0.0
        if observed.n == 0 or missing.n == 0:
            return cls(moments, 0.0, covariate_gap, 0.0)
        between = observed.n * missing.n / moments.n
        return cls(moments, between, covariate_gap, observed.outcome.minus(missing))

    @property
    def missing_share(self) -> float:
        return self.moments.missing.n / self.moments.n

    @property
    def covariate_mean(self) -> float:
        return self.covariate_gap * (1 - self.missing_share)

    @property
    def covariate_products(self) -> float:
        """Sum of products of the deviations of outcome and covariate, over all units."""
        return self.moments.observed.cross + self.between * self.covariate_gap * self.outcome_gap

    @property
    def indicator_products(self) -> float:
        """Sum of products of the deviations of outcome and indicator."""
        return -self.between * self.outcome_gap

    def residual_variance(self, slope: float, step: float) -> float:
        """Variance of the mean of y - slope x - step indicator: within the two groups, and between them."""
        gap = self.outcome_gap - slope * self.covariate_gap + step
        within = residual_squares(self.moments.observed, slope) + self.moments.missing.centred
        n = self.moments.n
        return mean_variance(n, within + self.between * gap * gap)


def _slopes(c: _Arm, t: _Arm) -> tuple[float, float]:
    """The covariate's and the indicator's slope within the arms.

    With the indicator taken out, what is left of the covariate is its deviation within the groups of each arm and by
    how much the two arms' gaps between the groups differ.
    """
    total = c.between + t.between
    shared = c.between * t.between / total if total else 0.0
    gap_x, gap_y = t.covariate_gap - c.covariate_gap, t.outcome_gap - c.outcome_gap
    observed = (c.moments.observed, t.moments.observed)
    squares = sum(arm.covariate.centred for arm in observed) + shared * gap_x * gap_x
    products = sum(arm.cross for arm in observed) + shared * gap_x * gap_y
    slope = products / squares if squares else 0.0
    steps = sum(arm.between * (slope * arm.covariate_gap - arm.outcome_gap) for arm in (c, t))
    return slope, steps / total if total else 0.0
