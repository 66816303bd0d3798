"""How long the default analysis takes from aggregates, on one core: 10,000 comparisons, versions and looks."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np

from neonblue.statistics.methods.by_kind import MetricKind, Pair
from neonblue.statistics.methods.many import (
    ComparisonArrays,
    compare_cuped_arrays,
    compare_mean_arrays,
    compare_proportion_arrays,
    compare_ratio_arrays,
)
from neonblue.statistics.methods.multiplicity import Procedure, judge
from neonblue.statistics.methods.stratified import compare_strata
from neonblue.statistics.moments import Moments
from neonblue.statistics.sequential.boundaries import spending_boundaries

COMPARISONS = 10_000
OVER_VERSIONS = 100
LOOKS = 20
_VERSIONS = 3
_RUNS = 7


def measure(comparisons: int = COMPARISONS) -> dict[str, float]:
    """Seconds that the default analysis of `comparisons` metric x arm x segment cells takes, by part and in total.

    The cells are a quarter each of means, means with a covariate, proportions (a third of them with few
    outcomes, hence the score test) and ratios; then Holm over a primary family per segment and Benjamini-
    Hochberg over all others. Beside the total: OVER_VERSIONS comparisons over three versions of different shares (a
    third each of means, rates and rates with few outcomes), one by one as an analysis makes them, and the boundaries of
    LOOKS looks of a group-sequential plan, each found when it is taken. Each figure is the median of several runs on
    data that are new every time.
    """
    parts: dict[str, list[float]] = {}
    for seed in range(_RUNS):
        rng = np.random.default_rng(seed)
        measured = _once(rng, comparisons // 4) | {"over versions": _over_versions(rng), "looks": _looks(rng)}
        for name, seconds in measured.items():
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
        p_values.append(task().absolute.p_value)
        seconds[name] = time.perf_counter() - start
    start = time.perf_counter()
    judge(np.concatenate(p_values[1:]).tolist(), Procedure.BENJAMINI_HOCHBERG)
    for family in p_values[0].reshape(-1, 5):
        judge(family.tolist(), Procedure.HOLM)
    seconds["multiplicity"] = time.perf_counter() - start
    return seconds | {"total": sum(seconds.values())}


def _over_versions(rng: np.random.Generator) -> float:
    """Seconds of OVER_VERSIONS comparisons, each of a ramp of 1, 10 and 50 %."""
    tasks: list[tuple[MetricKind, list[Pair]]] = []
    for turn in range(OVER_VERSIONS):
        rate = (None, 0.1, 0.002)[turn % 3]
        arms = [
            _mean(rng, n) if rate is None else _rate(rng, n, rate)
            for n in (9900, 9000, 5000, 100, 1000, 5000)
        ]
        kind = MetricKind.MEAN if rate is None else MetricKind.PROPORTION
        tasks.append((kind, list(zip(arms[:_VERSIONS], arms[_VERSIONS:], strict=True))))
    start = time.perf_counter()
    for kind, strata in tasks:
        compare_strata(kind, strata)
    return time.perf_counter() - start


def _mean(rng: np.random.Generator, n: int) -> Moments:
    total = float(rng.normal(20 * n, 30 * n**0.5))
    return Moments(n, total, total * total / n + 900.0 * n)


def _rate(rng: np.random.Generator, n: int, rate: float) -> Moments:
    return Moments.proportion(int(rng.binomial(n, rate)), n)


def _looks(rng: np.random.Generator) -> float:
    """Seconds of the boundaries of LOOKS looks, each with those before it."""
    shares = np.cumsum(rng.dirichlet(np.full(LOOKS, 50.0))).tolist()
    start = time.perf_counter()
    for look in range(1, LOOKS + 1):
        spending_boundaries(shares[:look], 1.0)
    return time.perf_counter() - start
