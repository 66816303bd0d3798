"""From an estimated difference and its standard error to p-values and an interval, for one test or thousands."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neonblue.statistics.numerics import tails
from neonblue.statistics.numerics.double_double import broadcast, floats
from neonblue.statistics.result import Alternative, Estimate, Interval, Method

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class EstimateArrays:
    """The fields of `Estimate` as arrays of one shape; an element with se = 0 or nan holds nan throughout."""

    diff: FloatArray
    se: FloatArray
    statistic: FloatArray
    df: FloatArray
    p_value: FloatArray
    log10_p: FloatArray
    p_greater: FloatArray
    p_less: FloatArray
    lower: FloatArray
    upper: FloatArray

    def estimate(self, alpha: float, method: Method, *, raised: bool = False) -> Estimate:
        """The only element of arrays of shape (), as an Estimate at level 1 - alpha."""
        return Estimate(
            diff=float(self.diff),
            se=float(self.se),
            statistic=float(self.statistic),
            df=float(self.df),
            p_value=float(self.p_value),
            log10_p=float(self.log10_p),
            p_greater=float(self.p_greater),
            p_less=float(self.p_less),
            interval=Interval.at(float(self.lower), float(self.upper), alpha),
            method=method,
            raised=raised,
        )


def critical_value(
    alpha: ArrayLike, df: ArrayLike, alternative: Alternative = Alternative.TWO_SIDED
) -> FloatArray:
    """The value |T| (two-sided) or T (one-sided) exceeds with probability alpha; df = inf for the normal.

    alpha in (0, 1) and df > 0 broadcast. Raises ValueError for an alpha out of range.
    """
    level, freedom = floats(alpha, df)
    if level.ndim == freedom.ndim == 0:
        return np.asarray(_single_critical(float(level), float(freedom), alternative))
    return _critical(level, freedom, alternative)


@functools.lru_cache(maxsize=1024)
def _single_critical(alpha: float, df: float, alternative: Alternative) -> float:
    """Of one test: its difference and its lift ask for the same."""
    return float(_critical(alpha, df, alternative))


def _critical(alpha: ArrayLike, df: ArrayLike, alternative: Alternative) -> FloatArray:
    require_alpha(alpha)
    return -tails.t_quantile(np.divide(alpha, 2 if alternative is Alternative.TWO_SIDED else 1), df)


def infer(
    diff: ArrayLike,
    se: ArrayLike,
    df: ArrayLike,
    alpha: ArrayLike = 0.05,
    alternative: Alternative = Alternative.TWO_SIDED,
    null: ArrayLike = 0.0,
) -> EstimateArrays:
    """Test "the difference is `null`" and invert the same test into an interval for the difference.

    diff, null: in the metric's unit; se > 0; df > 0 or inf; alpha: error rate in (0, 1), per comparison.
    All broadcast. The interval is diff -+ c se with c the critical value of the same test; for a one-sided
    alternative its other end is infinite. Raises ValueError for an alpha outside (0, 1).
    """
    diff, se, df, null = broadcast(diff, se, df, null)
    usable = se > 0
    se, df = np.where(usable, se, np.nan), np.where(usable, df, np.nan)
    statistic = (diff - null) / se
    p_value, log10_p = tails.t_two_sided(statistic, df)
    p_greater = tails.one_sided(p_value, statistic > 0)
    p_less = tails.one_sided(p_value, statistic < 0)
    margin = critical_value(alpha, df, alternative) * se
    infinity = np.where(usable, np.inf, np.nan)
    lower = -infinity if alternative is Alternative.LESS else diff - margin
    upper = infinity if alternative is Alternative.GREATER else diff + margin
    return EstimateArrays(diff, se, statistic, df, p_value, log10_p, p_greater, p_less, lower, upper)


def welch_df(
    var_control: ArrayLike, n_control: ArrayLike, var_treatment: ArrayLike, n_treatment: ArrayLike
) -> FloatArray:
    """Welch-Satterthwaite degrees of freedom of a difference of two independent means.

    var_*: variance of the estimated mean (s^2 / n) of each arm; n_*: its units, at least 2. Arrays broadcast.
    nan where both variances are 0. Between min(n) - 1 and the sum of n minus 2.
    Source: Welch (1947), Satterthwaite (1946).
    """
    a, n_a, b, n_b = floats(var_control, n_control, var_treatment, n_treatment)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = a / (a + b)
        return np.asarray(1 / (share**2 / (n_a - 1) + (1 - share) ** 2 / (n_b - 1)))


def require_alpha(alpha: ArrayLike) -> None:
    """ValueError unless every alpha lies inside (0, 1)."""
    values = np.asarray(alpha, dtype=float)
    if not np.all((values > 0) & (values < 1)):
        raise ValueError(f"alpha: must lie inside (0, 1), got {values}")
