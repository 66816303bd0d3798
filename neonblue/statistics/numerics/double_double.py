"""Sums of products about the mean, and differences of means, without losing more than the sums already lost."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

_SPLIT = 134217729.0  # 2**27 + 1: Veltkamp's constant for doubles
_RESOLUTION = 8 * np.finfo(float).eps

FloatArray = NDArray[np.float64]
Number = TypeVar("Number", float, FloatArray)


def floats(*values: ArrayLike) -> tuple[FloatArray, ...]:
    """Arrays of float64; of a single value NumPy's scalar, which is computed with in a fraction of an array's time."""
    return tuple(np.asarray(value, dtype=float)[()] for value in values)


def broadcast(*values: ArrayLike) -> tuple[FloatArray, ...]:
    """As `floats`, of one shape."""
    found = floats(*values)
    return found if all(value.ndim == 0 for value in found) else np.broadcast_arrays(*found)


def centred_product(n: ArrayLike, sum_a: ArrayLike, sum_b: ArrayLike, sum_ab: ArrayLike) -> FloatArray:
    """sum((a - mean_a)(b - mean_b)) = sum_ab - sum_a sum_b / n, the product in twice the precision.

    Arrays broadcast. 0 where n is 0, and where the result is below the rounding of the sums themselves
    (8 epsilon of the larger term): there the sums can't tell it from 0; nan where a product is no finite number.
    Unit: that of a times that of b. Source: Dekker (1971), error-free product.
    """
    n, sum_a, sum_b, sum_ab = floats(n, sum_a, sum_b, sum_ab)
    count = np.where(n > 0, n, 1.0)
    product, error = _two_product(sum_a, sum_b)
    quotient = product / count
    back, back_error = _two_product(quotient, count)
    remainder = ((product - back) - back_error + error) / count
    centred = (sum_ab - quotient) - remainder
    noise = _RESOLUTION * np.maximum(np.abs(sum_ab), np.abs(quotient))
    return np.where((n > 0) & ~(np.abs(centred) <= noise), centred, 0.0)


def quotient_difference(a_2: ArrayLike, b_2: ArrayLike, a_1: ArrayLike, b_1: ArrayLike) -> FloatArray:
    """a_2 / b_2 - a_1 / b_1 with each quotient in twice the precision, so that a small difference keeps its digits.

    Arrays broadcast; nan where a denominator is 0. Source: Dekker (1971).
    """
    a_2, b_2, a_1, b_1 = (np.asarray(value, dtype=float) for value in (a_2, b_2, a_1, b_1))
    divisors = (np.where(b == 0, np.nan, b) for b in (b_2, b_1))
    return np.asarray(_difference(a_2, next(divisors), a_1, next(divisors)))


def single_difference(a_2: float, b_2: float, a_1: float, b_1: float) -> float:
    """The same of one pair of quotients, to the last digit. ZeroDivisionError where a denominator is 0."""
    return _difference(float(a_2), float(b_2), float(a_1), float(b_1))


def _difference(a_2: Number, b_2: Number, a_1: Number, b_1: Number) -> Number:
    (high_2, low_2), (high_1, low_1) = _quotient(a_2, b_2), _quotient(a_1, b_1)
    return (high_2 - high_1) + (low_2 - low_1)


def residual_sum(
    aa: ArrayLike, bb: ArrayLike, ab: ArrayLike, slope: ArrayLike, scale_a: ArrayLike, scale_b: ArrayLike
) -> FloatArray:
    """sum of squares of the deviations of a - slope b, aa - 2 slope ab + slope^2 bb, never below 0.

    aa, bb, ab: centred sums; scale_a, scale_b: the sums of squares they were computed from, whose rounding
    decides what is 0. Arrays broadcast. Unit: that of a squared.
    """
    aa, bb, ab, slope, scale_a, scale_b = floats(aa, bb, ab, slope, scale_a, scale_b)
    residual = (aa - slope * ab) + slope * (slope * bb - ab)
    noise = _RESOLUTION * (scale_a + slope**2 * scale_b)
    return np.where(residual <= noise, 0.0, residual)


def _quotient(a: Number, divisor: Number) -> tuple[Number, Number]:
    """a / divisor as the rounded quotient and what rounding left of it."""
    quotient = a / divisor
    back, back_error = _two_product(quotient, divisor)
    return quotient, ((a - back) - back_error) / divisor


def _two_product(a: Number, b: Number) -> tuple[Number, Number]:
    """a * b as the rounded product and its exact error."""
    product = a * b
    a_high, a_low = _split(a)
    b_high, b_low = _split(b)
    error = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low
    return product, error


def _split(a: Number) -> tuple[Number, Number]:
    scaled = _SPLIT * a
    high = scaled - (scaled - a)
    return high, a - high
