"""The default analysis on arrays: segments x metrics x arms in one call.

Variances, adjustments and what keeps from a comparison come from the functions of the single tests. Every field is an
array of float64; shapes broadcast, so that one control row serves many treatment rows. Where there is no estimate the
numbers are nan and `status` says why.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neonblue.statistics.methods.by_kind import needs_score_array
from neonblue.statistics.methods.cuped import adjusted_difference, slope
from neonblue.statistics.methods.fieller import fieller_limits
from neonblue.statistics.methods.lopsided import raised_parts
from neonblue.statistics.methods.means import mean_variance
from neonblue.statistics.methods.obstacles import (
    FEWEST_UNITS,
    NO_STATUS,
    Obstacle,
    StatusArray,
    codes,
    few_units,
    no_variance,
)
from neonblue.statistics.methods.proportions import no_users, rate_variance
from neonblue.statistics.methods.ratio import arm_obstacles, linearised_variance
from neonblue.statistics.methods.score import difference_limits, difference_variance, ratio_limits
from neonblue.statistics.methods.t_test import EstimateArrays, critical_value, infer, welch_df
from neonblue.statistics.numerics.double_double import centred_product, quotient_difference, residual_sum
from neonblue.statistics.status import StatusCode

FloatArray = NDArray[np.float64]

_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class ComparisonArrays:
    """The columns of many comparisons, all of one shape.

    value_control, value_treatment: mean, rate or ratio per arm; diff, se, statistic, df, p_value, log10_p,
    lower, upper as in `Estimate`; lift, lift_lower, lift_upper as in `Lift`. status, lift_status: a
    StatusCode's value where there is no estimate (no bounded lift), '' where there is. score: where the
    score test was used. raised: where lopsided arms of a skewed metric have the variance of `raised_variances`.
    """

    value_control: FloatArray
    value_treatment: FloatArray
    absolute: EstimateArrays
    lift: FloatArray
    lift_lower: FloatArray
    lift_upper: FloatArray
    status: StatusArray
    lift_status: StatusArray
    score: NDArray[np.bool_]
    raised: NDArray[np.bool_]


def compare_mean_arrays(
    n_control: ArrayLike,
    sum_control: ArrayLike,
    squares_control: ArrayLike,
    n_treatment: ArrayLike,
    sum_treatment: ArrayLike,
    squares_treatment: ArrayLike,
    alpha: ArrayLike = 0.05,
) -> ComparisonArrays:
    """Welch's test and Fieller's lift, as `analyze_metric` of a mean, for arrays of counts, sums and sums of squares.

    n_*: units >= 0; sum_*, squares_*: in the metric's unit and its square; alpha in (0, 1). All broadcast to the
    shape of the result. Raises ValueError for an alpha out of range. Formulas and sources as `welch_test` and
    `fieller_limits`.
    """
    columns = (n_control, sum_control, squares_control, n_treatment, sum_treatment, squares_treatment, alpha)
    n_c, s_c, q_c, n_t, s_t, q_t, level = _broadcast(*columns)
    control, treatment = _mean_arm(n_c, s_c, q_c), _mean_arm(n_t, s_t, q_t)
    diff = quotient_difference(s_t, n_t, s_c, n_c)
    return _compare(control, treatment, diff, -control.variance, level, few_units(n_c, n_t))


def compare_ratio_arrays(
    control: ArrayLike, treatment: ArrayLike, alpha: ArrayLike = 0.05
) -> ComparisonArrays:
    """The delta method and Fieller's lift, as `analyze_metric` of a ratio.

    control, treatment: arrays whose first axis holds n, sum_m, sum_d, sum_mm, sum_dd, sum_md; the other axes and
    alpha, in (0, 1), broadcast to the shape of the result. Raises ValueError for an alpha out of range. Formula and
    source as `ratio_value`.
    """
    rows = _broadcast(*np.asarray(control, dtype=float), *np.asarray(treatment, dtype=float), alpha)
    arms = [_ratio_arm(*rows[:6]), _ratio_arm(*rows[6:12])]
    obstacles = [*arm_obstacles(rows[0], rows[2]), *arm_obstacles(rows[6], rows[8])]
    diff = quotient_difference(rows[7], rows[8], rows[1], rows[2])
    return _compare(arms[0], arms[1], diff, -arms[0].variance, rows[12], obstacles)


def compare_cuped_arrays(
    control: ArrayLike, treatment: ArrayLike, alpha: ArrayLike = 0.05
) -> ComparisonArrays:
    """CUPED with theta within arms and Fieller's lift, as `cuped_test` and `cuped_lift` on `metric_effect`.

    control, treatment: arrays whose first axis holds n, sum_y, sum_x, sum_yy, sum_xx, sum_xy; the other axes and
    alpha, in (0, 1), broadcast to the shape of the result. A constant covariate leaves the plain test. Raises
    ValueError for an alpha out of range. Formula and source as `cuped.adjust`.
    """
    rows = _broadcast(*np.asarray(control, dtype=float), *np.asarray(treatment, dtype=float), alpha)
    c, t = (_Cross(*rows[:6]), _Cross(*rows[6:12]))
    theta = slope(c.xy + t.xy, c.xx + t.xx)
    var_c, var_t = c.residual_variance(theta), t.residual_variance(theta)
    gap_y, gap_x = (quotient_difference(rows[6 + i], rows[6], rows[i], rows[0]) for i in (1, 2))
    freedom = _varying(c.n) - 1
    with np.errstate(divide="ignore", invalid="ignore"):
        diff, covariance = adjusted_difference(
            (c.n, t.n), (theta, theta), (gap_y, gap_x), (c.yy / freedom, c.xy / freedom)
        )
    control_arm, treatment_arm = _Arm(c.n, c.mean_y, var_c), _Arm(t.n, t.mean_y, var_t)
    plain = mean_variance(_varying(c.n), c.yy)
    return _compare(control_arm, treatment_arm, diff, covariance, rows[12], few_units(c.n, t.n), plain)


def compare_proportion_arrays(
    n_control: ArrayLike,
    successes_control: ArrayLike,
    n_treatment: ArrayLike,
    successes_treatment: ArrayLike,
    alpha: ArrayLike = 0.05,
) -> ComparisonArrays:
    """Unpooled z and Fieller's lift, or the score test and its ratio interval where needed, as `compare_proportions`.

    n_*: units >= 0; successes_*: whole numbers in [0, n], else that element's status is INVALID_INPUT; alpha in (0, 1).
    All broadcast to the shape of the result. Raises ValueError for an alpha out of range. Formulas and sources as
    `unpooled_test` and `score_test`.
    """
    columns = (n_control, successes_control, n_treatment, successes_treatment, alpha)
    *counts, level = _broadcast(*columns)
    impossible = ~(_are_counts(*counts[:2]) & _are_counts(*counts[2:]))
    n_c, x_c, n_t, x_t = (np.where(impossible, 0.0, column) for column in counts)
    control, treatment = _rate_arm(n_c, x_c), _rate_arm(n_t, x_t)
    obstacles = [_invalid(impossible), no_users("control", n_c), no_users("treatment", n_t)]
    diff = quotient_difference(x_t, n_t, x_c, n_c)
    plain = _compare(control, treatment, diff, -control.variance, level, obstacles, normal=True)
    chosen = np.array(needs_score_array(n_c, x_c, n_t, x_t) & (n_c > 0) & (n_t > 0))
    if not chosen.any():
        return plain
    variance = difference_variance(x_c[chosen], n_c[chosen], x_t[chosen], n_t[chosen], 0.0)
    # Only successes or only failures in both arms: no variance under either test.
    varies = variance > 0
    chosen[chosen] = varies
    if not chosen.any():
        return plain
    return _with_score(plain, chosen, (x_c, n_c, x_t, n_t), variance[varies], level)


@dataclass(frozen=True, slots=True)
class _Arm:
    n: FloatArray
    value: FloatArray
    variance: FloatArray  # of the value


class _Cross:
    """Centred sums of outcome and covariate of one arm."""

    def __init__(
        self, n: FloatArray, y: FloatArray, x: FloatArray, yy: FloatArray, xx: FloatArray, xy: FloatArray
    ):
        self.n = n
        self.mean_y = _divide(y, n)
        self.yy = np.maximum(centred_product(n, y, y, yy), 0.0)
        self.xx = np.maximum(centred_product(n, x, x, xx), 0.0)
        self.xy = centred_product(n, y, x, xy)
        self._raw = (yy, xx)

    def residual_variance(self, slope: FloatArray) -> FloatArray:
        residual = residual_sum(self.yy, self.xx, self.xy, slope, *self._raw)
        return mean_variance(_varying(self.n), residual)


def _broadcast(*columns: ArrayLike) -> list[FloatArray]:
    return list(np.broadcast_arrays(*(np.asarray(column, dtype=float) for column in columns)))


def _divide(a: FloatArray, b: FloatArray) -> FloatArray:
    return np.asarray(np.divide(a, b, out=np.full(a.shape, np.nan), where=b != 0))


def _varying(n: FloatArray) -> FloatArray:
    """The units, nan where they are too few for a variance: then that is nan, too."""
    return np.where(n >= FEWEST_UNITS, n, np.nan)


def _invalid(met: NDArray[np.bool_]) -> Obstacle:
    """What a single arm's moments refuse when they are made."""
    return Obstacle(met, StatusCode.INVALID_INPUT, "These are no sums of an arm's values.")


