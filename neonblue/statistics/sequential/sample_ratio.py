"""Sequential sample-ratio check: evidence that units do not arrive in the promised shares, valid at every moment.

Source: Lindon and Malek (2022), Anytime-valid inference for multinomial count data, NeurIPS 35: the likelihood of the
counts mixed over a Dirichlet distribution around the promised shares, against their likelihood at those shares.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from neonblue.statistics.sequential.confidence_sequence import evidence_p
from neonblue.statistics.status import Status, StatusCode

FloatArray = NDArray[np.float64]

DEFAULT_CONCENTRATION = 100.0


@dataclass(frozen=True, slots=True)
class SampleRatioEvidence:
    """After one batch: cumulative counts, log of the e-value, p of this moment, and the running always-valid p."""

    counts: tuple[int, ...]
    log_e: float
    p_instant: float
    p_value: float


def sequential_sample_ratio(
    shares: Sequence[float], batches: Sequence[Sequence[int]], *, concentration: float = DEFAULT_CONCENTRATION
) -> list[SampleRatioEvidence] | Status:
    """The evidence after each batch of new units.

    shares: promised weight per arm, >= 0, scaled to sum to 1. batches: new units per arm, in time's order.
    concentration: strength of the Dirichlet mixture around the shares, > 0; larger values look for smaller
    imbalances. The check alarms when p_value falls below its threshold (default 0.001). A Status when there is no arm
    with weight, or when an arm of weight zero has units, which is an error of its own. ValueError for bad shapes.
    """
    weights = _normalized(shares)
    if weights is None:
        return Status(StatusCode.MISSING_ARM, "No arm has a weight above zero.")
    if not (concentration > 0 and math.isfinite(concentration)):
        raise ValueError(f"concentration: must be positive, got {concentration}")
    increments = _counts(batches, len(weights))
    live = weights > 0
    if increments[:, ~live].any():
        return Status(StatusCode.INVALID_INPUT, "An arm of weight zero has units.")
    evidence, lowest = [], 1.0
    for counts in np.cumsum(increments, axis=0):
        log_e = _log_evidence(counts[live], weights[live], concentration)
        instant, _ = evidence_p(log_e)
        lowest = min(lowest, instant)
        evidence.append(SampleRatioEvidence(tuple(int(c) for c in counts), log_e, instant, lowest))
    return evidence


def _log_evidence(counts: FloatArray, weights: FloatArray, concentration: float) -> float:
    """log of the Dirichlet-multinomial likelihood over the multinomial one.

    By Stirling's formula with its remainder, arranged so that the large terms cancel on paper: sums of log-gamma
    would lose eight digits at a hundred million units.
    """
    posterior = concentration * weights + counts
    total = float(posterior.sum())
    excess = posterior / (total * weights) - 1
    divergence = total * float((weights * _relative_entropy(excess)).sum())
    half = -0.5 * float(np.log(posterior / total).sum()) + 0.5 * (1 - len(weights)) * math.log(total)
    remainder = float(_stirling_remainder(posterior).sum() - _stirling_remainder(np.array([total]))[0])
    prior = concentration * weights
    normalizer = float(special.gammaln(prior).sum() - special.gammaln(concentration))
    constant = 0.5 * (len(weights) - 1) * math.log(2 * math.pi) + float((prior * np.log(weights)).sum())
    return divergence + half + remainder + constant - normalizer


def _relative_entropy(excess: FloatArray) -> FloatArray:
    """(1 + d) log(1 + d) - d, without cancellation for small d."""
    small = np.abs(excess) < 1e-3
    series = excess**2 * (0.5 - excess * (1 / 6 - excess * (1 / 12 - excess * (1 / 20 - excess / 30))))
    exact = special.xlogy(1 + excess, 1 + excess) - excess
    return np.asarray(np.where(small, series, exact))


def _stirling_remainder(x: FloatArray) -> FloatArray:
    """log gamma(x) minus (x - 1/2) log x - x + log(2 pi) / 2."""
    large = x > 100
    inverse = 1 / np.where(large, x, 100.0)
    series = inverse * (1 / 12 - inverse**2 * (1 / 360 - inverse**2 / 1260))
    exact = special.gammaln(x) - ((x - 0.5) * np.log(x) - x + 0.5 * math.log(2 * math.pi))
    return np.asarray(np.where(large, series, exact))


def _normalized(shares: Sequence[float]) -> FloatArray | None:
    weights = np.asarray(shares, dtype=float)
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise ValueError(f"shares: must be finite and not negative, got {list(shares)}")
    total = weights.sum()
    return weights / total if total > 0 else None


def _counts(batches: Sequence[Sequence[int]], arms: int) -> NDArray[np.int64]:
    for batch in batches:
        if len(batch) != arms or any(count < 0 for count in batch):
            raise ValueError(f"batches: each needs {arms} counts that are not negative, got {list(batch)}")
    return np.asarray(batches, dtype=np.int64).reshape(-1, arms)
