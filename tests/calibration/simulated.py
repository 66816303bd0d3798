"""Error rates and coverage by seeded simulation of fixed-horizon experiments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import stats

from neonblue.statistics.methods.many import (
    ComparisonArrays,
    compare_cuped_arrays,
    compare_mean_arrays,
    compare_ratio_arrays,
)
from neonblue.statistics.methods.multiplicity import Procedure, judge
from neonblue.statistics.methods.quantiles import QuantileSummary, quantile_test
from neonblue.statistics.result import Estimate
from tests.calibration.exact import FloatArray

_VALUES = 4_000_000  # simulated values held at once


@dataclass(frozen=True)
class Tails:
    """How often an interval misses the truth from below (upper tail) and from above."""

    upper: float
    lower: float

    @property
    def coverage(self) -> float:
        """Share of intervals that hold the truth."""
        return 1 - self.upper - self.lower


def false_discoveries(
    sims: int, seed: int, metrics: int = 50, true: int = 10, z: float = 3.0
) -> tuple[float, float]:
    """False discovery rate under Benjamini-Hochberg and family-wise error under Holm."""
    effects = np.where(np.arange(metrics) < true, z, 0.0)
    p_values = 2 * stats.norm.sf(np.abs(np.random.default_rng(seed).normal(effects, 1.0, (sims, metrics))))
    discovery, family = np.zeros(sims), np.zeros(sims)
    for sim, row in enumerate(p_values.tolist()):
        found = np.array(judge(row, Procedure.BENJAMINI_HOCHBERG, 0.05).rejected)
        discovery[sim] = found[true:].sum() / max(found.sum(), 1)
        family[sim] = any(judge(row, Procedure.HOLM, 0.05).rejected[true:])
    return float(discovery.mean()), float(family.mean())


def ratio_metric(sims: int, seed: int, n: int = 1000) -> tuple[float, float]:
    """A/A error of a ratio metric by the delta method, and of taking its events for units.

    Units have 1 + Poisson(5) events, each a success with the unit's own rate from Beta(2, 18).
    """
    rng = np.random.default_rng(seed)
    arms = []
    for _ in range(2):
        events = 1 + rng.poisson(5, (sims, n))
        successes = rng.binomial(events, rng.beta(2, 18, (sims, n)))
        m, d = successes.astype(float), events.astype(float)
        arms.append(
            np.stack([np.full(sims, float(n)), *(v.sum(axis=1) for v in (m, d, m * m, d * d, m * d))])
        )
    delta = compare_ratio_arrays(*arms).absolute.p_value < 0.05
    rates = [arm[1] / arm[2] for arm in arms]
    pooled = (arms[0][1] + arms[1][1]) / (arms[0][2] + arms[1][2])
    naive = (
        np.abs(rates[1] - rates[0]) / np.sqrt(pooled * (1 - pooled) * (1 / arms[0][2] + 1 / arms[1][2]))
        > 1.96
    )
    return float(delta.mean()), float(naive.mean())


def cuped(sims: int, seed: int, n: int = 300, effect: float = 0.2) -> tuple[float, float]:
    """Coverage of the adjusted absolute difference and the mean variance reduction.

    The covariate x is Gamma(2), the outcome 0.8 x + 0.6 e with e standard normal, plus the effect.
    """
    rng = np.random.default_rng(seed)
    arms, plain = [], np.zeros(sims)
    for shift in (0.0, effect):
        x = rng.gamma(2.0, size=(sims, n))
        y = shift + 0.8 * x + 0.6 * rng.normal(size=(sims, n))
        plain += y.var(axis=1, ddof=1) / n
        arms.append(
            np.stack([np.full(sims, float(n)), *(v.sum(axis=1) for v in (y, x, y * y, x * x, x * y))])
        )
    inference = compare_cuped_arrays(*arms).absolute
    covered = (inference.lower <= effect) & (effect <= inference.upper)
    return float(covered.mean()), float((1 - inference.se**2 / plain).mean())


def welch(sims: int, seed: int, n: tuple[int, int], *, skewed: bool) -> Tails:
    """Misses of Welch's interval for normal values of unequal variance, or exponential ones."""

    def misses(rng: np.random.Generator, count: int) -> FloatArray:
        values = [
            rng.exponential(1.0, (count, k)) if skewed else rng.normal(0, 1 + i, (count, k))
            for i, k in enumerate(n)
        ]
        rows = _compare(values[0], values[1])
        return _misses(rows.absolute.lower, rows.absolute.upper, 0.0)

    return _in_blocks(misses, sims, seed, sum(n))


def fieller_lift(sims: int, seed: int, n: tuple[int, int], lift: float = 0.2) -> Tails:
    """Misses of Fieller's lift interval for normal values with a coefficient of variation of 2."""

    def misses(rng: np.random.Generator, count: int) -> FloatArray:
        rows = _compare(rng.normal(1.0, 2.0, (count, n[0])), rng.normal(1.0 + lift, 2.0, (count, n[1])))
        return _misses(rows.lift_lower, rows.lift_upper, lift)

    return _in_blocks(misses, sims, seed, sum(n))


def median_difference(sims: int, seed: int, n: int = 500) -> Tails:
    """Misses of the interval of the difference of medians for lognormal values."""
    rng = np.random.default_rng(seed)
    limits = []
    for _ in range(sims):
        control, treatment = (QuantileSummary.from_values(rng.lognormal(0, 1, n), 0.5) for _ in range(2))
        test = quantile_test(control, treatment)
        assert isinstance(test, Estimate)
        limits.append((test.interval.lower, test.interval.upper))
    lower, upper = np.array(limits).T
    above, below = _misses(lower, upper, 0.0) / sims
    return Tails(float(above), float(below))


def same_units_split_again(runs: int, seed: int, units: int = 4000) -> FloatArray:
    """p-values of A/A comparisons: one population of skewed values, split anew at random each time."""
    rng = np.random.default_rng(seed)
    values = np.where(rng.random(units) < 0.3, rng.gamma(1.5, 20.0, units), 0.0)
    order = rng.permuted(np.broadcast_to(np.arange(units), (runs, units)), axis=1)
    split = values[order]
    return _compare(split[:, : units // 2], split[:, units // 2 :]).absolute.p_value


def uniformity(p_values: FloatArray) -> tuple[float, float]:
    """p-value of the Kolmogorov-Smirnov test against the uniform, and the share of p-values below 0.05."""
    return float(stats.kstest(p_values, "uniform").pvalue), float((p_values < 0.05).mean())


def _compare(control: FloatArray, treatment: FloatArray) -> ComparisonArrays:
    sums = [(v.shape[1], v.sum(axis=1), (v * v).sum(axis=1)) for v in (control, treatment)]
    return compare_mean_arrays(*sums[0], *sums[1])


def _misses(lower: FloatArray, upper: FloatArray, truth: float) -> FloatArray:
    """How many intervals lie above the truth, and how many below."""
    return np.array([(lower > truth).sum(), (upper < truth).sum()], dtype=float)


def _in_blocks(
    misses: Callable[[np.random.Generator, int], FloatArray], sims: int, seed: int, units: int
) -> Tails:
    """The simulations in blocks that fit in memory."""
    rng, block, found = np.random.default_rng(seed), max(1, _VALUES // units), np.zeros(2)
    for start in range(0, sims, block):
        found += misses(rng, min(block, sims - start))
    upper, lower = found / sims
    return Tails(float(upper), float(lower))
