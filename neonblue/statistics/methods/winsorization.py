"""Winsorization: values beyond a percentile set to it, with the cap computed once over all arms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neonblue.statistics.moments import Moments

FloatArray = NDArray[np.float64]


class QuantileRule(StrEnum):
    """How a sample quantile is read: between order statistics (Hyndman and Fan's type 7) or as one of them
    (type 1).

    ClickHouse's `quantileExact` gives an element of the sample, as INVERTED_CDF does.
    """

    LINEAR = "linear"
    INVERTED_CDF = "inverted_cdf"


@dataclass(frozen=True, slots=True)
class Caps:
    """The values that replace anything beyond them, in the metric's unit; None for an open side."""

    lower: float | None
    upper: float | None


@dataclass(frozen=True, slots=True)
class Winsorized:
    """An arm's moments after capping, and how many of its units were capped on each side."""

    moments: Moments
    capped_low: int
    capped_high: int


def pooled_caps(
    arms: Sequence[ArrayLike],
    percentile: float = 0.999,
    two_sided: bool = False,
    ignore_zeros: bool = False,
    rule: QuantileRule = QuantileRule.LINEAR,
) -> Caps:
    """Caps at a percentile of all arms' values together, so that every arm meets the same cap.

    arms: the values per unit of each arm; percentile: in (0.5, 1], the upper cap's; two_sided: also a lower
    cap at 1 - percentile; ignore_zeros: take the percentile of the values that are not 0. Without a value
    to take it of, both sides stay open. Raises ValueError for a percentile outside (0.5, 1]. A cap of each
    arm's own would turn a difference in the tail into a bias.
    """
    if not 0.5 < percentile <= 1:
        raise ValueError(f"percentile: must lie in (0.5, 1], got {percentile}")
    pooled = np.concatenate([np.asarray(arm, dtype=float) for arm in arms]) if arms else np.empty(0)
    values = pooled[pooled != 0] if ignore_zeros else pooled
    if values.size == 0:
        return Caps(None, None)
    upper = float(np.quantile(values, percentile, method=rule.value))
    lower = float(np.quantile(values, 1 - percentile, method=rule.value)) if two_sided else None
    return Caps(lower, upper)


def winsorized(values: ArrayLike, caps: Caps) -> FloatArray:
    """The values, in their unit and shape, with everything beyond the caps set to them."""
    low = -np.inf if caps.lower is None else caps.lower
    high = np.inf if caps.upper is None else caps.upper
    return np.asarray(np.clip(np.asarray(values, dtype=float), low, high))


def winsorize(values: ArrayLike, caps: Caps) -> Winsorized:
    """The moments of an arm's values after capping, and how many were capped."""
    given = np.asarray(values, dtype=float)
    capped = winsorized(given, caps)
    moments = Moments.from_values(capped.tolist())
    return Winsorized(moments, int((capped > given).sum()), int((capped < given).sum()))
