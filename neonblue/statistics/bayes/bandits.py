"""Bandits: each arm's probability of being the best, by quadrature, and the shares of traffic it earns.

Library only: no part of the platform calls it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from neonblue.statistics.moments import Moments
from neonblue.statistics.numerics.quadrature import TAILS, Beta, FloatArray, panel_rule, rate_rule
from neonblue.statistics.numerics.tails import normal_quantile, normal_sf
from neonblue.statistics.status import Status, StatusCode


def best_rate(
    arms: Sequence[Moments], prior: tuple[float, float] = (1.0, 1.0), *, lowest: bool = False
) -> tuple[float, ...] | Status:
    """P(arm has the best rate), one per arm, summing to 1, under independent Beta posteriors.

    arms: moments of 0/1 values, n >= 0; prior: Beta(a, b) of every arm; lowest: the lowest rate is the best. The
    integral of f_i(x) times the product of F_j(x) over the other arms, on the log-odds scale, to about 1e-9.
    Returns MISSING_ARM without arms and IMPROPER_PRIOR for a prior parameter <= 0. Source: Scott (2010).
    """
    if not arms:
        return _NO_ARMS
    a, b = prior
    if not (0 < a < math.inf and 0 < b < math.inf):
        return Status(StatusCode.IMPROPER_PRIOR, f"Beta({a}, {b}) is no proper prior: both must be above 0.")
    posteriors = [Beta(a + arm.sum, b + arm.n - arm.sum) for arm in arms]
    nodes, weights = rate_rule(posteriors)
    beaten = [p.above(nodes) if lowest else p.below(nodes) for p in posteriors]
    return _best([p.density(nodes) * weights for p in posteriors], beaten)


def best_mean(arms: Sequence[Moments], *, lowest: bool = False) -> tuple[float, ...] | Status:
    """P(arm has the best mean), one per arm, summing to 1, under normal posteriors with a flat prior.

    Posterior of an arm: N(mean, s^2 / n), s^2 with divisor n - 1. Returns MISSING_ARM without arms,
    NOT_ENOUGH_UNITS below two units in an arm and ZERO_VARIANCE for a constant arm: neither has a
    posterior to compare.
    """
    if not arms:
        return _NO_ARMS
    if any(arm.n < 2 for arm in arms):
        return Status(StatusCode.NOT_ENOUGH_UNITS, "Every arm needs at least 2 units for a variance.")
    if any(arm.variance <= 0 for arm in arms):
        return Status(StatusCode.ZERO_VARIANCE, "An arm has the same value throughout: no variance.")
    sign = -1.0 if lowest else 1.0
    means = [sign * arm.mean for arm in arms]
    errors = [math.sqrt(arm.variance / arm.n) for arm in arms]
    z = np.concatenate([normal_quantile(TAILS), -normal_quantile(TAILS)])
    nodes, weights = panel_rule([mean + error * z for mean, error in zip(means, errors, strict=True)])
    scores = [(nodes - mean) / error for mean, error in zip(means, errors, strict=True)]
    return _best(
        [np.exp(-(s**2) / 2) / error * weights for s, error in zip(scores, errors, strict=True)],
        [normal_sf(-s) for s in scores],
    )


def thompson_weights(best: Sequence[float], floor: float = 0.01) -> tuple[float, ...]:
    """Shares of traffic per arm: floor + (1 - k floor) P(best), so that no arm stops being measured.

    best: probabilities of being the best of k arms; floor: smallest share, in [0, 1 / k]. The shares sum to
    1. Raises ValueError for a floor out of range. Source: Thompson (1933).
    """
    if not 0 <= floor * len(best) <= 1:
        raise ValueError(f"floor: must lie in [0, 1/{len(best)}], got {floor}")
    return tuple(floor + (1 - len(best) * floor) * p for p in best)


def _best(mass: Sequence[FloatArray], beaten: Sequence[FloatArray]) -> tuple[float, ...]:
    wins = []
    for i, own in enumerate(mass):
        others = [other for j, other in enumerate(beaten) if j != i]
        wins.append(float((own * np.prod(others, axis=0)).sum()) / float(own.sum()))
    total = math.fsum(wins)
    return tuple(win / total for win in wins)


_NO_ARMS = Status(StatusCode.MISSING_ARM, "There are no arms to compare.")
