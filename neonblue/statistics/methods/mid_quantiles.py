"""Quantiles among equal values, by the mid-distribution function: each value counts half of its own units as below it.

Order statistics among ties coincide or jump by a whole step, and say little of the quantile's error. The
mid-distribution function F(v) - p(v)/2, interpolated between the values, has a quantile with a normal limit for
discrete data too. Source: Ma, Genton and Parzen (2011), "Asymptotic properties of sample quantiles of discrete
distributions"; bounds as Woodruff (1952).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Counts = NDArray[np.int64]


class Bounded(NamedTuple):
    """A quantile and its bounds, in the values' unit. They coincide where a bound lies beyond the data's ends."""

    value: float
    lower: float
    upper: float


class OutsideError(ValueError):
    """The values given do not reach as far as the quantile or a bound."""


@dataclass(frozen=True, slots=True)
class MidDistribution:
    """Values, ascending, with how many units have each (> 0); below: units under the first; n: all, > 1."""

    values: FloatArray
    counts: Counts
    n: int
    below: int = 0

    def bounded(self, level: float, z: float) -> Bounded:
        """The quantile at `level` with bounds z standard errors of the mid-distribution function either side.

        Raises OutsideError where values that were not given would be needed.
        """
        ranks = self.below + np.cumsum(self.counts) - self.counts / 2
        place, weight = self._place(ranks, level * self.n)
        value = self._between(place, weight)
        half = z * math.sqrt(self._variance(level, place, weight) / (self.n - 1))
        ends = (level - half) * self.n, (level + half) * self.n
        low, high = (self._place(ranks, end) for end in ends)
        if ends[0] < ranks[0] or ends[1] > ranks[-1]:
            return Bounded(value, value, value)
        return Bounded(value, min(self._between(*low), value), max(self._between(*high), value))

    def _place(self, ranks: FloatArray, rank: float) -> tuple[int, float]:
        """The value at or below the rank, and how far the rank lies from there to the next one, in [0, 1).

        ranks: the mid-distribution function at the values, times n.
        """
        place = int(np.searchsorted(ranks, rank, side="right")) - 1
        if place < 0:
            if self.below:
                raise OutsideError("below")
            return 0, 0.0
        if place == len(ranks) - 1:
            if self.below + int(self.counts.sum()) < self.n:
                raise OutsideError("above")
            return place, 0.0
        return place, float((rank - ranks[place]) / (ranks[place + 1] - ranks[place]))

    def _between(self, place: int, weight: float) -> float:
        low = self.values[place]
        return float(low) if weight == 0 else float(low + weight * (self.values[place + 1] - low))

    def _variance(self, level: float, place: int, weight: float) -> float:
        """Of one unit's share in the interpolated function at its quantile.

        A unit counts 1 below, (1 + w)/2 at the value below the quantile, w/2 at the next one, and 0 above.
        """
        own = self.counts[place] * (1 - weight**2)
        if weight:
            own += self.counts[place + 1] * weight * (2 - weight)
        return max(level * (1 - level) - float(own) / (4 * self.n), 0.0)
