"""Lopsided arms of a skewed metric: where Welch's variance of the smaller arm is too small, and what is taken instead.

Of a skewed metric a small sample's mean and variance rise and fall together, so Welch's test calls the smaller arm
different exactly where its mean is far out by chance. There its variance is taken from the units of both arms, as a
permutation of the arms would: the standard error is the larger of Welch's and Student's.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neonblue.statistics.methods.effect import Effect
from neonblue.statistics.numerics.double_double import floats
from neonblue.statistics.result import Method

FloatArray = NDArray[np.float64]

LOPSIDED = 0.4
SKEWED = 0.5
_METHODS = frozenset({Method.WELCH, Method.RATIO_DELTA, Method.CUPED})


def are_lopsided(n_control: ArrayLike, n_treatment: ArrayLike) -> NDArray[np.bool_]:
    """Whether the smaller arm has less than two fifths of the units of both. Arrays broadcast."""
    n_c, n_t = (np.asarray(n, dtype=float) for n in (n_control, n_treatment))
    return np.asarray(np.minimum(n_c, n_t) < LOPSIDED * (n_c + n_t))


def raised_variances(
    n_control: ArrayLike,
    var_control: ArrayLike,
    n_treatment: ArrayLike,
    var_treatment: ArrayLike,
    mean: ArrayLike,
) -> tuple[FloatArray, FloatArray, NDArray[np.bool_]]:
    """The variances of both arms' values, the smaller arm's raised where it may be too small, and where it was.

    n_*: units; var_*: variance of the estimated value (s^2 / n); mean: the value over the units of both arms. Raised
    where the arms are lopsided (`are_lopsided`), the metric is skewed, and the two variances together are below
    Student's, s^2 (1/n_c + 1/n_t) with s^2 pooled over the arms: to that sum. Skewed: s is above half the size of the
    mean, as a metric that can't be negative hardly is without skew, and as can't be told of one that changes sign.
    Arrays broadcast; where there is no variance (nan) nothing changes.
    """
    columns = (n_control, var_control, n_treatment, var_treatment, mean)
    n_c, v_c, n_t, v_t, value = np.broadcast_arrays(*(np.asarray(column, dtype=float) for column in columns))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        spread = (n_c * (n_c - 1) * v_c + n_t * (n_t - 1) * v_t) / (n_c + n_t - 2)
        together = spread * (1 / n_c + 1 / n_t)
        skewed = np.sqrt(spread) > SKEWED * np.abs(value)
        raised = are_lopsided(n_c, n_t) & skewed & (together > v_c + v_t) & np.isfinite(together)
    control_is_smaller = n_c < n_t
    return (
        np.where(raised & control_is_smaller, together - v_t, v_c),
        np.where(raised & ~control_is_smaller, together - v_c, v_t),
        raised,
    )


class Raised(NamedTuple):
    """What of an effect follows the raised variances, and where they were raised."""

    var_control: FloatArray
    var_from_control: FloatArray
    var_from_treatment: FloatArray
    covariance: FloatArray
    raised: NDArray[np.bool_]


def raised_parts(
    n: tuple[ArrayLike, ArrayLike],
    control: ArrayLike,
    diff: ArrayLike,
    var_control: ArrayLike,
    var_from: tuple[ArrayLike, ArrayLike],
    covariance: ArrayLike,
) -> Raised:
    """The fields of an `Effect` that raised variances change, of one effect or of arrays.

    n, var_from: of control and treatment; the others as in `Effect`. What a control's variance gains counts in the lift
    and in margins, too.
    """
    n_c, n_t, value, gap, base, own, other, cov = floats(
        *n, control, diff, var_control, *var_from, covariance
    )
    var_c, var_t, raised = raised_variances(n_c, own, n_t, other, value + gap * n_t / (n_c + n_t))
    gained = np.where(raised, var_c - own, 0.0)
    return Raised(base + gained, var_c, var_t, cov - gained, raised)


def with_raised_variance(effect: Effect) -> Effect:
    """The effect with the smaller arm's variance as `raised_variances` gives it; others than means unchanged.

    Of means, ratios and adjusted differences. Degrees of freedom follow the raised variances, so that no interval is
    narrower than Welch's.
    """
    if effect.method not in _METHODS or not are_lopsided(effect.n_control, effect.n_treatment):
        return effect
    parts = raised_parts(
        (effect.n_control, effect.n_treatment),
        effect.control,
        effect.diff,
        effect.var_control,
        (effect.var_from_control, effect.var_from_treatment),
        effect.covariance,
    )
    if not parts.raised:
        return effect
    return replace(
        effect,
        var_control=float(parts.var_control),
        var_from_control=float(parts.var_from_control),
        var_from_treatment=float(parts.var_from_treatment),
        covariance=float(parts.covariance),
        raised=True,
    )
