"""What a test returns: frozen values whose fields are the columns of a report."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

_ALL_BUT_CERTAIN = math.nextafter(1.0, 0.0)


def level_of(alpha: float) -> float:
    """The confidence level 1 - alpha, below 1 also where the difference is 1 in doubles. alpha inside (0, 1)."""
    return min(1 - alpha, _ALL_BUT_CERTAIN)


class Alternative(StrEnum):
    """The hypothesis tested against "no difference", about treatment minus control."""

    TWO_SIDED = "two-sided"
    GREATER = "greater"
    LESS = "less"


class Method(StrEnum):
    """How an estimate's p-value and interval were computed."""

    WELCH = "welch"
    UNPOOLED_PROPORTIONS = "unpooled_proportions"
    POOLED_PROPORTIONS = "pooled_proportions"
    MANTEL_HAENSZEL = "mantel_haenszel"
    MIETTINEN_NURMINEN = "miettinen_nurminen"
    STRATIFIED_MIETTINEN_NURMINEN = "stratified_miettinen_nurminen"
    RATIO_DELTA = "ratio_delta"
    QUANTILE = "quantile"
    INTERPOLATED_QUANTILE = "interpolated_quantile"  # values are equal around it
    CUPED = "cuped"
    FISHER_EXACT = "fisher_exact"
    FIELLER = "fieller"


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval at `level` (0.95 for 95 %). One-sided intervals have an infinite end.

    Raises ValueError when the ends are out of order or not numbers, or the level is not inside (0, 1).
    """

    lower: float
    upper: float
    level: float

    def __post_init__(self) -> None:
        if math.isnan(self.lower) or math.isnan(self.upper) or self.lower > self.upper:
            raise ValueError(f"lower: must not exceed upper, got [{self.lower}, {self.upper}]")
        if not 0 < self.level < 1:
            raise ValueError(f"level: must lie inside (0, 1), got {self.level}")

    @classmethod
    def at(cls, lower: float, upper: float, alpha: float) -> Interval:
        """The interval at level 1 - alpha; an alpha too small for that difference gives the largest double below 1."""
        return cls(lower, upper, level_of(alpha))

    def contains(self, value: float) -> bool:
        """Whether `value` lies in the closed interval."""
        return self.lower <= value <= self.upper


@dataclass(frozen=True, slots=True)
class Estimate:
    """The difference treatment minus control, with its uncertainty, all from one test.

    diff, se: in the metric's unit (for a ratio metric the ratio's unit), se > 0; with a score test, se is
    the standard error under the null hypothesis.
    statistic: the test statistic (z or t); df: its degrees of freedom, inf for z.
    p_value: two-sided, in (0, 1]; log10_p: its base-10 logarithm, finite where p_value underflows.
    p_greater, p_less: one-sided p-values against "treatment is greater" and "treatment is less".
    interval: dual to the test of the chosen alternative at the same level. raised: whether the smaller arm is taken to
    vary as all units do, since the arms are lopsided and the metric is skewed.
    """

    diff: float
    se: float
    statistic: float
    df: float
    p_value: float
    log10_p: float
    p_greater: float
    p_less: float
    interval: Interval
    method: Method
    raised: bool = False

    @property
    def significant(self) -> bool:
        """Whether the interval excludes 0: by construction the same as the test rejecting at 1 - level."""
        return not self.interval.contains(0.0)


@dataclass(frozen=True, slots=True)
class Lift:
    """Relative difference, (treatment - control) / |control|, 0.05 meaning +5 %, with its interval."""

    value: float
    interval: Interval
    method: Method
