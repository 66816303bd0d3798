"""Gauss-Legendre quadrature on panels, and Beta distributions on the scale where it is accurate for them.

Library only: no part of the platform calls it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

FloatArray = NDArray[np.float64]

# Panels end at these tail probabilities, so that every panel holds a smooth piece of every distribution.
TAILS = np.array([1e-18, 1e-15, 1e-12, 1e-9, 1e-7, 1e-5, 1e-3, 0.01, 0.05, 0.2, 0.5])
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(20)
_LONGEST = 2.0
_SMALLEST = 1e-300


def panel_rule(edges: Sequence[FloatArray], longest: float = np.inf) -> tuple[FloatArray, FloatArray]:
    """Nodes and weights of a 20-point rule on every panel between the sorted `edges`.

    longest: panels are cut to at most this length.
    """
    ends = np.unique(np.concatenate(edges))
    if np.isfinite(longest):
        ends = np.unique(np.concatenate([ends, np.arange(ends[0], ends[-1], longest)]))
    half = np.diff(ends) / 2
    nodes = (ends[:-1] + half)[:, None] + half[:, None] * _NODES
    return nodes.ravel(), (half[:, None] * _WEIGHTS).ravel()


@dataclass(frozen=True, slots=True)
class Beta:
    """A Beta distribution of a rate, with shape parameters a, b > 0; points are log-odds where so named."""

    a: float
    b: float

    @property
    def mean(self) -> float:
        """Expected rate."""
        return self.a / (self.a + self.b)

    def quantile(self, probability: ArrayLike) -> FloatArray:
        """Rates with the given probability below them."""
        return np.asarray(special.betaincinv(self.a, self.b, np.asarray(probability, dtype=float)))

    def edges(self) -> FloatArray:
        """Log-odds of the quantiles at TAILS on both sides, for `panel_rule`."""
        below = np.maximum(special.betaincinv(self.a, self.b, TAILS), _SMALLEST)
        above = np.maximum(special.betaincinv(self.b, self.a, TAILS), _SMALLEST)
        return np.concatenate([np.log(below) - np.log1p(-below), np.log1p(-above) - np.log(above)])

    def density(self, log_odds: FloatArray) -> FloatArray:
        """Density of the log-odds."""
        log_density = self.a * special.log_expit(log_odds) + self.b * special.log_expit(-log_odds)
        return np.asarray(np.exp(log_density - special.betaln(self.a, self.b)))

    def below(self, log_odds: FloatArray) -> FloatArray:
        """Probability of a smaller rate."""
        x, y = special.expit(log_odds), special.expit(-log_odds)
        lower = special.betainc(self.a, self.b, np.minimum(x, 0.5))
        return np.asarray(np.where(x <= 0.5, lower, 1 - special.betainc(self.b, self.a, np.minimum(y, 0.5))))

    def above(self, log_odds: FloatArray) -> FloatArray:
        """Probability of a larger rate, accurate where it is small."""
        return Beta(self.b, self.a).below(-log_odds)


def rate_rule(distributions: Sequence[Beta]) -> tuple[FloatArray, FloatArray]:
    """Nodes (log-odds) and weights that resolve each of the distributions."""
    return panel_rule([d.edges() for d in distributions], _LONGEST)
