"""The mixture sequential probability ratio test: evidence against no effect, averaged over a normal prior of effects.

Source: Robbins (1970); Johari, Koomen, Pekelis and Walsh (2022), Operations Research 70, equation 10.
"""

from __future__ import annotations

import math

from neonblue.statistics.result import Interval
from neonblue.statistics.sequential.confidence_sequence import SequentialEstimate, evidence_p
from neonblue.statistics.status import Status, StatusCode


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
    share = tau2 / (variance + tau2)
    shrinkage = 0.5 * math.log1p(tau2 / variance)
    z2 = (diff - null) ** 2 / variance
    log_e = 0.5 * share * z2 - shrinkage
    width = math.sqrt(2 * variance / share * (shrinkage - math.log(alpha)))
    p_value, log10_p = evidence_p(log_e)
    interval = Interval(diff - width, diff + width, 1 - alpha)
    return SequentialEstimate(diff, math.sqrt(variance), log_e, p_value, log10_p + 0.0, interval)
