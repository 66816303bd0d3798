"""Miettinen and Nurminen's score tests and intervals for the difference and the ratio of two proportions.

Right where the normal approximation of the plain estimates is not: few successes or failures, lopsided arms.
The variance is taken at the rates that are likeliest under the hypothesis, times N / (N - 1).
Source: Miettinen and Nurminen (1985), Statistics in Medicine 4, 213-226; Farrington and Manning (1990).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize
from scipy.optimize import elementwise

from neonblue.statistics import numbers
from neonblue.statistics.methods.fieller import ZERO_BASELINE
from neonblue.statistics.methods.proportions import not_countable
from neonblue.statistics.methods.t_test import critical_value, infer
from neonblue.statistics.moments import Moments
from neonblue.statistics.numerics.double_double import floats
from neonblue.statistics.result import Alternative, Estimate, Interval, Lift, Method
from neonblue.statistics.status import Status, StatusCode

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
FloatArrays = tuple[FloatArray, ...]

INNER = 1e-14  # how close to the point estimate the search for a limit begins
LOG_RANGE = 80.0  # limits of a rate ratio lie within exp(-+80) of it for any count below 1e30
_RARE = 1e-4
_TOLERANCES = {"xatol": 1e-19, "xrtol": 1e-13, "fatol": 0.0, "frtol": 0.0}

NO_VARIANCE = Status(
    StatusCode.ZERO_VARIANCE, "Each arm has only successes or only failures: no variance to test with."
)


def score_test(
    control: Moments,
    treatment: Moments,
    alpha: float = 0.05,
    alternative: Alternative = Alternative.TWO_SIDED,
    null: float = 0.0,
    *,
    limits: bool = True,
) -> Estimate | Status:
    """Score test of "treatment rate - control rate = null" (in (-1, 1)) with the interval that inverts it.

    se is the standard error under the hypothesis. limits: whether the interval is searched for; else it is the whole
    line, for who asks for the p-value alone. Returns NO_USERS for an empty arm and ZERO_VARIANCE where
    the hypothesis fits the data perfectly with no variance (no success, or no failure, in either arm): then
    `score_interval` still gives an interval. Raises ValueError for arms that are not zeros and ones.
    """
    problem = not_countable(control, treatment)
    if problem:
        return problem
    counts = _counts(control, treatment)
    se = math.sqrt(float(difference_variance(*counts, null)))
    if se == 0:
        return _all_alike(control, treatment, alpha)
    diff = treatment.minus(control)
    test = infer(diff, se, math.inf, alpha, alternative, null)
    if not limits:
        return replace(test.estimate(alpha, Method.MIETTINEN_NURMINEN), interval=whole_line(alpha))
    lower, upper = difference_limits(*counts, critical_value(alpha, math.inf, alternative), null)
    test = replace(test, **_one_sided(lower, upper, alternative))
    return test.estimate(alpha, Method.MIETTINEN_NURMINEN)


def score_interval(
    control: Moments,
    treatment: Moments,
    alpha: float = 0.05,
    alternative: Alternative = Alternative.TWO_SIDED,
    null: float = 0.0,
) -> Interval | Status:
    """Score interval of treatment rate - control rate, within [-1, 1], defined for every pair of non-empty arms.

    It holds `null` exactly when the test of that difference does not reject.
    Returns NO_USERS for an empty arm; raises ValueError for arms that are not zeros and ones.
    """
    problem = not_countable(control, treatment)
    if problem:
        return problem
    critical = critical_value(alpha, math.inf, alternative)
    ends = difference_limits(*_counts(control, treatment), critical, null)
    limits = _one_sided(*ends, alternative)
    return Interval.at(float(limits["lower"]), float(limits["upper"]), alpha)


def score_lift(
    control: Moments,
    treatment: Moments,
    alpha: float = 0.05,
    alternative: Alternative = Alternative.TWO_SIDED,
    null: float = 0.0,
    *,
    limits: bool = True,
) -> Lift | Status:
    """Relative lift of a rate, p_t / p_c - 1, with the score interval of the ratio. limits: as in `score_test`.

    The ratio 1 and the difference 0 are the same hypothesis with the same likeliest rates, so this interval
    excludes 0 exactly when `score_test` rejects; null > -1: the lift for which that is kept. Returns ZERO_BASELINE
    without a success in control, and ZERO_VARIANCE where `score_test` does.
    """
    problem = not_countable(control, treatment)
    if problem:
        return problem
    if control.sum == 0:
        return ZERO_BASELINE
    counts = _counts(control, treatment)
    if float(difference_variance(*counts, 0.0)) == 0:
        return NO_VARIANCE
    value = treatment.minus(control) / control.mean
    if not limits:
        return Lift(value, whole_line(alpha), Method.MIETTINEN_NURMINEN)
    lower, upper = ratio_limits(*counts, critical_value(alpha, math.inf, alternative), 1 + null)
    ends = _one_sided(lower - 1, upper - 1, alternative)
    interval = Interval.at(float(ends["lower"]), float(ends["upper"]), alpha)
    return Lift(value, interval, Method.MIETTINEN_NURMINEN)


def whole_line(alpha: float) -> Interval:
    """The interval that is not searched for."""
    return Interval.at(-math.inf, math.inf, alpha)


def difference_variance(
    x_c: ArrayLike, n_c: ArrayLike, x_t: ArrayLike, n_t: ArrayLike, null: ArrayLike
) -> FloatArray:
    """Variance of the rate difference at the likeliest rates whose difference is `null`, times N / (N - 1).

    x: successes, n: units > 0 of control and treatment; null in [-1, 1]. Arrays broadcast.
    """
    x_c, n_c, x_t, n_t, null = floats(x_c, n_c, x_t, n_t, null)
    # Failures where they are rarer: 1 - rate would lose the digits of a rate near 1.
    mirrored = _mostly_successes(x_c, n_c, x_t, n_t)
    x_c, x_t = np.where(mirrored, n_c - x_c, x_c), np.where(mirrored, n_t - x_t, x_t)
    null = np.where(mirrored, -null, null)
    rate_c = _likeliest_control_rate(x_c, n_c, x_t, n_t, null)
    rate_t = _within(rate_c + null, 0.0, 1.0)
    total = n_c + n_t
    spread = rate_c * (1 - rate_c) / n_c + rate_t * (1 - rate_t) / n_t
    return np.asarray(spread * total / (total - 1))


def ratio_variance(
    x_c: ArrayLike, n_c: ArrayLike, x_t: ArrayLike, n_t: ArrayLike, ratio: ArrayLike
) -> FloatArray:
    """Variance of p_t - ratio p_c at the likeliest rates whose ratio is `ratio` > 0, times N / (N - 1).

    x: successes, n: units > 0 of control and treatment. Arrays broadcast. Source: Miettinen and Nurminen (1985).
    """
    x_c, n_c, x_t, n_t, ratio = floats(x_c, n_c, x_t, n_t, ratio)
    total, successes = n_c + n_t, x_c + x_t
    a = total * ratio
    b = n_t * ratio + x_t + n_c + x_c * ratio
    # 1 - rate_c from the quadratic it solves itself, so that it keeps its digits for a rate near 1.
    linear = total * (1 - ratio) - (n_t - x_t) - (n_c - x_c) * ratio
    constant = (ratio - 1) * (n_c - x_c)
    by_successes, by_failures = b * b - 4 * a * successes, linear * linear - 4 * a * constant
    discriminant = np.where(_mostly_successes(x_c, n_c, x_t, n_t), by_failures, by_successes)
    root = np.sqrt(np.maximum(discriminant, 0.0))
    rate_c = np.minimum(2 * successes / (b + root), 1.0)
    rate_t = _within(rate_c * ratio, 0.0, 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        rising = np.where(linear + root > 0, -2 * constant / (linear + root), 0.0)
    failure_c = _within(np.where(linear < 0, (root - linear) / (2 * a), rising), 0.0, 1.0)
    failure_t = _within((1 - ratio) + ratio * failure_c, 0.0, 1.0)
    spread = rate_t * failure_t / n_t + ratio**2 * rate_c * failure_c / n_c
    return np.asarray(spread * total / (total - 1))


def rate_difference(x_c: FloatArray, n_c: FloatArray, x_t: FloatArray, n_t: FloatArray) -> FloatArray:
    """p_t - p_c, from the failures where they are rarer, so that rates near 1 keep their digits."""
    return _rate_gap(x_c, n_c, x_t, n_t, np.ones_like(n_c))


def difference_limits(
    x_c: ArrayLike,
    n_c: ArrayLike,
    x_t: ArrayLike,
    n_t: ArrayLike,
    critical: ArrayLike,
    anchor: ArrayLike = 0.0,
) -> tuple[FloatArray, FloatArray]:
    """The smallest and largest rate difference the score test does not reject at a critical |z|, within [-1, 1].

    x: successes, n: units > 0 of control and treatment; anchor: see `limits`. Arrays broadcast.
    Source: Miettinen and Nurminen (1985).
    """
    arrays = [np.asarray(v, dtype=float) for v in (x_c, n_c, x_t, n_t, critical)]
    x_c, n_c, x_t, n_t, critical = np.broadcast_arrays(*arrays)
    diff = rate_difference(x_c, n_c, x_t, n_t)

    def excess(null: FloatArray, *of: FloatArray) -> FloatArray:
        x_c, n_c, x_t, n_t, critical, diff = of
        return np.abs(diff - null) - critical * np.sqrt(difference_variance(x_c, n_c, x_t, n_t, null))

    of = (x_c, n_c, x_t, n_t, critical, diff)
    ends = np.full_like(diff, -1.0), np.full_like(diff, 1.0)
    return limits(excess, ends, (np.maximum(diff - INNER, -1.0), np.minimum(diff + INNER, 1.0)), anchor, of)


def ratio_limits(
    x_c: ArrayLike,
    n_c: ArrayLike,
    x_t: ArrayLike,
    n_t: ArrayLike,
    critical: ArrayLike,
    anchor: ArrayLike = 1.0,
) -> tuple[FloatArray, FloatArray]:
    """The smallest and largest rate ratio p_t / p_c, >= 0, the score test does not reject at a critical |z|.

    x: successes, in control > 0, n: units > 0; anchor > 0: see `limits`. Arrays broadcast. The smallest is 0 where the
    treatment has no success. Source: Miettinen and Nurminen (1985).
    """
    arrays = [np.asarray(v, dtype=float) for v in (x_c, n_c, x_t, n_t, critical)]
    x_c, n_c, x_t, n_t, critical = np.broadcast_arrays(*arrays)
    # Without a success the search for the upper limit starts at half a success: the limit lies above it.
    ratio = np.log(np.maximum(x_t, 0.5) / n_t * (n_c / x_c))

    def excess(log_ratio: FloatArray, *of: FloatArray) -> FloatArray:
        x_c, n_c, x_t, n_t, critical = of
        theta = np.exp(log_ratio)
        distance = np.abs(_rate_gap(x_c, n_c, x_t, n_t, theta))
        scale = np.maximum(theta, 1.0)
        return (distance - critical * np.sqrt(ratio_variance(x_c, n_c, x_t, n_t, theta))) / scale

    of = (x_c, n_c, x_t, n_t, critical)
    ends = ratio - LOG_RANGE, ratio + LOG_RANGE
    lower, upper = limits(excess, ends, (ratio - INNER, ratio + INNER), np.log(anchor), of)
    return np.where(x_t == 0, 0.0, np.exp(lower)), np.exp(upper)


def _mostly_successes(x_c: FloatArray, n_c: FloatArray, x_t: FloatArray, n_t: FloatArray) -> BoolArray:
    return np.asarray(2 * (x_c + x_t) > n_c + n_t)


def _rate_gap(
    x_c: FloatArray, n_c: FloatArray, x_t: FloatArray, n_t: FloatArray, ratio: FloatArray
) -> FloatArray:
    """p_t - ratio p_c, from the failures where they are rarer."""
    by_failures = (1 - ratio) + ratio * ((n_c - x_c) / n_c) - (n_t - x_t) / n_t
    by_successes = x_t / n_t - ratio * (x_c / n_c)
    return np.where(_mostly_successes(x_c, n_c, x_t, n_t), by_failures, by_successes)


def _likeliest_control_rate(
    x_c: FloatArray, n_c: FloatArray, x_t: FloatArray, n_t: FloatArray, null: FloatArray
) -> FloatArray:
    """The control rate p maximising the likelihood when the treatment rate is p + null: a root of a cubic."""
    total = n_c + n_t
    quadratic = ((n_t + 2 * n_c) * null - total - x_c - x_t) / total
    linear = ((n_c * null - total - 2 * x_c) * null + x_c + x_t) / total
    constant = x_c * null * (1 - null) / total
    q = quadratic**3 / 27 - quadratic * linear / 6 + constant / 2
    p = np.copysign(np.sqrt(np.maximum(quadratic**2 / 9 - linear / 3, 0.0)), q)
    with np.errstate(divide="ignore", invalid="ignore"):
        cosine = np.where(p == 0, 0.0, q / p**3)
        angle = (math.pi + np.arccos(_within(cosine, -1.0, 1.0))) / 3
        rate = 2 * p * np.cos(angle) - quadratic / 3
        # Rates far below 1 drown in the rounding of the angle; there the cube vanishes, the quadratic has their digits.
        root = np.sqrt(np.maximum(linear**2 - 4 * quadratic * constant, 0.0))
        small = (linear + root) / (-2 * quadratic)
        rate = np.where((np.abs(null) < _RARE) & (np.abs(small) < _RARE), small, rate)
        low, high = np.maximum(0.0, -null), np.minimum(1.0, 1.0 - null)
        # The arc cosine loses half the digits near a double root: Newton's steps win them back.
        for _ in range(2):
            slope = (3 * rate + 2 * quadratic) * rate + linear
            value = ((rate + quadratic) * rate + linear) * rate + constant
            rate = _within(rate - np.where(slope == 0, 0.0, value / slope), low, high)
    return np.asarray(rate)


def _within(value: FloatArray, low: ArrayLike, high: ArrayLike) -> FloatArray:
    """The value, or the end beyond which it lies: `np.clip` for one comparison costs more than all else here."""
    return np.minimum(np.maximum(value, low), high)


def limits(
    excess: Callable[..., FloatArray],
    ends: FloatArrays,
    around: FloatArrays,
    anchor: ArrayLike,
    of: FloatArrays,
) -> tuple[FloatArray, FloatArray]:
    """Where the acceptance of a test begins and ends: the roots of `excess` on either side of the estimate.

    excess: above 0 where the test rejects a hypothesis, with `of` as further arguments, arrays of one shape. ends: the
    least and the largest hypothesis; around: just below and just above the estimate. anchor: the hypothesis that is
    tested. The statistic of a few units need not be monotone, so the search keeps to the side of the anchor on which
    the test puts the limit: then the interval holds the anchor exactly when the test does not reject it.
    """
    found = []
    for outer, inner in zip(ends, around, strict=True):
        at = np.clip(anchor, np.minimum(outer, inner), np.maximum(outer, inner))
        rejected = excess(at, *of) > 0
        found.append(_root(excess, np.where(rejected, at, outer), np.where(rejected, inner, at), of))
    return found[0], found[1]


def _root(
    function: Callable[..., FloatArray], outer: FloatArray, inner: FloatArray, of: FloatArrays
) -> FloatArray:
    """The root between the two; where they do not differ in sign, the one nearer to 0."""
    if outer.ndim == 0:
        return np.asarray(
            _single_root(lambda at: float(function(np.float64(at), *of)), float(outer), float(inner))
        )
    bracket = np.minimum(outer, inner), np.maximum(outer, inner)
    found = elementwise.find_root(function, bracket, args=of, tolerances=_TOLERANCES, maxiter=200)
    nearer = np.where(np.abs(function(outer, *of)) < np.abs(function(inner, *of)), outer, inner)
    return np.where(found.status == -1, nearer, found.x)


def _single_root(function: Callable[[float], float], outer: float, inner: float) -> float:
    """The same for one comparison: a search over arrays takes ten times as long to set up as this takes."""
    values = {outer: function(outer), inner: function(inner)}
    if (values[outer] > 0) == (values[inner] > 0):
        return outer if abs(values[outer]) < abs(values[inner]) else inner

    def known(at: float) -> float:
        return values[at] if at in values else function(at)

    return float(optimize.brentq(known, outer, inner, xtol=1e-19, rtol=1e-13, maxiter=500))


def _all_alike(control: Moments, treatment: Moments, alpha: float) -> Status:
    """NO_VARIANCE, with the interval that there is all the same."""
    found = score_interval(control, treatment, alpha)
    if isinstance(found, Status):
        return NO_VARIANCE
    digits = numbers.share_places(None, None, found.upper)
    low, high = (numbers.points(bound, digits=digits) for bound in (found.lower, found.upper))
    between = f"The difference lies between {low} and {high} ({numbers.level(found.level)} score interval of one look)."
    return replace(NO_VARIANCE, message=f"{NO_VARIANCE.message} {between}")


def _counts(control: Moments, treatment: Moments) -> tuple[float, float, float, float]:
    return control.sum, control.n, treatment.sum, treatment.n


def _one_sided(lower: FloatArray, upper: FloatArray, alternative: Alternative) -> dict[str, FloatArray]:
    """The limits with the end that the alternative leaves open made infinite."""
    return {
        "lower": np.full_like(lower, -math.inf) if alternative is Alternative.LESS else lower,
        "upper": np.full_like(upper, math.inf) if alternative is Alternative.GREATER else upper,
    }
