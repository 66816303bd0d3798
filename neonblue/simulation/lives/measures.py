"""What units bring: metrics of a known distribution, drawn unit by unit and summed exactly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from neonblue.analysis.rows import Products
from neonblue.contract.messages import MetricMessage
from neonblue.contract.metric_types import DIVIDED
from neonblue.simulation.lives.units import Drawn, Integers, Sums

_BUYERS = 0.05
_SPREAD = 1.5  # of the logarithm of an order
_NEW = 0.2  # units with nothing before the exposure
_NEW_LEVEL = 0.6  # what they bring, of the others' mean
_MISSING = 0.15
_HUNDREDTHS = 2


class Shape(StrEnum):
    """How a unit's value is distributed, around a mean."""

    RATE = "rate"  # 0 or 1
    COUNT = "count"  # Poisson
    NORMAL = "normal"  # standard deviation: half the mean of an ordinary day
    SPEND = "spend"  # a twentieth buy, orders are lognormal with sigma 1.5
    RATIO = "ratio"  # Poisson over 1 + Poisson(2) occasions: the mean is per occasion
    HABIT = (
        "habit"  # Poisson over a gamma habit, with a count before the exposure; a fifth of the units are new
    )
    LATENCY = "latency"  # lognormal with sigma 0.7, in hundredths: the mean is the median


@dataclass(frozen=True, slots=True)
class Measure:
    """A metric and its truth.

    mean: of control on a day of level 1, in the metric's unit. effects: what arms have more than control, by arm, on
    every day alike, so that the true difference is the same whatever the weights of the days; absent: none.
    """

    message: MetricMessage
    shape: Shape
    mean: float
    effects: Mapping[str, float]

    @property
    def key(self) -> str:
        """The metric's."""
        return self.message.key

    @property
    def places(self) -> int:
        """Decimal places of the values."""
        return _HUNDREDTHS if self.shape in (Shape.NORMAL, Shape.SPEND, Shape.LATENCY) else 0

    def gain(self, arm: str) -> float:
        """The true effect in the metric's own direction: positive is better."""
        effect = self.effects.get(arm, 0.0)
        return effect if self.message.direction == "increase" else -effect

    @property
    def margin(self) -> float | None:
        """The guardrail's margin in the metric's unit, on a day of level 1."""
        if self.message.margin is None:
            return None
        margin = float(self.message.margin)
        return margin * self.mean if self.message.margin_relative else margin

    def draw(self, random: Generator, arm: str, n: int, level: float) -> Drawn:
        """Values of n units that enter on a day of that level."""
        missing = int(random.binomial(n, _MISSING)) if self.message.missing == "exclude" else 0
        drawn = _values(random, self, n - missing, level, self.effects.get(arm, 0.0))
        values = drawn.values
        if self.message.cap is not None:
            values = np.minimum(values, int(Decimal(self.message.cap).scaleb(self.places)))
        return Drawn(values, drawn.second, missing)

    def more(self, random: Generator, arm: str, before: Drawn, level: float) -> Drawn:
        """What the units have after another day of that level: more in a sum, once in whether there is any."""
        drawn = _values(random, self, before.values.size, level, self.effects.get(arm, 0.0))
        if self.message.aggregation == "any":
            return replace(before, values=np.maximum(before.values, drawn.values))
        second = before.second
        if self.message.type in DIVIDED and second is not None and drawn.second is not None:
            second = second + drawn.second
        return replace(before, values=before.values + drawn.values, second=second)

    def known(self, drawn: Drawn, day: int) -> Drawn:
        """What of it has arrived by then. A unit of which nothing has is one that did nothing."""
        if drawn.arrives is None:
            return drawn
        there = drawn.arrives <= day
        if self.message.missing == "exclude":
            found = drawn.at(there)
            return Drawn(found.values, found.second, drawn.size - found.values.size)
        second = drawn.second
        if self.message.type in DIVIDED and second is not None:
            second = np.where(there, second, 0)
        return Drawn(np.where(there, drawn.values, 0), second, drawn.missing)

    def sums(self, drawn: Drawn, cap: float | None = None) -> Sums:
        """Exact sums; cap: in the values' integers."""
        values = drawn.values if cap is None else np.minimum(drawn.values, np.int64(cap))
        unit = Decimal(1).scaleb(-self.places)
        second = None
        if drawn.second is not None:
            second = Products(
                Decimal(int(drawn.second.sum())),
                Decimal(int((drawn.second**2).sum())),
                Decimal(int((drawn.second * values).sum())) * unit,
            )
        total, squares = Decimal(int(values.sum())) * unit, Decimal(int((values**2).sum())) * unit**2
        return Sums(values.size, total, squares, second, drawn.missing)


def _values(random: Generator, measure: Measure, n: int, level: float, effect: float) -> Drawn:
    mean = measure.mean * level + effect
    match measure.shape:
        case Shape.RATE:
            return Drawn((random.random(n) < mean).astype(np.int64))
        case Shape.COUNT:
            return Drawn(random.poisson(mean, n))
        case Shape.NORMAL:
            return Drawn(_hundredths(random.normal(mean, measure.mean / 2, n)))
        case Shape.SPEND:
            order = measure.mean / _BUYERS
            values = order * np.exp(_SPREAD * random.standard_normal(n) - _SPREAD**2 / 2)
            return Drawn(_hundredths(values * (random.random(n) < _BUYERS * mean / measure.mean)))
        case Shape.RATIO:
            occasions = 1 + random.poisson(2.0, n)
            return Drawn(random.poisson(mean * occasions), occasions)
        case Shape.HABIT:
            return _habits(random, measure.mean * level, effect, n)
        case Shape.LATENCY:
            return Drawn(_hundredths(measure.mean * level * np.exp(0.7 * random.standard_normal(n)) + effect))


def _habits(random: Generator, mean: float, effect: float, n: int) -> Drawn:
    new = random.random(n) < _NEW
    habit = np.where(new, _NEW_LEVEL, random.gamma(2.0, 0.5, n))
    before = np.where(new, 0, random.poisson(5 * habit))
    return Drawn(random.poisson(mean * habit + effect), before)


def _hundredths(values: NDArray[np.float64]) -> Integers:
    hundredths: Integers = np.rint(values * 10**_HUNDREDTHS).astype(np.int64)
    return hundredths