def _are_counts(n: FloatArray, successes: FloatArray) -> NDArray[np.bool_]:
    """Whether these can be successes among n units: finite whole numbers, 0 <= successes <= n."""
    whole = (np.trunc(n) == n) & (np.trunc(successes) == successes)
    return np.asarray(whole & np.isfinite(n) & (successes >= 0) & (successes <= n))


def _mean_arm(n: FloatArray, total: FloatArray, squares: FloatArray) -> _Arm:
    centred = centred_product(n, total, total, squares)
    # Less than (sum)^2 / n can't be the squares of numbers with this sum.
    centred = np.where(centred < -_ROUNDING * squares, np.nan, np.maximum(centred, 0.0))
    return _Arm(n, _divide(total, n), mean_variance(_varying(n), centred))


def _rate_arm(n: FloatArray, successes: FloatArray) -> _Arm:
    return _Arm(n, _divide(successes, n), rate_variance(np.where(n > 0, n, np.nan), successes))


def _ratio_arm(
    n: FloatArray, m: FloatArray, d: FloatArray, mm: FloatArray, dd: FloatArray, md: FloatArray
) -> _Arm:
    ratio = _divide(m, d)
    centred = (centred_product(n, m, m, mm), centred_product(n, d, d, dd), centred_product(n, m, d, md))
    residual = residual_sum(np.maximum(centred[0], 0), np.maximum(centred[1], 0), centred[2], ratio, mm, dd)
    mean_d = np.where(d == 0, np.nan, d) / _varying(n)
    return _Arm(n, ratio, linearised_variance(_varying(n), residual, mean_d) / n)


