"""Relative lift with Fieller's interval: the same test as on the absolute difference, shown as a ratio."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neonblue.statistics.methods.t_test import critical_value
from neonblue.statistics.numerics.double_double import floats
from neonblue.statistics.result import Alternative, Interval, Lift, Method
from neonblue.statistics.status import Status, StatusCode

FloatArray = NDArray[np.float64]

UNBOUNDED = Status(
    StatusCode.RATIO_UNBOUNDED,
    "The control mean can't be told from zero at this level, so a relative lift has no bounded interval; "
    "read the absolute difference.",
)
ZERO_BASELINE = Status(
    StatusCode.ZERO_BASELINE, "The control mean is zero, so a relative lift is not defined."
)


def fieller_limits(
    control: ArrayLike,
    var_control: ArrayLike,
    diff: ArrayLike,
    var_diff: ArrayLike,
    covariance: ArrayLike,
    critical: ArrayLike,
) -> tuple[FloatArray, FloatArray]:
    """Limits of diff / |control| by Fieller's theorem; nan where the set is not a bounded interval.

    control, var_control: the estimated control mean and the variance of that estimate; diff, var_diff: the
    same for treatment minus control; covariance: of diff with control (minus var_control for independent
    arms); critical: the critical value c of the test on diff. The set holds every ratio r with (diff - r
    control)^2 <= c^2 Var(diff - r control). It is bounded exactly when |control| > c sd(control), and
    excludes 0 exactly when |diff| > c sd(diff). Arrays broadcast. Source: Fieller (1954).
    """
    values = (control, var_control, diff, var_diff, covariance, critical)
    mean, var_mean, d, var_d, cov, c = floats(*values)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        c2 = c * c
        # All in units of |control|: squares of the metric's own values could overflow or vanish.
        size = np.abs(mean)
        lift, var_mean, var_lift, cov = (
            d / size,
            var_mean / size / size,
            var_d / size / size,
            cov / mean / size,
        )
        a = 1 - c2 * var_mean
        b = lift - c2 * cov
        constant = lift * lift - c2 * var_lift
        spread = (var_lift - 2 * lift * cov + lift * lift * var_mean) - c2 * (var_mean * var_lift - cov * cov)
        root = np.abs(c) * np.sqrt(np.maximum(spread, 0.0))
        # The root of larger magnitude directly, the other from the product of the roots: no cancellation near 0.
        outer = b + np.where(b < 0, -root, root)
        first, second = outer / a, constant / outer
        bounded = a > 0
        lower = np.where(bounded, np.minimum(first, second), np.nan)
        upper = np.where(bounded, np.maximum(first, second), np.nan)
    return lower, upper


def fieller_lift(
    control: float,
    var_control: float,
    diff: float,
    var_diff: float,
    covariance: float,
    df: float,
    alpha: float = 0.05,
    alternative: Alternative = Alternative.TWO_SIDED,
) -> Lift | Status:
    """Relative lift diff / |control| and its interval, dual to the test of `diff` with the same alpha and df.

    Parameters as in `fieller_limits`; df: degrees of freedom of the test on diff, inf for the normal.
    Returns ZERO_BASELINE for a zero control mean and RATIO_UNBOUNDED where no bounded interval exists.
    A one-sided interval has an infinite end. Raises ValueError for an alpha outside (0, 1).
    """
    if control == 0:
        return ZERO_BASELINE
    critical = float(critical_value(alpha, df, alternative))
    lower, upper = fieller_limits(control, var_control, diff, var_diff, covariance, critical)
    if math.isnan(lower) or math.isnan(upper):
        return UNBOUNDED
    low = -math.inf if alternative is Alternative.LESS else float(lower)
    high = math.inf if alternative is Alternative.GREATER else float(upper)
    return Lift(diff / abs(control), Interval.at(low, high, alpha), Method.FIELLER)
