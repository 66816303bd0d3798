"""Sufficient statistics of one arm: what `metric_moments` stores and every test here takes.

Each class refuses impossible values when it is made, so that no test has to check them again. Sums may
carry the rounding of the engine that added them up: comparisons between sums allow a relative 1e-9. Where the
mean is large against the spread, sums of squares lose the variance to cancellation; then give centred sums.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral

from neonblue.statistics.numerics.double_double import centred_product, single_difference

_ROUNDING = 1e-9
_EPSILON = 8 * sys.float_info.epsilon


@dataclass(frozen=True, slots=True)
class Moments:
    """Count, sum and sum of squares of one value per unit.

    n: units (>= 0). sum, sum_of_squares: over units, in the metric's unit and its square.
    centred_sum_of_squares: sum of (y - mean)^2, optional; used instead of the difference of large sums.
    sum_error: the exact sum minus `sum`, where known: what is left of the rounding of a large sum.
    For a proportion the value is 0 or 1, so that `sum` and `sum_of_squares` both count the successes.
    Raises ValueError naming the field and the rule it breaks.
    """

    n: int
    sum: float
    sum_of_squares: float
    centred_sum_of_squares: float | None = None
    sum_error: float = 0.0

    def __post_init__(self) -> None:
        _require_count(self.n)
        _require_finite("sum_error", self.sum_error)
        _require_finite("sum", self.sum)
        _require_finite("sum_of_squares", self.sum_of_squares)
        if self.centred_sum_of_squares is not None:
            _require_finite("centred_sum_of_squares", self.centred_sum_of_squares)
            _require_not_negative("centred_sum_of_squares", self.centred_sum_of_squares)
        _require_square_sum("sum_of_squares", self.n, "sum", self.sum, self.sum_of_squares)

    @classmethod
    def proportion(cls, successes: int, n: int) -> Moments:
        """Moments of `successes` ones among `n` zeros and ones; ValueError unless 0 <= successes <= n."""
        if not 0 <= successes <= n:
            raise ValueError(f"successes: must lie between 0 and n={n}, got {successes}")
        return cls(n, successes, successes)

    @classmethod
    def from_values(cls, values: Sequence[float]) -> Moments:
        """Moments of the values of single units, with the centred sum of squares computed in two passes."""
        values = [float(v) for v in values]
        total = math.fsum(values)
        mean = total / len(values) if values else 0.0
        squares = math.fsum(v * v for v in values)
        error = math.fsum([*values, -total])
        return cls(len(values), total, squares, _two_pass(values, mean, values, mean), error)

    @property
    def mean(self) -> float:
        """Sum divided by n, in the metric's unit; nan when n = 0."""
        return self.sum / self.n if self.n else math.nan

    @property
    def centred(self) -> float:
        """Sum of squared deviations from the mean, in the metric's unit squared, >= 0.

        Exactly 0 where the sums can't tell it from 0.
        """
        if self.centred_sum_of_squares is None:
            return max(0.0, float(centred_product(self.n, self.sum, self.sum, self.sum_of_squares)))
        # A deviation is itself rounded to the mean's last digit: equal values leave such a residue.
        residue = _EPSILON * self.sum / self.n if self.n else 0.0
        return self.centred_sum_of_squares if self.centred_sum_of_squares > self.n * residue**2 else 0.0

    @property
    def variance(self) -> float:
        """Sample variance, divisor n - 1, in the metric's unit squared; nan below two units."""
        return self.centred / (self.n - 1) if self.n > 1 else math.nan

    def merge(self, other: Moments) -> Moments:
        """Moments of both sets of units together (Chan, Golub and LeVeque 1983 for the centred sum)."""
        centred = None
        if self.centred_sum_of_squares is not None or other.centred_sum_of_squares is not None:
            centred = self.centred + other.centred + _between(self, other, self, other)
        total = self.sum + other.sum
        error = math.fsum([self.sum, other.sum, self.sum_error, other.sum_error, -total])
        squares = self.sum_of_squares + other.sum_of_squares
        return Moments(self.n + other.n, total, squares, centred, error)

    def minus(self, other: Moments) -> float:
        """This mean minus the other's, in the metric's unit; nan where n = 0.

        It keeps the digits that the difference of two rounded means would lose.
        """
        if self.n == 0 or other.n == 0:
            return math.nan
        means = single_difference(self.sum, self.n, other.sum, other.n)
        return means + (self.sum_error / self.n - other.sum_error / other.n)


