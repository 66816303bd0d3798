"""Quantiles of a metric: intervals by inversion, from order statistics, hence free of the metric's unit.

Among equal values the quantile is interpolated, see `mid_quantiles`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy  # its `stats`, which takes long to import, when it is first used
from numpy.typing import ArrayLike

from neonblue.statistics.methods.comparison import Comparison
from neonblue.statistics.methods.effect import Effect
from neonblue.statistics.methods.mid_quantiles import MidDistribution, OutsideError
from neonblue.statistics.methods.t_test import critical_value, require_alpha
from neonblue.statistics.methods.winsorization import QuantileRule
from neonblue.statistics.result import Alternative, Estimate, Interval, Lift, Method
from neonblue.statistics.status import Status, StatusCode

_BOUND_ALPHA = 0.05  # the bounds of a summary lie 1.96 standard errors of a rank either side


@dataclass(frozen=True, slots=True)
class QuantileSummary:
    """One arm's quantile and the order statistics that bound it: three look-ups in ordered data.

    n: units; n_ranked: the values the order statistics were taken from (n, or fewer when sampled);
    level: which quantile, in (0, 1), 0.5 the median; value: the sample quantile at `level`;
    lower, upper: the sample quantiles at the two levels `bound_levels(level, n_ranked)` gives. interpolated: values
    between the bounds are equal, and all three are of the mid-distribution function.
    Raises ValueError naming the field that is impossible.
    """

    n: int
    n_ranked: int
    level: float
    value: float
    lower: float
    upper: float
    interpolated: bool = False

    def __post_init__(self) -> None:
        _require_level(self.level)
        if self.n < 0 or self.n_ranked < 0:
            raise ValueError(f"n: counts must not be negative, got {self.n} and {self.n_ranked}")
        if not self.lower <= self.value <= self.upper:
            raise ValueError(f"value: must lie in [{self.lower}, {self.upper}], got {self.value}")

    @classmethod
    def from_values(cls, values: ArrayLike, level: float) -> QuantileSummary:
        """The summary of single units' values, in any order, by linear interpolation of order statistics."""
        ordered = np.sort(np.asarray(values, dtype=float))
        n = ordered.size
        low, high = bound_levels(level, n)
        reach = ordered[math.floor(low * (n - 1)) : math.ceil(high * (n - 1)) + 1]
        if (np.diff(reach) == 0).any():
            return cls._of_ties(MidDistribution(*np.unique(ordered, return_counts=True), n), level)
        lower, value, upper = (float(v) for v in np.quantile(ordered, [low, level, high]))
        return cls(n, n, level, value, lower, upper)

    @classmethod
    def from_counts(
        cls, values: ArrayLike, counts: ArrayLike, level: float, n: int, below: int = 0
    ) -> QuantileSummary:
        """The summary from how often each value occurs around the quantile.

        values: ascending; counts: units at each; n: all units; below: units at values below the first one given. Raises
        ValueError where the counts do not reach the bounds: the window around the quantile must be wider.
        """
        ascending, at = np.asarray(values, dtype=float), np.asarray(counts, dtype=np.int64)
        if (
            ascending.size != at.size
            or ascending.size == 0
            or (np.diff(ascending) <= 0).any()
            or (at < 0).any()
        ):
            raise ValueError("values: must ascend, with a count >= 0 for each")
        ascending, at = ascending[at > 0], at[at > 0]
        reached = below + np.cumsum(at)
        ranks = [share * (n - 1) for share in (level, *bound_levels(level, n))]
        outside = (
            f"counts: ranks {below} to {below + at.sum()} of {n} do not hold the quantile and its bounds"
        )
        if (
            not at.size
            or below < 0
            or reached[-1] > n
            or min(ranks) < below
            or math.ceil(max(ranks)) >= reached[-1]
        ):
            raise ValueError(outside)
        first, last = np.searchsorted(reached, [math.floor(min(ranks)), math.ceil(max(ranks))], side="right")
        if last - first < math.ceil(max(ranks)) - math.floor(min(ranks)):
            try:
                return cls._of_ties(MidDistribution(ascending, at, n, below), level)
            except OutsideError:
                raise ValueError(outside) from None

        def at_rank(rank: float) -> float:
            places = np.searchsorted(reached, [math.floor(rank), math.ceil(rank)], side="right")
            low, high = ascending[places]
            return float(low + (rank - math.floor(rank)) * (high - low))

        value, lower, upper = (at_rank(rank) for rank in ranks)
        return cls(n, n, level, value, lower, upper)

    @classmethod
    def _of_ties(cls, values: MidDistribution, level: float) -> QuantileSummary:
        found = values.bounded(level, float(critical_value(_BOUND_ALPHA, math.inf)))
        return cls(values.n, values.n, level, *found, interpolated=True)

    @property
    def unit_variance(self) -> float:
        """Variance per unit that the distance of the bounds says: (n - 1) n_ranked / n ((U - L) / 2z)^2."""
        z = float(critical_value(_BOUND_ALPHA, math.inf))
        return (self.n_ranked / self.n) * (self.n - 1) * ((self.upper - self.lower) / (2 * z)) ** 2

    @property
    def variance(self) -> float:
        """Variance of the sample quantile, unit variance / n."""
        return self.unit_variance / self.n


def bound_levels(level: float, n: int) -> tuple[float, float]:
    """The levels level -+ 1.96 sqrt(level (1 - level) / n), kept in [0, 1], whose sample quantiles bound it.

    level in (0, 1); n > 0 values. ValueError otherwise.
    """
    _require_level(level)
    if n < 1:
        raise ValueError(f"n: must be positive, got {n}")
    half = float(critical_value(_BOUND_ALPHA, math.inf)) * math.sqrt(level * (1 - level) / n)
    return max(level - half, 0.0), min(level + half, 1.0)


