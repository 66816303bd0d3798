"""Error rates and coverage of two-proportion methods by enumerating every pair of counts that matters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

FloatArray = NDArray[np.float64]
Limits = tuple[FloatArray, FloatArray]

_TAIL = 1e-12  # probability left out on either side of each arm


@dataclass(frozen=True)
class Grid:
    """Every pair of success counts that is not impossibly rare, with its probability."""

    n_control: int
    n_treatment: int
    control: FloatArray  # successes, as a column
    treatment: FloatArray  # successes, as a row
    probability: FloatArray

    @classmethod
    def of(cls, n_control: int, n_treatment: int, p_control: float, p_treatment: float) -> Grid:
        """The grid of two binomials."""
        x_c, x_t = _support(n_control, p_control), _support(n_treatment, p_treatment)
        probability = np.outer(
            stats.binom.pmf(x_c, n_control, p_control), stats.binom.pmf(x_t, n_treatment, p_treatment)
        )
        control, treatment = np.meshgrid(x_c, x_t, indexing="ij")
        return cls(n_control, n_treatment, control.astype(float), treatment.astype(float), probability)

    @property
    def rates(self) -> tuple[FloatArray, FloatArray]:
        """Observed rates of control and treatment."""
        return self.control / self.n_control, self.treatment / self.n_treatment

    @property
    def variances(self) -> tuple[FloatArray, FloatArray]:
        """p (1 - p) / n of either arm."""
        p_c, p_t = self.rates
        return p_c * (1 - p_c) / self.n_control, p_t * (1 - p_t) / self.n_treatment


def rejection(grid: Grid, statistic: Callable[[Grid], FloatArray], alpha: float = 0.05) -> dict[str, float]:
    """How often a z statistic rejects, two-sided and in each tail; nan (no test) does not reject."""
    z, critical = statistic(grid), stats.norm.isf(alpha / 2)
    upper, lower = (float(grid.probability[tail].sum()) for tail in (z > critical, z < -critical))
    return {"two_sided": upper + lower, "upper": upper, "lower": lower}


def coverage(grid: Grid, limits: Callable[[Grid], Limits], truth: float) -> float:
    """How often an interval holds the truth; where there is no interval nothing is covered."""
    lower, upper = limits(grid)
    return float(grid.probability[(lower <= truth) & (truth <= upper)].sum())


def _support(n: int, p: float) -> NDArray[np.int64]:
    low, high = stats.binom.ppf([_TAIL, 1 - _TAIL], n, p).astype(int)
    return np.arange(max(low - 1, 0), min(high + 1, n) + 1)
