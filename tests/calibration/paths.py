"""A/A experiments watched at many looks: how often each rule calls a difference that is not there."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neonblue.statistics.sequential.confidence_sequence import mixture_precision, multiplier
from neonblue.statistics.sequential.mixture_sprt import mixture_log_evidence
from neonblue.statistics.tails import normal_quantile

FloatArray = NDArray[np.float64]


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
        buyers = rng.binomial(sizes, share, size=(sims, len(sizes))).ravel()
        values = rng.lognormal(0, sigma, size=int(buyers.sum()))
        ends = np.cumsum(buyers)
        sums = [
            np.diff(np.concatenate(([0.0], np.cumsum(np.append(0.0, v))[ends]))) for v in (values, values**2)
        ]
        return sums[0].reshape(sims, -1), sums[1].reshape(sims, -1)

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
    diff, variance = _walk(population, sizes, sims, np.random.default_rng(seed))
    usable = variance > 0
    variance = np.where(usable, variance, 1.0)
    z = np.where(usable, diff / np.sqrt(variance), 0.0)
    rho2 = mixture_precision(alpha, tuning)
    bounds = np.array([multiplier(2.0 * n, alpha, rho2) for n in sizes])
    evidence = mixture_log_evidence(np.where(usable, diff, 0.0), variance, tau2_share * population.variance)
    return {
        "naive": _any(np.abs(z) > float(normal_quantile(1 - alpha / 2))),
        "asympCS": _any(np.abs(z) > bounds),
        "mSPRT": _any(evidence >= -math.log(alpha)),
    }


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


def _any(rejected: NDArray[np.bool_]) -> float:
    return float(rejected.any(axis=1).mean())
