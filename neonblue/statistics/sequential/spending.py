"""Spending functions: how much of the error rate may be used up by a given share of the planned information.

Every function here is one-sided: it takes the one-sided error rate `alpha` and the information fraction `t`, and
returns the cumulative error that may have been spent, 0 at t = 0 and `alpha` from t = 1 on.

Sources: Lan and DeMets (1983), Biometrika 70; Kim and DeMets (1987), Biometrika 74; Hwang, Shih and DeCani (1990),
Statistics in Medicine 9.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from neonblue.statistics.numerics.tails import normal_quantile, normal_sf


class SpendingFamily(StrEnum):
    """The shapes of spending: O'Brien-Fleming keeps nearly all for the end, Pocock spends evenly."""

    OBRIEN_FLEMING = "obrien_fleming"
    POCOCK = "pocock"
    KIM_DEMETS = "kim_demets"  # alpha * t ** shape
    HWANG_SHIH_DECANI = "hwang_shih_decani"  # shape < 0 spends late, > 0 early


@dataclass(frozen=True, slots=True)
class Spending:
    """A spending function; `shape` is the power of Kim-DeMets (> 0) or the gamma of Hwang-Shih-DeCani.

    Raises ValueError for a shape the family has not.
    """

    family: SpendingFamily = SpendingFamily.OBRIEN_FLEMING
    shape: float = 1.0

    def __post_init__(self) -> None:
        if not math.isfinite(self.shape):
            raise ValueError(f"shape: must be finite, got {self.shape}")
        if self.family is SpendingFamily.KIM_DEMETS and self.shape <= 0:
            raise ValueError(f"shape: must be positive for Kim-DeMets spending, got {self.shape}")

    def spent(self, t: float, alpha: float) -> float:
        """Cumulative one-sided error at information fraction t >= 0, in [0, alpha]."""
        if t >= 1:
            return alpha
        if t <= 0:
            return 0.0
        if self.family is SpendingFamily.OBRIEN_FLEMING:
            return 2 * float(normal_sf(-normal_quantile(alpha / 2) / math.sqrt(t)))
        if self.family is SpendingFamily.POCOCK:
            return alpha * math.log1p((math.e - 1) * t)
        if self.family is SpendingFamily.KIM_DEMETS:
            return float(alpha * t**self.shape)
        if abs(self.shape) < 1e-9:
            return alpha * t
        return alpha * math.expm1(-self.shape * t) / math.expm1(-self.shape)