def _compare(
    control: _Arm,
    treatment: _Arm,
    diff: FloatArray,
    covariance: FloatArray,
    alpha: FloatArray,
    obstacles: Sequence[Obstacle],
    control_variance: FloatArray | None = None,
    *,
    normal: bool = False,
) -> ComparisonArrays:
    """t or z test and Fieller's lift; `control_variance` is the baseline's own where the arms' are adjusted.

    The t test takes the raised variances of lopsided arms.
    """
    baseline = control.variance if control_variance is None else control_variance
    var_c, var_t = control.variance, treatment.variance
    raised = np.zeros(diff.shape, dtype=bool)
    alike = no_variance(var_c + var_t, "Neither arm varies.")
    if not normal:
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            n, var_from = (control.n, treatment.n), (var_c, var_t)
            parts = raised_parts(n, control.value, diff, baseline, var_from, covariance)
        baseline, var_c, var_t, covariance, raised = parts
    variance = var_c + var_t
    negative = _invalid(~(np.minimum(control.n, treatment.n) >= 0))
    # No number, or one that is too large for its square.
    broken = _invalid(~(np.isfinite(variance) & np.isfinite(diff)))
    status = codes([negative, *obstacles, alike, broken], diff.shape)
    usable = status == NO_STATUS
    freedom = math.inf if normal else welch_df(var_c, control.n, var_t, treatment.n)
    test = infer(diff, np.where(usable, np.sqrt(variance), 0.0), freedom, alpha)
    critical = critical_value(alpha, test.df)
    lower, upper = fieller_limits(control.value, baseline, diff, variance, covariance, critical)
    lower, upper = np.where(usable, lower, np.nan), np.where(usable, upper, np.nan)
    lift_status = status.copy()
    lift_status[usable & np.isnan(lower)] = StatusCode.RATIO_UNBOUNDED.value
    lift_status[control.value == 0] = StatusCode.ZERO_BASELINE.value
    return ComparisonArrays(
        value_control=control.value,
        value_treatment=treatment.value,
        absolute=test,
        lift=np.where(usable, _divide(diff, np.abs(control.value)), np.nan),
        lift_lower=lower,
        lift_upper=upper,
        status=status,
        lift_status=lift_status,
        score=np.zeros(diff.shape, dtype=bool),
        raised=raised & usable,
    )


