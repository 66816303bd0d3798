"""How long the default analysis takes from aggregates: 10,000 comparisons on one core."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np

from neonblue.statistics.arrays import (
    ComparisonArrays,
    compare_cuped_arrays,
    compare_mean_arrays,
    compare_proportion_arrays,
    compare_ratio_arrays,
)
from neonblue.statistics.multiplicity import Procedure, judge

COMPARISONS = 10_000
_RUNS = 7


def measure(comparisons: int = COMPARISONS) -> dict[str, float]:
    """Seconds that the default analysis of `comparisons` metric x arm x segment cells takes, by part and in total.

    The cells are a quarter each of means, means with a covariate, proportions (a third of them with few
    outcomes, hence the score test) and ratios; then Holm over a primary family per segment and Benjamini-
    Hochberg over all others. Each figure is the median of several runs on data that are new every time.
    """
    parts: dict[str, list[float]] = {}
    for seed in range(_RUNS):
        rng = np.random.default_rng(seed)
        for name, seconds in _once(rng, comparisons // 4).items():
            parts.setdefault(name, []).append(seconds)
    return {name: statistics.median(values) for name, values in parts.items()}


def _once(rng: np.random.Generator, cells: int) -> dict[str, float]:
    n = rng.integers(500, 100_000, (2, cells)).astype(float)
    mean, spread = rng.uniform(1, 50, (2, cells)), rng.uniform(1, 80, (2, cells))
    total, squares = n * mean, n * (mean**2 + spread**2)
    # Rates from one in ten thousand up: about a third of the arms have fewer than 20 successes.
    successes = rng.binomial(n.astype(int), 10 ** rng.uniform(-4, -0.3, (2, cells))).astype(float)
    # The second value of a pair: twice the mean, twice the spread, correlation 0.6.
    cross = 1.2 * n * spread**2 + 2 * n * mean**2
    pairs = np.stack([n, total, 2 * total, squares, 4 * squares, cross], axis=1)
    tasks: dict[str, Callable[[], ComparisonArrays]] = {
        "means": lambda: compare_mean_arrays(n[0], total[0], squares[0], n[1], total[1], squares[1]),
        "CUPED": lambda: compare_cuped_arrays(pairs[0], pairs[1]),
        "proportions": lambda: compare_proportion_arrays(n[0], successes[0], n[1], successes[1]),
        "ratios": lambda: compare_ratio_arrays(pairs[0], pairs[1]),
    }
    seconds, p_values = {}, []
    for name, task in tasks.items():
        start = time.perf_counter()
        p_values.append(task().inference.p_value)
        seconds[name] = time.perf_counter() - start
    start = time.perf_counter()
    judge(np.concatenate(p_values[1:]).tolist(), Procedure.BENJAMINI_HOCHBERG)
    for family in p_values[0].reshape(-1, 5):
        judge(family.tolist(), Procedure.HOLM)
    seconds["multiplicity"] = time.perf_counter() - start
    return seconds | {"total": sum(seconds.values())}
