"""Miettinen and Nurminen's score test over several strata: the test of Cochran, Mantel and Haenszel with its interval.

Right where a stratum has few successes or failures. Every stratum takes the rates that are likeliest under one common
difference (or ratio), and the strata's differences are weighed by n_c n_t / (n_c + n_t).
Source: Miettinen and Nurminen (1985), Statistics in Medicine 4, 213-226; Cochran (1954); Mantel and Haenszel (1959).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neonblue.statistics.methods import score
from neonblue.statistics.methods.fieller import ZERO_BASELINE
from neonblue.statistics.methods.proportions import not_countable
from neonblue.statistics.methods.t_test import critical_value, infer
from neonblue.statistics.moments import Moments
from neonblue.statistics.result import Alternative, Estimate, Interval, Lift, Method
from neonblue.statistics.status import Status

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class StratifiedCounts:
    """Successes x and units n > 0 of control and treatment, arrays with the strata along the first axis.

    diff: treatment rate - control rate of each stratum; weights: n_c n_t / (n_c + n_t) of each, as shares of their sum.
    The other axes hold any number of comparisons.
    """

    x_c: FloatArray
    n_c: FloatArray
    x_t: FloatArray
    n_t: FloatArray
    diff: FloatArray
    weights: FloatArray

    @classmethod
    def of(cls, x_c: ArrayLike, n_c: ArrayLike, x_t: ArrayLike, n_t: ArrayLike) -> Self:
        """Counts as arrays that broadcast."""
        x_c, n_c, x_t, n_t = np.broadcast_arrays(*(np.asarray(v, dtype=float) for v in (x_c, n_c, x_t, n_t)))
        information = n_c * n_t / (n_c + n_t)
        weights = information / information.sum(axis=0)
        return cls(x_c, n_c, x_t, n_t, score.rate_difference(x_c, n_c, x_t, n_t), weights)

    @classmethod
    def of_pairs(cls, strata: Sequence[tuple[Moments, Moments]]) -> Self:
        """The counts of one comparison, from (control, treatment) of every stratum. ValueError where an arm is empty or
        its values are not zeros and ones."""
        if any(not_countable(*pair) for pair in strata):
            raise ValueError("strata: every arm needs a unit")
        return cls.of(*zip(*((c.sum, c.n, t.sum, t.n) for c, t in strata), strict=True))

    @property
    def control(self) -> FloatArray:
        """The weighted mean of the control's rates."""
        return np.asarray((self.weights * (self.x_c / self.n_c)).sum(axis=0))

    @property
    def weighted_diff(self) -> FloatArray:
        """The weighted mean of the differences: Mantel and Haenszel's risk difference."""
        return np.asarray((self.weights * self.diff).sum(axis=0))

    def difference_variance(self, null: ArrayLike) -> FloatArray:
        """Variance of `weighted_diff` where every stratum's difference is `null`, in [-1, 1]."""
        each = score.difference_variance(self.x_c, self.n_c, self.x_t, self.n_t, null)
        return np.asarray((self.weights**2 * each).sum(axis=0))

    def ratio_variance(self, ratio: ArrayLike) -> FloatArray:
        """Variance of the weighted mean of p_t - ratio p_c where every stratum's ratio is `ratio` > 0."""
        each = score.ratio_variance(self.x_c, self.n_c, self.x_t, self.n_t, ratio)
        return np.asarray((self.weights**2 * each).sum(axis=0))


def stratified_score_test(
    counts: StratifiedCounts,
    alpha: float = 0.05,
    alternative: Alternative = Alternative.TWO_SIDED,
    null: float = 0.0,
    *,
    limits: bool = True,
) -> Estimate | Status:
    """Score test of "the difference is `null` in every stratum" with the interval that inverts it.

    At null 0 the square of the statistic is the Cochran-Mantel-Haenszel chi-square without continuity correction.
    limits: as in
    `score.score_test`. Returns ZERO_VARIANCE where no stratum has both a success and a failure. ValueError for an
    alpha outside (0, 1).
    """
    se = math.sqrt(float(counts.difference_variance(null)))
    if se == 0:
        return score.NO_VARIANCE
    test = infer(float(counts.weighted_diff), se, math.inf, alpha, alternative, null)
    estimate = test.estimate(alpha, Method.STRATIFIED_MIETTINEN_NURMINEN)
    if not limits:
        return replace(estimate, interval=score.whole_line(alpha))
    return replace(estimate, interval=stratified_score_interval(counts, alpha, alternative, null))


def stratified_score_interval(
    counts: StratifiedCounts,
    alpha: float = 0.05,
    alternative: Alternative = Alternative.TWO_SIDED,
    null: float = 0.0,
) -> Interval:
    """Score interval of the common difference, within [-1, 1], defined for any counts.

    It holds `null` exactly when the test of that difference does not reject.
    """
    critical = critical_value(alpha, math.inf, alternative)
    limits = stratified_difference_limits(counts, critical, null)
    return _interval(float(limits[0]), float(limits[1]), alpha, alternative)


