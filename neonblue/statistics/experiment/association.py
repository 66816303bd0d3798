"""Whether two arms have the same share of something, within strata of units that entered alike."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy  # its `stats`, which takes long to import, when it is first used
from numpy.typing import NDArray

from neonblue.statistics.numerics.tails import normal_sf
from neonblue.statistics.sequential.confidence_sequence import (
    DEFAULT_TUNING,
    evidence_p,
    log_evidence,
    mixture_precision,
)

_SMALL_EXPECTED = 5
# Tables as likely as the one that was seen count, also where the last digit differs.
_SAME_PROBABILITY = 1 + 1e-7


@dataclass(frozen=True, slots=True)
class Counts:
    """How many units of each arm have something, of how many. ValueError unless 0 <= with <= n."""

    control: int
    n_control: int
    treatment: int
    n_treatment: int

    def __post_init__(self) -> None:
        if not (0 <= self.control <= self.n_control and 0 <= self.treatment <= self.n_treatment):
            raise ValueError(f"counts: must lie between 0 and their arm's units, got {self}")

    @property
    def n(self) -> int:
        """Units of both arms."""
        return self.n_control + self.n_treatment

    @property
    def having(self) -> int:
        """Units of both arms that have it."""
        return self.control + self.treatment


def equal_shares_p(strata: Sequence[Counts]) -> float:
    """Two-sided p of "within every stratum both arms have the same share", in [0, 1]; 1 where nothing can be told.

    The Cochran-Mantel-Haenszel test without continuity correction (of one stratum: the score test). Where fewer than 5
    are expected in a cell of the strata's sum, the exact conditional test (of one stratum: Fisher's). Source: Mantel
    and Haenszel (1959); Gart (1970), Biometrika 57, 471-475, for the exact one.
    """
    told = _informative(strata)
    if not told:
        return 1.0
    return _exact(told) if _few(told) else 2 * float(normal_sf(abs(_deviate(told))))


def always_valid_p(strata: Sequence[Counts], alpha: float) -> float:
    """The same where the shares are watched: at any look below `alpha` in at most that share of equal arms.

    The asymptotic mixture of a confidence sequence on the normal deviate with the test's p-value.
    """
    told = _informative(strata)
    if not told:
        return 1.0
    z = float(scipy.stats.norm.isf(_exact(told) / 2)) if _few(told) else abs(_deviate(told))
    units = sum(c.n for c in told)
    return evidence_p(log_evidence(z, units, mixture_precision(alpha, DEFAULT_TUNING)))[0]


def _informative(strata: Sequence[Counts]) -> list[Counts]:
    return [c for c in strata if c.n_control and c.n_treatment and 0 < c.having < c.n]


def _deviate(strata: Sequence[Counts]) -> float:
    surplus = sum(c.treatment - c.n_treatment * (c.having / c.n) for c in strata)
    variance = sum(
        (c.n_treatment / c.n) * (c.n_control / c.n) * c.having * (c.n - c.having) / (c.n - 1) for c in strata
    )
    return surplus / math.sqrt(variance)


def _few(strata: Sequence[Counts]) -> bool:
    """Whether fewer than 5 units are expected in a cell: of an arm, with or without it, over all strata."""
    cells = [
        [arm * kind / c.n for arm in (c.n_control, c.n_treatment) for kind in (c.having, c.n - c.having)]
        for c in strata
    ]
    return any(sum(cell) < _SMALL_EXPECTED for cell in zip(*cells, strict=True))


def _exact(strata: Sequence[Counts]) -> float:
    """Of all tables with these margins, the share that is no likelier than the one that was seen."""
    probability: NDArray[np.float64] = np.ones(1)
    seen = 0
    for c in strata:
        lowest, highest = max(0, c.having - c.n_control), min(c.having, c.n_treatment)
        support = np.arange(lowest, highest + 1)
        probability = np.convolve(
            probability, scipy.stats.hypergeom.pmf(support, c.n, c.having, c.n_treatment)
        )
        seen += c.treatment - lowest
    return min(1.0, float(probability[probability <= probability[seen] * _SAME_PROBABILITY].sum()))
