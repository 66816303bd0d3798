"""CUPED: the difference of means adjusted by a covariate measured before exposure.

y_adj = y - theta (x - mean of x over both arms). Unbiased for any theta fixed in advance; theta is estimated,
which costs O(1/n). Source: Deng, Xu, Kohavi and Walker (2013); Lin (2013) for theta per arm.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from neonblue.statistics.methods.comparison import Comparison
from neonblue.statistics.methods.effect import Effect
from neonblue.statistics.methods.means import compare_means, mean_variance, not_testable, too_few
from neonblue.statistics.methods.obstacles import first, no_variance
from neonblue.statistics.moments import CovariateMoments, Moments
from neonblue.statistics.numerics.double_double import Number, residual_sum
from neonblue.statistics.result import Alternative, Estimate, Lift, Method
from neonblue.statistics.status import Status, StatusCode

TWO_SIDED = Alternative.TWO_SIDED
_SMALL_ARM = 30


class Theta(StrEnum):
    """How the slope of outcome on covariate is estimated."""

    WITHIN = "within"  # one slope from the deviations within the arms: a treatment effect can't leak into it
    POOLED = "pooled"  # one slope from both arms stacked, as most engines do
    PER_ARM = "per_arm"  # a slope for each arm (Lin 2013)


@dataclass(frozen=True, slots=True)
class CupedAdjustment:
    """The adjusted difference before any test.

    theta_control, theta_treatment: slopes in outcome unit per covariate unit (equal but for PER_ARM).
    diff: adjusted difference; var_control, var_treatment: variances of the two adjusted means.
    unadjusted_diff, unadjusted_se: without the covariate. variance_reduction: 1 - ratio of the variances of
    the difference, at most 1.
    covariance: of `diff` with the unadjusted control mean, for the relative lift.
    """

    theta_control: float
    theta_treatment: float
    diff: float
    var_control: float
    var_treatment: float
    unadjusted_diff: float
    unadjusted_se: float
    variance_reduction: float
    covariance: float


@dataclass(frozen=True, slots=True)
class CupedComparison:
    """A comparison with variance reduction, or without it and the reason why.

    adjustment is None and fallback says the reason where the plain comparison was used.
    """

    comparison: Comparison
    adjustment: CupedAdjustment | None
    fallback: Status | None


def adjust(
    control: CovariateMoments, treatment: CovariateMoments, theta: Theta = Theta.WITHIN
) -> CupedAdjustment | Status:
    """The covariate-adjusted difference treatment - control and its variances.

    theta WITHIN: sum over arms of S_xy / sum of S_xx; POOLED: the same over both arms stacked; PER_ARM: each
    arm's S_xy / S_xx, both arms adjusted to the mean covariate of all units. Variances are those of
    y - theta x, divisor n - 1. A constant covariate has theta 0: the adjusted difference is the plain one.
    Returns NOT_ENOUGH_UNITS below two units in an arm.
    """
    problem = too_few(control.outcome, treatment.outcome)
    if problem:
        return problem
    theta_c, theta_t = _slopes(control, treatment, theta)
    var_c, var_t = _residual_variance(control, theta_c), _residual_variance(treatment, theta_t)
    y_c, y_t, x_c, x_t = control.outcome, treatment.outcome, control.covariate, treatment.covariate
    unadjusted = y_t.minus(y_c)
    diff, covariance = adjusted_difference(
        (control.n, treatment.n),
        (theta_c, theta_t),
        (unadjusted, x_t.minus(x_c)),
        (y_c.variance, control.covariance),
    )
    var_plain = y_c.variance / y_c.n + y_t.variance / y_t.n
    return CupedAdjustment(
        theta_control=theta_c,
        theta_treatment=theta_t,
        diff=diff,
        var_control=var_c,
        var_treatment=var_t,
        unadjusted_diff=unadjusted,
        unadjusted_se=math.sqrt(var_plain),
        variance_reduction=1 - (var_c + var_t) / var_plain if var_plain else 0.0,
        covariance=covariance,
    )


def adjusted_difference(
    n: tuple[Number, Number],
    theta: tuple[Number, Number],
    gaps: tuple[Number, Number],
    spread: tuple[Number, Number],
) -> tuple[Number, Number]:
    """The adjusted difference and its covariance with the unadjusted control mean, of one comparison or of arrays.

    n, theta: of control and treatment; gaps: treatment minus control in the means of outcome and covariate; spread:
    control's sample variance of the outcome and its covariance with the covariate.
    """
    total = n[0] + n[1]
    # Both arms moved to the mean of x over all units: each arm's distance from it is a part of the gap.
    weight = theta[0] * n[1] / total + theta[1] * n[0] / total
    return gaps[0] - weight * gaps[1], (weight * spread[1] - spread[0]) / n[0]


def slope(cross: Number, squares: Number) -> Number:
    """The slope of outcome on covariate from centred sums, of one or of arrays; 0 for a constant covariate."""
    constant = squares == 0
    found: Number = cross * (1 - constant) / (squares + constant)
    return found


def cuped_effect(
    control: CovariateMoments, treatment: CovariateMoments, theta: Theta = Theta.WITHIN
) -> Effect | Status:
    """The adjusted difference as an effect, relative to the unadjusted control mean.

    Statuses as `adjust`, and ZERO_VARIANCE where the covariate explains the outcome entirely.
    """
    adjustment = adjust(control, treatment, theta)
    if isinstance(adjustment, Status):
        return adjustment
    return effect_of(adjustment, control.outcome, treatment.n)


def effect_of(adjustment: CupedAdjustment, control: Moments, n_treatment: int) -> Effect | Status:
    """An adjusted difference as an effect, relative to the control's own mean; ZERO_VARIANCE where none is left."""
    problem = first([no_variance(adjustment.var_control + adjustment.var_treatment, _NO_RESIDUAL)])
    if problem:
        return problem
    return Effect(
        method=Method.CUPED,
        n_control=control.n,
        n_treatment=n_treatment,
        control=control.mean,
        diff=adjustment.diff,
        var_control=control.variance / control.n,
        var_from_control=adjustment.var_control,
        var_from_treatment=adjustment.var_treatment,
        covariance=adjustment.covariance,
    )