@dataclass(frozen=True, slots=True)
class CentredProducts:
    """Sums of products of deviations from the mean for two values a, b per unit: aa, bb >= 0, and ab."""

    aa: float
    bb: float
    ab: float

    def __post_init__(self) -> None:
        for name in ("aa", "bb", "ab"):
            _require_finite(name, getattr(self, name))
        _require_not_negative("aa", self.aa)
        _require_not_negative("bb", self.bb)
        if abs(self.ab) > math.sqrt(self.aa * self.bb) * (1 + _ROUNDING):
            raise ValueError(f"ab: must not exceed sqrt(aa * bb), got {self.ab}")


@dataclass(frozen=True, slots=True)
class RatioMoments:
    """Moments of numerator m and denominator d per randomisation unit, for a metric sum(m) / sum(d).

    sum_mm, sum_dd: sums of squares; sum_md: sum of products. centred: optional CentredProducts(mm, dd, md).
    Raises ValueError naming the field and the rule it breaks.
    """

    n: int
    sum_m: float
    sum_d: float
    sum_mm: float
    sum_dd: float
    sum_md: float
    centred: CentredProducts | None = None

    def __post_init__(self) -> None:
        _require_pair(self.numerator, self.denominator, "sum_md", self.sum_md, self.centred)

    @classmethod
    def from_values(cls, numerator: Sequence[float], denominator: Sequence[float]) -> RatioMoments:
        """Moments of single units' (m, d); ValueError when the two differ in length."""
        return cls(len(numerator), *_pair_sums(numerator, denominator))

    @property
    def numerator(self) -> Moments:
        """Moments of the numerator alone."""
        return Moments(self.n, self.sum_m, self.sum_mm, self.centred.aa if self.centred else None)

    @property
    def denominator(self) -> Moments:
        """Moments of the denominator alone."""
        return Moments(self.n, self.sum_d, self.sum_dd, self.centred.bb if self.centred else None)

    @property
    def cross(self) -> float:
        """Sum of products of the deviations of m and d from their means."""
        if self.centred:
            return self.centred.ab
        return float(centred_product(self.n, self.sum_m, self.sum_d, self.sum_md))

    @property
    def covariance(self) -> float:
        """Sample covariance of m and d, divisor n - 1; nan below two units."""
        return self.cross / (self.n - 1) if self.n > 1 else math.nan

    def merge(self, other: RatioMoments) -> RatioMoments:
        """Moments of both sets of units together."""
        mine = (self.numerator, self.denominator, self.cross)
        theirs = (other.numerator, other.denominator, other.cross)
        exact = self.centred is not None or other.centred is not None
        return RatioMoments(
            self.n + other.n,
            self.sum_m + other.sum_m,
            self.sum_d + other.sum_d,
            self.sum_mm + other.sum_mm,
            self.sum_dd + other.sum_dd,
            self.sum_md + other.sum_md,
            _merged_products(mine, theirs) if exact else None,
        )


@dataclass(frozen=True, slots=True)
class CovariateMoments:
    """Moments of an outcome y and a covariate x per unit, for variance reduction (CUPED).

    sum_yy, sum_xx: sums of squares; sum_xy: sum of products. centred: optional CentredProducts(yy, xx, xy).
    Raises ValueError naming the field and the rule it breaks.
    """

    n: int
    sum_y: float
    sum_x: float
    sum_yy: float
    sum_xx: float
    sum_xy: float
    centred: CentredProducts | None = None

    def __post_init__(self) -> None:
        _require_pair(self.outcome, self.covariate, "sum_xy", self.sum_xy, self.centred)

    @classmethod
    def from_values(cls, outcome: Sequence[float], covariate: Sequence[float]) -> CovariateMoments:
        """Moments of single units' (y, x); ValueError when the two differ in length."""
        return cls(len(outcome), *_pair_sums(outcome, covariate))

    @property
    def outcome(self) -> Moments:
        """Moments of the outcome alone."""
        return Moments(self.n, self.sum_y, self.sum_yy, self.centred.aa if self.centred else None)

    @property
    def covariate(self) -> Moments:
        """Moments of the covariate alone."""
        return Moments(self.n, self.sum_x, self.sum_xx, self.centred.bb if self.centred else None)

    @property
    def cross(self) -> float:
        """Sum of products of the deviations of y and x from their means."""
        if self.centred:
            return self.centred.ab
        return float(centred_product(self.n, self.sum_y, self.sum_x, self.sum_xy))

    @property
    def covariance(self) -> float:
        """Sample covariance of y and x, divisor n - 1; nan below two units."""
        return self.cross / (self.n - 1) if self.n > 1 else math.nan

    def merge(self, other: CovariateMoments) -> CovariateMoments:
        """Moments of both sets of units together."""
        mine = (self.outcome, self.covariate, self.cross)
        theirs = (other.outcome, other.covariate, other.cross)
        exact = self.centred is not None or other.centred is not None
        return CovariateMoments(
            self.n + other.n,
            self.sum_y + other.sum_y,
            self.sum_x + other.sum_x,
            self.sum_yy + other.sum_yy,
            self.sum_xx + other.sum_xx,
            self.sum_xy + other.sum_xy,
            _merged_products(mine, theirs) if exact else None,
        )


