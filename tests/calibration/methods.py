"""Two-proportion methods over a whole grid: the engine's, and those other engines use, for comparison.

What the engine offers is called, not rewritten; Newcombe's interval and the log ratio it has for single pairs only,
so they are written out here, and a test holds them to the engine's.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import stats

from neonblue.statistics.methods.fieller import fieller_limits
from neonblue.statistics.methods.many import ComparisonArrays, compare_proportion_arrays
from neonblue.statistics.methods.t_test import EstimateArrays, infer
from tests.calibration.exact import FloatArray, Grid, Limits

_Z = float(stats.norm.isf(0.025))


def unpooled_z(grid: Grid) -> FloatArray:
    """The engine's z of the absolute difference."""
    return _absolute(grid).statistic


def default_z(grid: Grid) -> FloatArray:
    """The engine's default: unpooled, or the score test where counts are small or the split is lopsided."""
    return _default(grid).absolute.statistic


def pooled_z(grid: Grid) -> FloatArray:
    """The textbook z with the pooled rate's variance."""
    rate = (grid.control + grid.treatment) / (grid.n_control + grid.n_treatment)
    p_c, p_t = grid.rates
    return _ratio(p_t - p_c, np.sqrt(rate * (1 - rate) * (1 / grid.n_control + 1 / grid.n_treatment)))


def linear_delta_z(grid: Grid) -> FloatArray:
    """z of the lift by linearisation, which splits the error badly between the tails."""
    lift, se = _linear(grid)
    # Without a treatment success its error is 0, and the lift of -100 % is taken for certain.
    return np.where((se == 0) & (lift != 0), np.copysign(np.inf, lift), _ratio(lift, se))


def log_ratio_z(grid: Grid) -> FloatArray:
    """z of the log of the ratio of rates (Katz)."""
    log_ratio, se = _log_ratio(grid)
    return _ratio(log_ratio, se)


def wald(grid: Grid) -> Limits:
    """The engine's interval of the difference under the unpooled test, a point where both variances are 0."""
    inference = _absolute(grid)
    p_c, p_t = grid.rates
    without = np.isnan(inference.lower)
    return np.where(without, p_t - p_c, inference.lower), np.where(without, p_t - p_c, inference.upper)


def default_difference(grid: Grid) -> Limits:
    """The engine's default interval of the difference."""
    inference = _default(grid).absolute
    return _absent(grid, inference.lower, inference.upper)


def default_lift(grid: Grid) -> Limits:
    """The engine's default interval of the lift; where it is unbounded or undefined nothing is excluded."""
    rows = _default(grid)
    missing = np.isnan(rows.lift_lower)
    return np.where(missing, -np.inf, rows.lift_lower), np.where(missing, np.inf, rows.lift_upper)


def fieller(grid: Grid) -> Limits:
    """The engine's Fieller interval of the lift."""
    p_c, p_t = grid.rates
    v_c, v_t = grid.variances
    lower, upper = fieller_limits(p_c, v_c, p_t - p_c, v_c + v_t, -v_c, _Z)
    return np.where(np.isnan(lower), -np.inf, lower), np.where(np.isnan(upper), np.inf, upper)


def linear_delta(grid: Grid) -> Limits:
    """The linearised interval of the lift."""
    lift, se = _linear(grid)
    return lift - _Z * se, lift + _Z * se


def log_ratio(grid: Grid) -> Limits:
    """Katz's interval of the lift."""
    centre, se = _log_ratio(grid)
    return np.expm1(centre - _Z * se), np.expm1(centre + _Z * se)


def constant_denominator(grid: Grid) -> Limits:
    """The absolute interval divided by the control rate as if that were known."""
    lower, upper = wald(grid)
    p_c, _ = grid.rates
    return _ratio(lower, p_c), _ratio(upper, p_c)


def newcombe(grid: Grid) -> Limits:
    """Newcombe's hybrid score interval."""
    p_c, p_t = grid.rates
    l_c, u_c = _wilson(p_c, grid.n_control)
    l_t, u_t = _wilson(p_t, grid.n_treatment)
    return (
        p_t - p_c - np.sqrt((p_t - l_t) ** 2 + (u_c - p_c) ** 2),
        p_t - p_c + np.sqrt((u_t - p_t) ** 2 + (p_c - l_c) ** 2),
    )


def agresti_caffo(grid: Grid) -> Limits:
    """Wald's interval after adding one success and one failure to each arm."""
    p_c, p_t = (grid.control + 1) / (grid.n_control + 2), (grid.treatment + 1) / (grid.n_treatment + 2)
    se = np.sqrt(p_c * (1 - p_c) / (grid.n_control + 2) + p_t * (1 - p_t) / (grid.n_treatment + 2))
    return p_t - p_c - _Z * se, p_t - p_c + _Z * se


def _absolute(grid: Grid) -> EstimateArrays:
    p_c, p_t = grid.rates
    return infer(p_t - p_c, np.sqrt(sum(grid.variances)), math.inf)


def _default(grid: Grid) -> ComparisonArrays:
    return compare_proportion_arrays(grid.n_control, grid.control, grid.n_treatment, grid.treatment)


def _absent(grid: Grid, lower: FloatArray, upper: FloatArray) -> Limits:
    """A status excludes nothing: every difference stays possible."""
    missing = np.isnan(lower)
    return np.where(missing, -1.0, lower), np.where(missing, 1.0, upper)


def _linear(grid: Grid) -> tuple[FloatArray, FloatArray]:
    p_c, p_t = grid.rates
    v_c, v_t = grid.variances
    ratio = _ratio(p_t, p_c)
    return ratio - 1, _ratio(np.sqrt(v_t + ratio**2 * v_c), p_c)


def _log_ratio(grid: Grid) -> tuple[FloatArray, FloatArray]:
    p_c, p_t = grid.rates
    v_c, v_t = grid.variances
    positive = (p_c > 0) & (p_t > 0)
    safe_c, safe_t = np.where(positive, p_c, 1.0), np.where(positive, p_t, 1.0)
    se = np.sqrt(v_c / safe_c**2 + v_t / safe_t**2)
    return np.where(positive, np.log(safe_t / safe_c), np.nan), se


def _wilson(rate: FloatArray, n: int) -> Limits:
    centre = (rate + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z * np.sqrt(rate * (1 - rate) / n + _Z**2 / (4 * n * n)) / (1 + _Z**2 / n)
    return centre - half, centre + half


def _ratio(a: FloatArray, b: FloatArray) -> FloatArray:
    return np.divide(a, b, out=np.full(np.broadcast_shapes(a.shape, b.shape), np.nan), where=b > 0)