def stratified_score_lift(
    counts: StratifiedCounts,
    alpha: float = 0.05,
    alternative: Alternative = Alternative.TWO_SIDED,
    null: float = 0.0,
    *,
    limits: bool = True,
) -> Lift | Status:
    """The weighted difference relative to the weighted control rate, with the score interval of a common ratio.

    The ratio 1 and the difference 0 are the same hypothesis, so this interval excludes 0 exactly when
    `stratified_score_test` rejects; null > -1: the lift for which that is kept. Returns ZERO_BASELINE without a success
    in control, and ZERO_VARIANCE as the test. limits: as there.
    """
    if float(counts.control) == 0:
        return ZERO_BASELINE
    if float(counts.difference_variance(0.0)) == 0:
        return score.NO_VARIANCE
    value = float(counts.weighted_diff / counts.control)
    if not limits:
        return Lift(value, score.whole_line(alpha), Method.STRATIFIED_MIETTINEN_NURMINEN)
    lower, upper = stratified_ratio_limits(counts, critical_value(alpha, math.inf, alternative), 1 + null)
    interval = _interval(float(lower) - 1, float(upper) - 1, alpha, alternative)
    return Lift(value, interval, Method.STRATIFIED_MIETTINEN_NURMINEN)


def stratified_difference_limits(
    counts: StratifiedCounts, critical: ArrayLike, anchor: ArrayLike = 0.0
) -> tuple[FloatArray, FloatArray]:
    """The smallest and largest common difference the score test does not reject at a critical |z|, within [-1, 1].

    One pair of limits for every comparison in `counts`. anchor: see `score.limits`.
    """
    diff = counts.weighted_diff

    def excess(null: FloatArray, critical: FloatArray, *of: FloatArray) -> FloatArray:
        at = _unpacked(of) if null.ndim else counts
        return np.abs(at.weighted_diff - null) - critical * np.sqrt(at.difference_variance(null))

    of = (np.broadcast_to(np.asarray(critical, dtype=float), diff.shape), *_packed(counts))
    ends = np.full_like(diff, -1.0), np.full_like(diff, 1.0)
    around = np.maximum(diff - score.INNER, -1.0), np.minimum(diff + score.INNER, 1.0)
    return score.limits(excess, ends, around, anchor, of)


def stratified_ratio_limits(
    counts: StratifiedCounts, critical: ArrayLike, anchor: ArrayLike = 1.0
) -> tuple[FloatArray, FloatArray]:
    """The smallest and largest common ratio p_t / p_c >= 0 the score test does not reject at a critical |z|.

    The control needs a success in some stratum. The smallest is 0 where the treatment has none. anchor > 0: see
    `score.limits`.
    """
    successes = counts.x_t.sum(axis=0)
    treatment = (counts.weights * counts.x_t / counts.n_t).sum(axis=0)
    # Without a success the search for the upper limit starts at half a success: the limit lies above it.
    half = (counts.weights / counts.n_t).min(axis=0) / 2
    centre = np.log(np.where(successes == 0, half, treatment) / counts.control)

    def excess(log_ratio: FloatArray, critical: FloatArray, *of: FloatArray) -> FloatArray:
        at, ratio = _unpacked(of) if log_ratio.ndim else counts, np.exp(log_ratio)
        distance = np.abs(at.weighted_diff + (1 - ratio) * at.control)
        return (distance - critical * np.sqrt(at.ratio_variance(ratio))) / np.maximum(ratio, 1.0)

    of = (np.broadcast_to(np.asarray(critical, dtype=float), centre.shape), *_packed(counts))
    ends = centre - score.LOG_RANGE, centre + score.LOG_RANGE
    around = centre - score.INNER, centre + score.INNER
    lower, upper = score.limits(excess, ends, around, np.log(anchor), of)
    return np.where(successes == 0, 0.0, np.exp(lower)), np.exp(upper)


def _packed(counts: StratifiedCounts) -> tuple[FloatArray, ...]:
    """One array for each count of each stratum: the search takes arrays of one shape."""
    return (*counts.x_c, *counts.n_c, *counts.x_t, *counts.n_t, *counts.diff, *counts.weights)


def _unpacked(of: tuple[FloatArray, ...]) -> StratifiedCounts:
    return StratifiedCounts(*np.split(np.stack(of), 6))


def _interval(lower: float, upper: float, alpha: float, alternative: Alternative) -> Interval:
    low = -math.inf if alternative is Alternative.LESS else lower
    high = math.inf if alternative is Alternative.GREATER else upper
    return Interval.at(low, high, alpha)
