"""Boundary-crossing probabilities of a Brownian motion seen at a few information levels, by numerical recursion.

The score S at information I is normal with mean drift * I and variance I, with independent increments. Between two
looks the density of the paths that have not stopped is a convolution over the continuation interval, which is
computed by Gauss-Legendre quadrature on panels no wider than the increment's standard deviation.

Source: Armitage, McPherson and Rowe (1969), J. Roy. Statist. Soc. A 132; Jennison and Turnbull (2000), chapter 19.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

FloatArray = NDArray[np.float64]

MINIMUM_INCREMENT = 1e-4
"""Smallest growth of information between two looks, as a share of the later information, that is resolved."""

_REACH = 13.0  # standard deviations that stand for an infinite boundary: P(|Z| > 13) < 1e-37
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(8)
_CHUNK = 2_000_000  # kernel elements held at once


@dataclass(frozen=True, slots=True)
class Paths:
    """The paths that have not stopped after a look: their sub-density of the score at quadrature nodes."""

    information: float
    score: FloatArray
    mass: FloatArray  # density times quadrature weight


START = Paths(0.0, np.zeros(1), np.ones(1))


def exceeds(paths: Paths, information: float, z: float, drift: float = 0.0) -> float:
    """P(not stopped so far, and the next look's z-value is above `z`), the look being at `information`."""
    return float(paths.mass @ special.ndtr(-_standardized(paths, information, z, drift)))


def tail_and_density(paths: Paths, information: float, z: float) -> tuple[float, float]:
    """As `exceeds`, and what it loses for each unit that `z` grows."""
    at = _standardized(paths, information, z, 0.0)
    slope = math.sqrt(information / (information - paths.information))
    density = np.exp(-0.5 * at * at) / math.sqrt(2 * math.pi)
    return float(paths.mass @ special.ndtr(-at)), float(paths.mass @ density) * slope


def falls_below(paths: Paths, information: float, z: float, drift: float = 0.0) -> float:
    """P(not stopped so far, and the next look's z-value is below `z`), the look being at `information`."""
    return float(paths.mass @ special.ndtr(_standardized(paths, information, z, drift)))


def advance(
    paths: Paths,
    information: float,
    lower: float,
    upper: float,
    *,
    drift: float = 0.0,
    finest: float | None = None,
) -> Paths:
    """The paths that have not stopped after a look at `information` with continuation interval (lower, upper) in z.

    Infinite ends are allowed. `finest` is the smallest increment of information that will follow (default: the last
    one); the nodes must be dense enough for it.
    """
    increment = information - paths.information
    root = math.sqrt(information)
    centre = drift * root
    low, high = max(lower, centre - _REACH) * root, min(upper, centre + _REACH) * root
    step = math.sqrt(min(increment, increment if finest is None else finest))
    nodes, weights = _panels(low, high, step)
    return Paths(information, nodes, _density(paths, nodes, increment, drift) * weights)


@dataclass(frozen=True, slots=True)
class Crossing:
    """Probabilities of first leaving the continuation region upwards or downwards at each look."""

    upper: FloatArray
    lower: FloatArray

    @property
    def total(self) -> float:
        """Probability of stopping at any look."""
        return float(self.upper.sum() + self.lower.sum())


def crossing_probabilities(
    information: Sequence[float], lower: Sequence[float], upper: Sequence[float], drift: float = 0.0
) -> Crossing:
    """First-exit probabilities of z-value boundaries `lower` and `upper` at increasing `information` levels.

    drift: expectation of the score per unit of information, that is effect times the square root of information
    gives the expected z. Raises ValueError when the information does not increase by MINIMUM_INCREMENT.
    """
    require_increasing(information)
    paths, up, down = START, [], []
    for look, level in enumerate(information):
        up.append(exceeds(paths, level, upper[look], drift))
        down.append(falls_below(paths, level, lower[look], drift))
        if look + 1 < len(information):
            finest = min(level - paths.information, information[look + 1] - level)
            paths = advance(paths, level, lower[look], upper[look], drift=drift, finest=finest)
    return Crossing(np.array(up), np.array(down))


def require_increasing(information: Sequence[float]) -> None:
    """Raise ValueError unless the levels are positive and each grows by MINIMUM_INCREMENT of itself."""
    previous = 0.0
    for level in information:
        if not (math.isfinite(level) and level - previous >= MINIMUM_INCREMENT * level > 0):
            raise ValueError(
                f"information: levels must be positive and grow by at least {MINIMUM_INCREMENT:g} of themselves, "
                f"got {level} after {previous}"
            )
        previous = level


def _standardized(paths: Paths, information: float, z: float, drift: float) -> FloatArray:
    increment = information - paths.information
    standardized = (z * math.sqrt(information) - paths.score - drift * increment) / math.sqrt(increment)
    return np.asarray(standardized)


def _panels(low: float, high: float, step: float) -> tuple[FloatArray, FloatArray]:
    count = max(4, math.ceil((high - low) / (2.0 * step)))
    edges = np.linspace(low, high, count + 1)
    half = (high - low) / count / 2
    nodes = ((edges[:-1] + half)[:, None] + half * _NODES[None, :]).ravel()
    return nodes, np.tile(half * _WEIGHTS, count)


def _density(paths: Paths, nodes: FloatArray, increment: float, drift: float) -> FloatArray:
    scale = math.sqrt(increment)
    rows = max(1, _CHUNK // len(paths.score))
    density = np.empty(len(nodes))
    for start in range(0, len(nodes), rows):
        part = nodes[start : start + rows]
        distance = (part[:, None] - paths.score[None, :] - drift * increment) / scale
        density[start : start + rows] = np.exp(-0.5 * distance * distance) @ paths.mass
    return np.asarray(density / (scale * math.sqrt(2 * math.pi)))
