"""Tail probabilities with their base-10 logarithms, accurate where cumulative functions return 0 or 1.

Every function takes arrays (they broadcast) and returns arrays of float64. Logarithms stay finite far beyond
the range of a double, so that a p-value too small to be stored still has an order of magnitude.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from neonblue.statistics.numerics.double_double import broadcast

FloatArray = NDArray[np.float64]

_LN10 = math.log(10.0)
_SMALLEST = 1e-290  # below it, logarithms come from continued fractions instead of from the probability
_FRACTION_STEPS = 100


def normal_sf(z: ArrayLike) -> FloatArray:
    """P(Z > z) for a standard normal Z, in [0, 1]."""
    return np.asarray(special.ndtr(-np.asarray(z, dtype=float)))


def normal_log10_sf(z: ArrayLike) -> FloatArray:
    """log10 P(Z > z) for a standard normal Z, <= 0."""
    return np.asarray(special.log_ndtr(-np.asarray(z, dtype=float)) / _LN10)


def normal_two_sided(z: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """P(|Z| > |z|) and its log10."""
    magnitude = np.abs(np.asarray(z, dtype=float))
    p = 2 * normal_sf(magnitude)
    deep = normal_log10_sf(magnitude) + math.log10(2)
    return p, np.where(p < _SMALLEST, deep, _log10(p))


def normal_quantile(probability: ArrayLike) -> FloatArray:
    """The z with P(Z <= z) = probability, for probability in [0, 1]."""
    return np.asarray(special.ndtri(np.asarray(probability, dtype=float)))


def deviate(log10_p: float) -> float:
    """The z >= 0 whose two-sided p-value has this base-10 logarithm, <= 0; finite wherever that is."""
    return max(0.0, -float(special.ndtri_exp(log10_p * _LN10 - math.log(2))))


def t_sf(t: ArrayLike, df: ArrayLike) -> FloatArray:
    """P(T > t) for Student's t with df > 0 degrees of freedom; df = inf is the normal."""
    t = np.asarray(t, dtype=float)
    return one_sided(t_two_sided(t, df)[0], t > 0)


def one_sided(two_sided: ArrayLike, towards: ArrayLike) -> FloatArray:
    """The p-value of one side from the two-sided one; towards: whether the statistic lies on that side."""
    half = np.asarray(two_sided) / 2
    return np.where(towards, half, 1 - half)


def t_two_sided(t: ArrayLike, df: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """P(|T| > |t|) for Student's t with df > 0 degrees of freedom, and its log10; df = inf is the normal.

    Source: the incomplete beta function, P = 1 - I_y(1/2, df/2) with y = t^2 / (df + t^2), which keeps its
    digits at a hundred million degrees of freedom; for t^2 > df P = I_(1-y)(df/2, 1/2), which keeps them at few.
    """
    t, df = broadcast(np.abs(t), df)
    normal = np.isinf(df)
    if normal.all():
        return normal_two_sided(t)
    freedom = np.where(normal, 1.0, df)
    length = np.hypot(np.sqrt(freedom), t)
    near, far = (t / length) ** 2, freedom / length / length
    p = special.betaincc(0.5, freedom / 2, near)
    few = ~(t * t <= freedom)
    if few.any():
        p = np.where(few, special.betainc(freedom / 2, 0.5, far), p)
    log10_p = _log10(p)
    deep = (p < _SMALLEST) & ~normal
    if deep.any():
        log10_p[deep] = _t_deep_tail(t[deep], freedom[deep])
    if normal.any():
        normal_p, normal_log10 = normal_two_sided(t)
        p, log10_p = np.where(normal, normal_p, p), np.where(normal, normal_log10, log10_p)
    return p, log10_p


def t_quantile(probability: ArrayLike, df: ArrayLike) -> FloatArray:
    """The t with P(T <= t) = probability for Student's t; df = inf is the normal.

    Above 1e5 degrees of freedom by the Cornish-Fisher expansion (Abramowitz and Stegun 26.7.5), whose first
    dropped term is there below 1e-17.
    """
    probability, df = broadcast(probability, df)
    if np.isinf(df).all():
        return normal_quantile(probability)
    large = df > 1e5
    exact = np.asarray(special.stdtrit(np.where(large, 1.0, df), probability))
    # Where the tail is too small for it SciPy answers with inf on the wrong side.
    exact = np.where(np.isinf(exact), np.copysign(np.inf, probability - 0.5), exact)
    if not large.any():
        return exact
    z = normal_quantile(probability)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return np.where(large, z + first / df + second / df**2 + third / df**3, exact)


def chi2_sf(statistic: ArrayLike, df: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """P(X > statistic) for a chi-square with df degrees of freedom, and its log10."""
    statistic, df = np.broadcast_arrays(np.asarray(statistic, dtype=float), np.asarray(df, dtype=float))
    p = np.asarray(special.chdtrc(df, statistic))
    log10_p = _log10(p)
    deep = p < _SMALLEST
    if deep.any():
        log10_p[deep] = _chi2_deep_tail(statistic[deep], df[deep])
    return p, log10_p


def _log10(p: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore"):
        return np.array(np.log10(p))


def _t_deep_tail(t: FloatArray, df: FloatArray) -> FloatArray:
    """log10 of I_x(df/2, 1/2), x = df / (df + t^2), by its continued fraction (DLMF 8.17.22)."""
    a, b = df / 2, 0.5
    scaled = t / np.sqrt(df)
    log_ratio = np.where(scaled < 1e150, -np.log1p(np.minimum(scaled, 1e150) ** 2), -2 * np.log(scaled))
    x = np.exp(log_ratio)
    log_front = a * log_ratio + b * np.log(-np.expm1(log_ratio)) - np.log(a) - special.betaln(a, b)

    def coefficient(step: int) -> FloatArray:
        m = step // 2
        if step % 2:
            return -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        return m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))

    # From the last step backwards: no convergence test, hence the same path for every element.
    fraction = np.ones_like(a)
    for step in range(_FRACTION_STEPS, 0, -1):
        fraction = 1 + coefficient(step) / fraction
    return np.asarray((log_front - np.log(fraction)) / _LN10)


def _chi2_deep_tail(statistic: FloatArray, df: FloatArray) -> FloatArray:
    """log10 of Q(df/2, statistic/2) by Legendre's continued fraction (DLMF 8.9.2)."""
    a, x = df / 2, statistic / 2
    fraction = x
    for step in range(_FRACTION_STEPS, 0, -1):
        fraction = x + (step - a) / (1 + step / fraction)
    return np.asarray((-x + a * np.log(x) - special.gammaln(a) - np.log(fraction)) / _LN10)