def cuped_test(
    control: CovariateMoments,
    treatment: CovariateMoments,
    alpha: float = 0.05,
    alternative: Alternative = TWO_SIDED,
    theta: Theta = Theta.WITHIN,
    null: float = 0.0,
) -> Estimate | Status:
    """Test of "adjusted difference = null" with its interval; Welch's degrees of freedom on the adjusted variances.

    Statuses as `adjust`, and ZERO_VARIANCE where the covariate explains the outcome entirely.
    """
    effect = cuped_effect(control, treatment, theta)
    return effect if isinstance(effect, Status) else effect.test(alpha, alternative, null)


def cuped_lift(
    control: CovariateMoments,
    treatment: CovariateMoments,
    alpha: float = 0.05,
    alternative: Alternative = TWO_SIDED,
    theta: Theta = Theta.WITHIN,
) -> Lift | Status:
    """Adjusted difference relative to the unadjusted control mean, with Fieller's interval, dual to `cuped_test`.

    The covariance of the adjusted difference with the control mean keeps the covariate's part in it.
    """
    effect = cuped_effect(control, treatment, theta)
    return effect if isinstance(effect, Status) else effect.lift(alpha, alternative)


def ancova_standard_error(control: CovariateMoments, treatment: CovariateMoments) -> float | Status:
    """Ordinary least squares' standard error of the treatment in y ~ 1 + treatment + x, for comparing with it.

    It assumes one residual variance for both arms, which `cuped_test` does not. Statuses as `adjust`.
    """
    adjustment = adjust(control, treatment, Theta.WITHIN)
    if isinstance(adjustment, Status):
        return adjustment
    freedom = control.n + treatment.n - 3
    arms = ((adjustment.var_control, control.n), (adjustment.var_treatment, treatment.n))
    residual = sum(variance * n * (n - 1) for variance, n in arms) / freedom
    gap = treatment.covariate.minus(control.covariate)
    spread = control.covariate.centred + treatment.covariate.centred
    leverage = gap * gap / spread if spread else 0.0
    return math.sqrt(residual * (1 / control.n + 1 / treatment.n + leverage))


