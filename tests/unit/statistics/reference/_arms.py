"""Effects of two arms as sequential, Bayesian and planning cases describe them, with their own conventions.

These cases take a proportion's variance as p (1 - p) / n and judge by the normal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from neonblue.statistics.moments import CovariateMoments, Moments, RatioMoments


@dataclass(frozen=True)
class Arm:
    """One arm's value, the variance of that value, and its units."""

    n: int
    mean: float
    variance: float


def arm(fields: Mapping[str, Any]) -> Arm:
    """An arm of type prop or mean (ratio where it has two sums); ValueError where it has too few units."""
    n = int(fields["n"])
    if "sum_m" in fields or "sum_d" in fields:
        return _ratio(fields, n)
    if n < 1:
        raise ValueError("n: an arm without units has no mean")
    squares = fields.get("sum_squares", fields.get("sum_of_squares"))
    kind = fields.get("type", "mean" if squares is not None else "prop")
    if kind in ("prop", "proportion", "binomial"):
        rate = Moments.proportion(int(fields["sum"]), n).mean
        return Arm(n, rate, rate * (1 - rate) / n)
    moments = Moments(n, float(fields["sum"]), float(squares))
    if n < 2:
        raise ValueError("n: a variance needs two units")
    return Arm(n, moments.mean, moments.variance / n)


def _ratio(fields: Mapping[str, Any], n: int) -> Arm:
    if n < 2:
        raise ValueError("n: a variance needs two units")
    moments = RatioMoments(n, *(fields[k] for k in ("sum_m", "sum_d", "sum_mm", "sum_dd", "sum_md")))
    value = moments.sum_m / moments.sum_d
    spread = (
        moments.numerator.variance - 2 * value * moments.covariance + value**2 * moments.denominator.variance
    )
    return Arm(n, value, spread / moments.denominator.mean**2 / n)


def covariate(fields: Mapping[str, Any]) -> CovariateMoments:
    """An arm with a covariate."""
    sums = (fields[k] for k in ("sum_y", "sum_x", "sum_yy", "sum_xx", "sum_xy"))
    return CovariateMoments(int(fields["n"]), *sums)
