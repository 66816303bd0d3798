"""Continuous A/A: real history divided at random, again and again. Pure, seeded.

Between two arms drawn at random there is no difference, so a test at 5 % may say otherwise in 5 % of the drawings. A
metric whose variance is wrongly estimated says it more often, or less. Units are drawn, whatever rows a metric has of
them: where rows of one unit are tested as if they were units, the rate shows it. Imported where it is used.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from neonblue.statistics import Estimate, MetricKind, QuantileSummary, compare_quantiles
from neonblue.statistics.methods.many import (
    compare_cuped_arrays,
    compare_mean_arrays,
    compare_proportion_arrays,
    compare_ratio_arrays,
)

FloatArray = NDArray[np.float64]
_Tests = Callable[[NDArray[np.int8]], FloatArray]

ALPHA = 0.05
TOLERANCE = 0.01
"""Whole numbers give no rate of exactly 5 %: with 25 outcomes or more it lies between 4 and 6 % or close to that."""
LEVEL = 0.999
FEWEST_UNITS = 100
FEWEST_OUTCOMES = 25
_BATCH_CELLS = 4_000_000


@dataclass(frozen=True, slots=True)
class History:
    """One value per row of a metric, as its test will see them.

    values: the metric's value, or a ratio's numerator; denominators: of a ratio, else None; covariates: of a mean that
    is adjusted for one, else None; level: of a quantile. clusters: the unit that is drawn into an arm, by row (whole
    numbers from 0); None: each row is a unit.
    """

    kind: MetricKind
    values: FloatArray
    denominators: FloatArray | None = None
    covariates: FloatArray | None = None
    level: float = 0.5
    clusters: NDArray[np.int64] | None = None

    @property
    def drawn(self) -> int:
        """How many are drawn into arms."""
        if self.clusters is None:
            return int(self.values.size)
        return int(self.clusters.max()) + 1 if self.clusters.size else 0

    @property
    def outcomes(self) -> int:
        """Rows that differ from what most rows are: of a rare event, how often it was."""
        if not self.values.size:
            return 0
        rows = self.values if self.denominators is None else self.values + 1j * self.denominators
        _, counts = np.unique(rows, return_counts=True)
        return int(rows.size - counts.max())


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
        """Whether the bounds reach 5 %, give or take the tolerance."""
        return self.lower <= ALPHA + TOLERANCE and self.upper >= ALPHA - TOLERANCE


def false_positive_rate(history: History, repetitions: int = 1000, seed: int = 0) -> Rate | str:
    """The rate of p < 0.05 over repeated drawings of two arms of even odds; why there is none, where there is none.

    The same history, repetitions and seed give the same rate.
    """
    if history.drawn < FEWEST_UNITS:
        return f"{history.drawn} units; at least {FEWEST_UNITS} are needed"
    outcomes = history.outcomes
    if outcomes == 0:
        return "every unit has the same value"
    if outcomes < FEWEST_OUTCOMES:
        return f"only {outcomes} units differ from the others; at least {FEWEST_OUTCOMES} are needed"
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
    batch = max(1, min(repetitions, _BATCH_CELLS // max(history.drawn, 1)))
    tested = _quantile_tests(history) if history.kind is MetricKind.QUANTILE else _moment_tests(history)
    found = []
    for start in range(0, repetitions, batch):
        rows = min(batch, repetitions - start)
        found.append(tested(random.integers(0, 2, size=(rows, history.drawn), dtype=np.int8)))
    return np.concatenate(found)


def _moment_tests(history: History) -> _Tests:
    """The p-values of drawings, from each arm's sums."""
    sums = _columns(history)
    totals = sums.sum(axis=0)

    def tested(drawn: NDArray[np.int8]) -> FloatArray:
        treatment = drawn.astype(np.float64) @ sums
        return _test(history, (totals - treatment).T, treatment.T)

    return tested


def _quantile_tests(history: History) -> _Tests:
    """The p-values of drawings, from each arm's order statistics; nan where a quantile has no bounds."""
    order = np.argsort(history.values, kind="stable")
    values = history.values[order]
    units = order if history.clusters is None else history.clusters[order]

    def one(drawn: NDArray[np.int8]) -> float:
        treated = drawn[units].astype(bool)
        arms = [QuantileSummary.from_values(values[side], history.level) for side in (~treated, treated)]
        test = compare_quantiles(arms[0], arms[1], ALPHA).absolute
        return test.p_value if isinstance(test, Estimate) else np.nan

    return lambda drawn: np.array([one(row) for row in drawn])


def _columns(history: History) -> FloatArray:
    """What the test needs of each unit: rows, values, squares and so on, summed over its rows."""
    y = history.values
    second = history.covariates if history.denominators is None else history.denominators
    columns = [np.ones_like(y), y, y * y]
    if second is not None:
        columns = [np.ones_like(y), y, second, y * y, second * second, y * second]
    if history.clusters is None:
        return np.stack(columns, axis=1)
    return np.stack([np.bincount(history.clusters, column, history.drawn) for column in columns], axis=1)


def _test(history: History, c: FloatArray, t: FloatArray) -> FloatArray:
    if history.kind is MetricKind.RATIO:
        return np.asarray(compare_ratio_arrays(c, t).absolute.p_value)
    if history.kind is MetricKind.PROPORTION:
        return np.asarray(compare_proportion_arrays(c[0], c[1], t[0], t[1]).absolute.p_value)
    if history.kind is not MetricKind.MEAN:
        raise ValueError(f"kind: no test of drawings is known for a {history.kind} metric")
    if history.covariates is not None:
        return np.asarray(compare_cuped_arrays(c, t).absolute.p_value)
    return np.asarray(compare_mean_arrays(c[0], c[1], c[2], t[0], t[1], t[2]).absolute.p_value)