def sample_quantile(values: ArrayLike, level: float, rule: QuantileRule = QuantileRule.LINEAR) -> float:
    """The sample quantile at `level`, in (0, 1), of values in any order, in their unit.

    Raises ValueError for no values or a level out of range. Source: Hyndman and Fan (1996), types 7 and 1.
    """
    _require_level(level)
    given = np.asarray(values, dtype=float)
    if given.size == 0:
        raise ValueError("values: a quantile needs at least one value")
    return float(np.quantile(given, level, method=rule.value))


def quantile_interval(values: ArrayLike, level: float, alpha: float = 0.05) -> Interval | Status:
    """Exact interval of one arm's quantile: the order statistics the binomial allows, whatever the distribution.

    Coverage is at least 1 - alpha. Returns NOT_ENOUGH_UNITS where a bounding order statistic does not exist.
    Source: Conover (1999), Practical Nonparametric Statistics, 3.2.
    """
    _require_level(level)
    require_alpha(alpha)
    ordered = np.sort(np.asarray(values, dtype=float))
    n = ordered.size
    below = int(scipy.stats.binom.ppf(alpha / 2, n, level)) - 1 if n else -1
    # The upper tail as the lower one of the units above: 1 - alpha / 2 would be 1 for a small alpha.
    above = n - int(scipy.stats.binom.ppf(alpha / 2, n, 1 - level)) if n else 0
    if below < 0 or above >= n:
        message = f"{n} values are too few to bound the {level:g} quantile at this level."
        return Status(StatusCode.NOT_ENOUGH_UNITS, message)
    return Interval.at(float(ordered[below]), float(ordered[above]), alpha)


def quantile_effect(control: QuantileSummary, treatment: QuantileSummary) -> Effect | Status:
    """The difference of two quantiles, the variance of each read off its own bounds.

    Statuses and errors as `quantile_test`.
    """
    if control.level != treatment.level:
        raise ValueError(f"level: arms must share it, got {control.level} and {treatment.level}")
    problem = _problem(control) or _problem(treatment)
    if problem:
        return problem
    variances = (control.variance, treatment.variance)
    values = (control.value, treatment.value)
    method = (
        Method.INTERPOLATED_QUANTILE if control.interpolated or treatment.interpolated else Method.QUANTILE
    )
    return Effect.of_arms(method, (control.n, treatment.n), values, variances)


def quantile_test(
    control: QuantileSummary,
    treatment: QuantileSummary,
    alpha: float = 0.05,
    alternative: Alternative = Alternative.TWO_SIDED,
) -> Estimate | Status:
    """Test of equal quantiles in two arms, with the interval for their difference.

    The variance of each quantile is read off its own bounds; Welch's degrees of freedom. Returns
    NOT_ENOUGH_UNITS where a bound falls off the data (n level / (1 - level) or its inverse below z^2) and
    TIED_QUANTILE where an arm's bounds coincide. Raises ValueError for different levels.
    Source: Deng, Knoblich and Lu (2018), section 4; the bounds by Woodruff (1952), among ties on the mid-distribution
    function (Ma, Genton and Parzen 2011).
    """
    effect = quantile_effect(control, treatment)
    return effect if isinstance(effect, Status) else effect.test(alpha, alternative)


def quantile_lift(
    control: QuantileSummary,
    treatment: QuantileSummary,
    alpha: float = 0.05,
    alternative: Alternative = Alternative.TWO_SIDED,
) -> Lift | Status:
    """Relative lift of the quantile with Fieller's interval, dual to `quantile_test`.

    A share of the control's quantile, 0.05 meaning +5 %. Statuses and errors as `quantile_test`, and ZERO_BASELINE or
    RATIO_UNBOUNDED. Formula and source as `fieller_limits`.
    """
    effect = quantile_effect(control, treatment)
    return effect if isinstance(effect, Status) else effect.lift(alpha, alternative)


def compare_quantiles(
    control: QuantileSummary,
    treatment: QuantileSummary,
    alpha: float = 0.05,
    alternative: Alternative = Alternative.TWO_SIDED,
) -> Comparison:
    """One quantile in two arms: values, the test on their difference, and the relative lift.

    Values and difference in the metric's unit; both intervals have level 1 - alpha and agree on the decision. Statuses,
    errors and source as `quantile_test`.
    """
    return Comparison(
        n_control=control.n,
        n_treatment=treatment.n,
        mean_control=control.value,
        mean_treatment=treatment.value,
        diff=treatment.value - control.value,
        absolute=quantile_test(control, treatment, alpha, alternative),
        relative=quantile_lift(control, treatment, alpha, alternative),
    )


def _problem(arm: QuantileSummary) -> Status | None:
    z2 = float(critical_value(_BOUND_ALPHA, math.inf)) ** 2
    odds = arm.level / (1 - arm.level)
    needed = z2 * max(odds, 1 / odds)
    if arm.n_ranked <= needed or arm.n < 2:
        message = f"{arm.n_ranked} values can't bound the {arm.level:g} quantile; it takes over {needed:.0f}."
        return Status(StatusCode.NOT_ENOUGH_UNITS, message)
    if arm.upper == arm.lower:
        message = (
            f"The {arm.level:g} quantile lies among equal values at an end of the data: it has no bounds."
        )
        return Status(StatusCode.TIED_QUANTILE, message)
    return None


def _require_level(level: float) -> None:
    if not 0 < level < 1:
        raise ValueError(f"level: must lie inside (0, 1), got {level}")
