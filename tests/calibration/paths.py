"""A/A experiments watched at many looks: how often each rule calls a difference that is not there."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neonblue.statistics.numerics.tails import normal_quantile
from neonblue.statistics.sequential.boundaries import spending_boundaries
from neonblue.statistics.sequential.confidence_sequence import mixture_precision, multiplier
from neonblue.statistics.sequential.mixture_sprt import mixture_log_evidence
from neonblue.statistics.sequential.spending import Spending

FloatArray = NDArray[np.float64]

_BLOCK = 1000  # experiments held at once


@dataclass(frozen=True)
class Population:
    """How the sums of a block of units are drawn: (units per block, simulations) -> sums and sums of squares."""

    draw: Callable[[np.random.Generator, NDArray[np.int64], int], tuple[FloatArray, FloatArray]]
    variance: float


def normal() -> Population:
    """Standard normal values; the sums of a block are drawn without drawing its units."""

    def draw(rng: np.random.Generator, sizes: NDArray[np.int64], sims: int) -> tuple[FloatArray, FloatArray]:
        total = rng.normal(size=(sims, len(sizes))) * np.sqrt(sizes)
        spread = np.where(sizes > 1, rng.chisquare(np.maximum(sizes - 1, 1), size=(sims, len(sizes))), 0.0)
        return total, spread + total**2 / sizes

    return Population(draw, 1.0)


def bernoulli(rate: float) -> Population:
    """Zeros and ones."""

    def draw(rng: np.random.Generator, sizes: NDArray[np.int64], sims: int) -> tuple[FloatArray, FloatArray]:
        successes = rng.binomial(sizes, rate, size=(sims, len(sizes))).astype(float)
        return successes, successes

    return Population(draw, rate * (1 - rate))


def rare_lognormal(share: float = 0.05, sigma: float = 2.0) -> Population:
    """Zero for most units and lognormal for the rest, as revenue is."""

    def draw(rng: np.random.Generator, sizes: NDArray[np.int64], sims: int) -> tuple[FloatArray, FloatArray]:
        buyers = rng.binomial(sizes, share, size=(sims, len(sizes)))
        values = np.exp(sigma * rng.standard_normal(int(buyers.sum())))
        return _block_sums(values, buyers), _block_sums(values * values, buyers)

    mean, square = share * math.exp(sigma**2 / 2), share * math.exp(2 * sigma**2)
    return Population(draw, square - mean**2)


def false_positive_rates(
    population: Population,
    *,
    n_min: int,
    n_max: int,
    sims: int,
    seed: int,
    looks: int = 300,
    alpha: float = 0.05,
    tuning: float = 5000,
    tau2_share: float = 1e-3,
) -> dict[str, float]:
    """Share of A/A experiments that each rule rejects at any of `looks` log-spaced looks."""
    sizes = np.unique(np.geomspace(n_min, n_max, looks).round().astype(np.int64))
    rho2 = mixture_precision(alpha, tuning)
    rules = {
        "naive": np.full(len(sizes), float(normal_quantile(1 - alpha / 2))),
        "asympCS": np.array([multiplier(2.0 * n, alpha, rho2) for n in sizes]),
    }
    rng, found = np.random.default_rng(seed), dict.fromkeys((*rules, "mSPRT"), 0)
    for start in range(0, sims, _BLOCK):
        diff, variance = _walk(population, sizes, min(_BLOCK, sims - start), rng)
        usable = variance > 0
        variance, diff = np.where(usable, variance, 1.0), np.where(usable, diff, 0.0)
        for name, bounds in rules.items():
            found[name] += _experiments(np.abs(diff) > bounds * np.sqrt(variance))
        evidence = mixture_log_evidence(diff, variance, tau2_share * population.variance)
        found["mSPRT"] += _experiments(evidence >= -math.log(alpha))
    return {name: count / sims for name, count in found.items()}


def _block_sums(values: FloatArray, counts: NDArray[np.int64]) -> FloatArray:
    """Sums of consecutive runs of `values` of the given lengths, 0 for an empty run."""
    sums, taken = np.zeros(counts.shape), counts > 0
    starts = (np.cumsum(counts) - counts.ravel())[taken.ravel()]
    sums[taken] = np.add.reduceat(values, starts)
    return sums


def _walk(
    population: Population, sizes: NDArray[np.int64], sims: int, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Difference of the means and its variance at every look of every simulated experiment."""
    blocks = np.diff(sizes, prepend=0)
    diff, variance = np.zeros((sims, len(sizes))), np.zeros((sims, len(sizes)))
    for sign in (-1, 1):
        total, squares = (np.cumsum(part, axis=1) for part in population.draw(rng, blocks, sims))
        mean = total / sizes
        diff += sign * mean
        variance += np.maximum(squares - total * mean, 0.0) / (sizes - 1) / sizes
    # What rounding leaves of a variance that is 0 must not pass for one.
    return diff, np.where(variance > 1e-14, variance, 0.0)


def _experiments(rejected: NDArray[np.bool_]) -> int:
    """In how many experiments any look rejects."""
    return int(rejected.any(axis=1).sum())


def group_sequence_error(schedules: int, sims: int, seed: int, spending: Spending) -> float:
    """How often paths without an effect cross spending boundaries at random looks that end in an overrun."""
    rng, rejected = np.random.default_rng(seed), 0
    for _ in range(schedules):
        looks = np.sort(rng.uniform(0.05, 0.98, rng.integers(0, 8)))
        information = [float(t) for t in looks[np.diff(looks, prepend=0.0) > 0.01]]
        information.append(float(rng.uniform(1.0, 1.2)))
        critical = np.array(spending_boundaries(information, 1.0, spending=spending).critical_z)
        steps = np.sqrt(np.diff(information, prepend=0.0))
        z = np.cumsum(rng.normal(size=(sims, len(steps))) * steps, axis=1) / np.sqrt(information)
        rejected += _experiments(np.abs(z) >= critical)
    return rejected / (schedules * sims)