def _require_count(n: object) -> None:
    if isinstance(n, bool) or not isinstance(n, Integral):
        raise ValueError(f"n: must be a whole number, got {n!r}")
    if int(n) < 0:
        raise ValueError(f"n: must not be negative, got {n}")


def _require_finite(field: str, value: float) -> None:
    if not math.isfinite(value):
        raise ValueError(f"{field}: must be finite, got {value}")


def _require_not_negative(field: str, value: float) -> None:
    if value < 0:
        raise ValueError(f"{field}: must not be negative, got {value}")


def _require_square_sum(field: str, n: int, sum_field: str, total: float, squares: float) -> None:
    _require_not_negative(field, squares)
    if n == 0 and (total != 0 or squares != 0):
        raise ValueError(f"{sum_field}: must be 0 when n = 0, got {total} and {field}={squares}")
    least = total * (total / n) if n else 0.0
    if least > squares * (1 + _ROUNDING):
        raise ValueError(f"{field}: must be at least {sum_field}^2 / n = {least}, got {squares}")


def _require_pair(
    a: Moments, b: Moments, field: str, product: float, centred: CentredProducts | None
) -> None:
    _require_finite(field, product)
    limit = math.sqrt(a.sum_of_squares) * math.sqrt(b.sum_of_squares)
    if abs(product) > limit * (1 + _ROUNDING):
        raise ValueError(f"{field}: must not exceed sqrt of the two sums of squares, {limit}, got {product}")
    if a.n == 0 or centred is not None:
        return
    within = product - a.sum * (b.sum / a.n)
    if abs(within) > math.sqrt(a.centred * b.centred) + _ROUNDING * limit:
        raise ValueError(f"{field}: implies a correlation beyond 1 (centred sum {within})")


def _pair_sums(
    a: Sequence[float], b: Sequence[float]
) -> tuple[float, float, float, float, float, CentredProducts]:
    if len(a) != len(b):
        raise ValueError(f"values: both lists must have the same length, got {len(a)} and {len(b)}")
    first, second = Moments.from_values(a), Moments.from_values(b)
    products = math.fsum(float(x) * float(y) for x, y in zip(a, b, strict=True))
    mean_a, mean_b = (first.mean, second.mean) if first.n else (0.0, 0.0)
    centred = _consistent(first.centred, second.centred, _two_pass(a, mean_a, b, mean_b))
    return first.sum, second.sum, first.sum_of_squares, second.sum_of_squares, products, centred


def _two_pass(a: Sequence[float], mean_a: float, b: Sequence[float], mean_b: float) -> float:
    return math.fsum((float(x) - mean_a) * (float(y) - mean_b) for x, y in zip(a, b, strict=True))


def _between(a1: Moments, a2: Moments, b1: Moments, b2: Moments) -> float:
    if a1.n == 0 or a2.n == 0:
        return 0.0
    return a2.minus(a1) * b2.minus(b1) * a1.n * a2.n / (a1.n + a2.n)


def _merged_products(
    mine: tuple[Moments, Moments, float], theirs: tuple[Moments, Moments, float]
) -> CentredProducts:
    a1, b1, cross1 = mine
    a2, b2, cross2 = theirs
    return _consistent(
        a1.centred + a2.centred + _between(a1, a2, a1, a2),
        b1.centred + b2.centred + _between(b1, b2, b1, b2),
        cross1 + cross2 + _between(a1, a2, b1, b2),
    )


def _consistent(aa: float, bb: float, ab: float) -> CentredProducts:
    """The products, with the rounding of `ab` kept within the Cauchy-Schwarz bound."""
    limit = math.sqrt(aa * bb)
    return CentredProducts(aa, bb, min(max(ab, -limit), limit))
