"""Values of single units and their exact sums."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from neonblue.analysis.rows import Products

Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Drawn:
    """Values of single units as integers, `places` decimal places, and a second value of each.

    missing: units without a value. arrives: the day on which each value is known; None: at once.
    """

    values: Integers
    second: Integers | None = None
    missing: int = 0
    arrives: Integers | None = None

    @property
    def size(self) -> int:
        """Units, with and without a value."""
        return self.values.size + self.missing

    def has_arrivals(self, day: int) -> bool:
        """Whether a value comes to be known on that day."""
        return self.arrives is not None and bool((self.arrives == day).any())

    def with_more(self, more: Drawn) -> Drawn:
        """Both one after the other."""
        return Drawn(
            np.concatenate([self.values, more.values]),
            _both(self.second, more.second),
            self.missing + more.missing,
            _both(self.arrives, more.arrives),
        )

    def without(self, places: list[int]) -> Drawn:
        """Without the units at these places; those without a value stand behind all others."""
        gone = [place for place in places if place < self.values.size]
        return replace(
            self.at(np.delete(np.arange(self.values.size), gone)),
            missing=self.missing - len(places) + len(gone),
        )

    def at(self, places: NDArray[np.intp] | NDArray[np.bool_]) -> Drawn:
        """Only these units, and those without a value."""
        return Drawn(
            self.values[places],
            None if self.second is None else self.second[places],
            self.missing,
            None if self.arrives is None else self.arrives[places],
        )


@dataclass(frozen=True, slots=True)
class Sums:
    """The sums of a row of `metric_moments`."""

    n: int
    total: Decimal
    squares: Decimal
    second: Products | None
    missing: int

    def plus(self, more: Sums) -> Sums:
        """Of both."""
        second = self.second
        if second is not None and more.second is not None:
            second = second.plus(more.second)
        return Sums(
            self.n + more.n,
            self.total + more.total,
            self.squares + more.squares,
            second,
            self.missing + more.missing,
        )


def _both(one: Integers | None, other: Integers | None) -> Integers | None:
    return None if one is None or other is None else np.concatenate([one, other])