def compare_cuped(
    control: CovariateMoments,
    treatment: CovariateMoments,
    alpha: float = 0.05,
    alternative: Alternative = TWO_SIDED,
    theta: Theta = Theta.WITHIN,
) -> CupedComparison:
    """The adjusted comparison, or the plain one with the reason for falling back.

    Falls back where the covariate can't be used: constant, fewer than 30 units in an arm (theta's own error
    then counts), or an outcome without residual variance. Means in the row are unadjusted; `diff` is the
    adjusted difference.
    """
    adjustment = adjust(control, treatment, theta)
    fewest = min(control.n, treatment.n)
    return compare_adjusted(control.outcome, treatment.outcome, adjustment, fewest, alpha, alternative)


def compare_adjusted(
    control: Moments,
    treatment: Moments,
    adjustment: CupedAdjustment | Status,
    fewest: int,
    alpha: float = 0.05,
    alternative: Alternative = TWO_SIDED,
) -> CupedComparison:
    """What `compare_cuped` gives, of an adjustment that was made of these outcomes.

    fewest: units with a covariate in the arm that has fewer of them.
    """
    effect = adjusted_effect(control, treatment, adjustment, fewest)
    if isinstance(effect, Status) or isinstance(adjustment, Status):
        reason = effect if isinstance(effect, Status) else None
        return CupedComparison(compare_means(control, treatment, alpha, alternative), None, reason)
    comparison = Comparison(
        n_control=control.n,
        n_treatment=treatment.n,
        mean_control=control.mean,
        mean_treatment=treatment.mean,
        diff=adjustment.diff,
        absolute=effect.test(alpha, alternative),
        relative=effect.lift(alpha, alternative),
    )
    return CupedComparison(comparison, adjustment, None)


def adjusted_effect(
    control: Moments, treatment: Moments, adjustment: CupedAdjustment | Status, fewest: int
) -> Effect | Status:
    """The effect that `compare_adjusted` tests, or why it takes the plain one."""
    if isinstance(adjustment, Status):
        return adjustment
    problem = not_testable(control, treatment)
    if problem:
        return problem
    if fewest < _SMALL_ARM:
        message = (
            f"An arm has fewer than {_SMALL_ARM} units with a covariate: its slope would be too uncertain."
        )
        return Status(StatusCode.NOT_ENOUGH_UNITS, message)
    effect = effect_of(adjustment, control, treatment.n)
    if not isinstance(effect, Status) and adjustment.theta_control == adjustment.theta_treatment == 0:
        message = "The covariate does not vary with the outcome: nothing to adjust by."
        return Status(StatusCode.ZERO_VARIANCE, message)
    return effect


def usable_effect(control: CovariateMoments, treatment: CovariateMoments) -> Effect | Status:
    """The effect that `compare_cuped` tests, or why it takes the plain one."""
    fewest = min(control.n, treatment.n)
    return adjusted_effect(control.outcome, treatment.outcome, adjust(control, treatment), fewest)


def residual_squares(arm: CovariateMoments, theta: float) -> float:
    """Sum of squared deviations of y - theta x from their mean, >= 0, in the outcome's unit squared."""
    y, x = arm.outcome.centred, arm.covariate.centred
    scales = (y, x) if arm.centred else (arm.sum_yy, arm.sum_xx)
    return float(residual_sum(y, x, arm.cross, theta, *scales))


_NO_RESIDUAL = "The covariate explains the outcome entirely: no variance is left to test with."


def _slopes(control: CovariateMoments, treatment: CovariateMoments, theta: Theta) -> tuple[float, float]:
    """The slope for each arm, 0 where the covariate does not vary."""
    if theta is Theta.PER_ARM:
        slope_c = slope(control.cross, control.covariate.centred)
        return slope_c, slope(treatment.cross, treatment.covariate.centred)
    if theta is Theta.POOLED:
        both = control.merge(treatment)
        cross, squares = both.cross, both.covariate.centred
    else:
        cross = control.cross + treatment.cross
        squares = control.covariate.centred + treatment.covariate.centred
    return slope(cross, squares), slope(cross, squares)


def _residual_variance(arm: CovariateMoments, theta: float) -> float:
    """Variance of the mean of y - theta x over the arm's units."""
    return mean_variance(arm.n, residual_squares(arm, theta))
