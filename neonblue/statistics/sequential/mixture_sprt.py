"""The mixture sequential probability ratio test: evidence against no effect, averaged over a normal prior of effects.

Source: Robbins (1970); Johari, Koomen, Pekelis and Walsh (2022), Operations Research 70, equation 10.

Library only: no part of the platform calls it.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neonblue.statistics.result import Interval
from neonblue.statistics.sequential.confidence_sequence import SequentialEstimate, evidence_p
from neonblue.statistics.status import Status, StatusCode


def mixture_log_evidence(diff: ArrayLike, variance: ArrayLike, tau2: float) -> NDArray[np.float64]:
    """Natural logarithm of the mixture likelihood ratio; arrays broadcast, variance > 0.

    diff: estimate minus the hypothesis; variance: of the estimate; tau2: variance of the mixing normal, > 0.
    """
    diff, variance = np.asarray(diff, dtype=float), np.asarray(variance, dtype=float)
    share = tau2 / (variance + tau2)
    return np.asarray(0.5 * share * diff**2 / variance - 0.5 * np.log1p(tau2 / variance))


def mixture_sprt(
    diff: float, variance: float, tau2: float, *, alpha: float = 0.05, null: float = 0.0
) -> SequentialEstimate | Status:
    """One look of the mixture test of "the effect is `null`", in log space, so that nothing over- or underflows.

    diff: the estimate; variance: of the estimate; tau2: variance of the mixing normal, fixed at the start, in the
    metric's unit squared. alpha: error over all looks. The interval is the matching confidence sequence. A Status
    when the variance is 0 or not a number. Raises ValueError when tau2 is not positive or alpha outside (0, 1).
    """
    if not (tau2 > 0 and math.isfinite(tau2)):
        raise ValueError(f"tau2: must be positive, got {tau2}")
    if not 0 < alpha < 1:
        raise ValueError(f"alpha: must lie inside (0, 1), got {alpha}")
    if not (math.isfinite(diff) and variance > 0 and math.isfinite(variance)):
        return Status(StatusCode.ZERO_VARIANCE, "The estimate has no variance above zero.")
    log_e = float(mixture_log_evidence(diff - null, variance, tau2))
    growth = 0.5 * math.log1p(tau2 / variance)
    width = math.sqrt(2 * variance * (variance + tau2) / tau2 * (growth - math.log(alpha)))
    p_value, log10_p = evidence_p(log_e)
    interval = Interval.at(diff - width, diff + width, alpha)
    return SequentialEstimate(diff, math.sqrt(variance), log_e, p_value, log10_p + 0.0, interval)
