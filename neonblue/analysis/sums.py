"""Exact sums of rows, and the moments of an arm that follow from them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal, localcontext

from neonblue.analysis.rows import MomentRow, Products
from neonblue.statistics import CentredProducts, CovariateMoments, Moments, RatioMoments

# Sums of squares have up to 76 digits; a product of two sums twice as many. Nothing may be rounded before the centring.
_EXACT = Context(prec=200)
_NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class _Pair:
    """Exact sums over the units of one arm of a value and a second one."""

    n: int
    first: Decimal
    first_squares: Decimal
    second: Decimal
    second_squares: Decimal
    products: Decimal

    def centred(self) -> CentredProducts:
        return CentredProducts(
            _centred(self.n, self.first, self.first, self.first_squares),
            _centred(self.n, self.second, self.second, self.second_squares),
            _centred(self.n, self.first, self.second, self.products),
        )


def moments_of(rows: Sequence[MomentRow]) -> Moments:
    """The moments of the value over all rows."""
    with localcontext(_EXACT):
        n, total, squares = _value(rows)
        return Moments(n, float(total), float(squares), _centred(n, total, total, squares))


def ratio_of(rows: Sequence[MomentRow]) -> RatioMoments:
    """The moments of value and denominator. A row without a denominator counts 0 for each of its units."""
    with localcontext(_EXACT):
        pair = _pair(rows, [row.denominator for row in rows])
        return RatioMoments(
            pair.n,
            float(pair.first),
            float(pair.second),
            float(pair.first_squares),
            float(pair.second_squares),
            float(pair.products),
            pair.centred(),
        )


def covariate_of(rows: Sequence[MomentRow]) -> CovariateMoments:
    """The moments of value and covariate."""
    with localcontext(_EXACT):
        pair = _pair(rows, [row.covariate for row in rows])
        return CovariateMoments(
            pair.n,
            float(pair.first),
            float(pair.second),
            float(pair.first_squares),
            float(pair.second_squares),
            float(pair.products),
            pair.centred(),
        )


def all_alike(rows: Sequence[MomentRow]) -> Decimal | None:
    """The value that every unit of all rows has; None where two differ, or there is no unit with a value."""
    with localcontext(_EXACT):
        n, total, squares = _value(rows)
        return total / n if n and n * squares == total * total else None


def _value(rows: Iterable[MomentRow]) -> tuple[int, Decimal, Decimal]:
    n, total, squares = 0, _NOTHING, _NOTHING
    for row in rows:
        n, total, squares = n + row.n, total + row.sum_value, squares + row.sum_squares
    return n, total, squares


def _pair(rows: Sequence[MomentRow], seconds: Sequence[Products | None]) -> _Pair:
    n, first, first_squares = _value(rows)
    given = [second for second in seconds if second is not None]
    return _Pair(
        n,
        first,
        first_squares,
        sum((second.sum for second in given), _NOTHING),
        sum((second.squares for second in given), _NOTHING),
        sum((second.products for second in given), _NOTHING),
    )


def _centred(n: int, a: Decimal, b: Decimal, products: Decimal) -> float:
    """Sum of products of deviations, from exact sums: nothing is lost where the mean is large."""
    return float(products - a * b / n) if n else 0.0
