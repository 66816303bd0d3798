"""Continuous A/A: real history divided at random, again and again. Pure, seeded.

Between two arms drawn at random there is no difference, so a test at 5 % may say otherwise in 5 % of the drawings. A
metric whose variance is wrongly estimated says it more often, or less. Imported where it is used.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from neonblue.statistics import MetricKind
from neonblue.statistics.arrays import (
    compare_mean_arrays,
    compare_proportion_arrays,
    compare_ratio_arrays,
)

FloatArray = NDArray[np.float64]

ALPHA = 0.05
LEVEL = 0.999
FEWEST_UNITS = 100
_BATCH_CELLS = 4_000_000


@dataclass(frozen=True, slots=True)
class History:
    """One value per row of a metric, as its test will see them.

    values: the metric's value, or a ratio's numerator; denominators: of a ratio, else None. clusters: what is drawn
    into an arm, by row (whole numbers from 0), where that is more than the row itself; None: each row is drawn alone.
    """

    kind: MetricKind
    values: FloatArray
    denominators: FloatArray | None = None
    clusters: NDArray[np.int64] | None = None

    @property
    def drawn(self) -> int:
        """How many are drawn into arms."""
        if self.clusters is None:
            return int(self.values.size)
        return int(self.clusters.max()) + 1 if self.clusters.size else 0


@dataclass(frozen=True, slots=True)
class Rate:
    """How often p < 0.05. lower, upper: exact binomial (Clopper-Pearson) bounds at `level`."""

    value: float
    lower: float
    upper: float
    level: float
    repetitions: int

    @property
    def calibrated(self) -> bool:
        """Whether 5 % lies within the bounds."""
        return self.lower <= ALPHA <= self.upper


def false_positive_rate(history: History, repetitions: int = 1000, seed: int = 0) -> Rate | str:
    """The rate of p < 0.05 over repeated drawings of two arms of even odds; why there is none, where there is none.

    The same history, repetitions and seed give the same rate.
    """
    if history.drawn < FEWEST_UNITS:
        return f"{history.drawn} units; at least {FEWEST_UNITS} are needed"
    if not np.ptp(history.values) and (history.denominators is None or not np.ptp(history.denominators)):
        return "every unit has the same value"
    p_values = _p_values(history, repetitions, np.random.default_rng(seed))
    tested = p_values[~np.isnan(p_values)]
    if tested.size < repetitions:
        return f"only {tested.size} of {repetitions} drawings gave a test"
    return rate_of(int((tested < ALPHA).sum()), int(tested.size))


def rate_of(positives: int, repetitions: int, level: float = LEVEL) -> Rate:
    """The rate with its exact bounds."""
    bounds = stats.binomtest(positives, repetitions).proportion_ci(level, method="exact")
    return Rate(positives / repetitions, float(bounds.low), float(bounds.high), level, repetitions)


def _p_values(history: History, repetitions: int, random: np.random.Generator) -> FloatArray:
    sums = _columns(history)
    totals = sums.sum(axis=0)
    batch = max(1, min(repetitions, _BATCH_CELLS // max(history.drawn, 1)))
    found = []
    for start in range(0, repetitions, batch):
        rows = min(batch, repetitions - start)
        drawn = random.integers(0, 2, size=(rows, history.drawn), dtype=np.int8).astype(np.float64)
        treatment = drawn @ sums
        found.append(_test(history.kind, totals - treatment, treatment))
    return np.concatenate(found)


def _columns(history: History) -> FloatArray:
    """What the test needs of each that is drawn: rows, values, squares and so on, summed over its rows."""
    y, d = history.values, history.denominators
    columns = [np.ones_like(y), y, y * y] if d is None else [np.ones_like(y), y, d, y * y, d * d, y * d]
    if history.clusters is None:
        return np.stack(columns, axis=1)
    return np.stack([np.bincount(history.clusters, column, history.drawn) for column in columns], axis=1)


def _test(kind: MetricKind, control: FloatArray, treatment: FloatArray) -> FloatArray:
    c, t = control.T, treatment.T
    if kind is MetricKind.RATIO:
        return np.asarray(compare_ratio_arrays(c, t).inference.p_value)
    if kind is MetricKind.PROPORTION:
        return np.asarray(compare_proportion_arrays(c[0], c[1], t[0], t[1]).inference.p_value)
    return np.asarray(compare_mean_arrays(c[0], c[1], c[2], t[0], t[1], t[2]).inference.p_value)