def _with_score(
    plain: ComparisonArrays,
    chosen: NDArray[np.bool_],
    counts: tuple[FloatArray, ...],
    variance: FloatArray,
    alpha: FloatArray,
) -> ComparisonArrays:
    """The comparisons with the chosen elements replaced by the score test's; variance: theirs where rates are equal."""
    x_c, n_c, x_t, n_t = (column[chosen] for column in counts)
    level = alpha[chosen]
    critical = critical_value(level, math.inf)
    diff = plain.absolute.diff[chosen]
    test = infer(diff, np.sqrt(variance), math.inf, level)
    lower, upper = difference_limits(x_c, n_c, x_t, n_t, critical)
    based = x_c > 0
    lift_lower, lift_upper = np.full(diff.shape, np.nan), np.full(diff.shape, np.nan)
    if based.any():
        limits = ratio_limits(x_c[based], n_c[based], x_t[based], n_t[based], critical[based])
        lift_lower[based], lift_upper[based] = limits[0] - 1, limits[1] - 1

    def put(column: FloatArray, values: FloatArray) -> FloatArray:
        column = column.copy()
        column[chosen] = values
        return column

    old = plain.absolute
    absolute = EstimateArrays(
        diff=put(old.diff, test.diff),
        se=put(old.se, test.se),
        statistic=put(old.statistic, test.statistic),
        df=put(old.df, test.df),
        p_value=put(old.p_value, test.p_value),
        log10_p=put(old.log10_p, test.log10_p),
        p_greater=put(old.p_greater, test.p_greater),
        p_less=put(old.p_less, test.p_less),
        lower=put(old.lower, lower),
        upper=put(old.upper, upper),
    )
    status, lift_status = plain.status.copy(), plain.lift_status.copy()
    status[chosen] = NO_STATUS
    lift_status[chosen] = np.where(based, NO_STATUS, StatusCode.ZERO_BASELINE.value)
    return ComparisonArrays(
        value_control=plain.value_control,
        value_treatment=plain.value_treatment,
        absolute=absolute,
        lift=put(
            plain.lift, np.where(based, diff / np.where(based, plain.value_control[chosen], 1.0), np.nan)
        ),
        lift_lower=put(plain.lift_lower, lift_lower),
        lift_upper=put(plain.lift_upper, lift_upper),
        status=status,
        lift_status=lift_status,
        score=chosen,
        raised=plain.raised,
    )
