"""Asymptotic confidence sequences: intervals that hold at every sample size at once, and their always-valid p.

They need an estimate that is nearly normal with a standard error, so they serve means, proportions, ratios and
covariate-adjusted estimates alike. At the tuning size N* the interval is narrowest compared with a fixed one; N* is
part of the plan and must not change while the data come in.

Source: Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (2024), Annals of Statistics 52, equation 9; the one-sided
form and the approximation of rho are in the paper's appendix.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy import special

from neonblue.statistics.result import Alternative, Interval
from neonblue.statistics.status import Status, StatusCode

DEFAULT_TUNING = 10_000
_LN10 = math.log(10.0)


@dataclass(frozen=True, slots=True)
class SequentialEstimate:
    """An estimate at one look with inference that is valid at all looks.

    diff, se: in the metric's unit, se > 0. log_e: natural logarithm of the evidence (e-value) against no effect.
    p_value: always-valid p in (0, 1] as of this look alone (take the running minimum over looks); log10_p: its
    logarithm, finite where p_value underflows. interval: covers the truth at all looks at once with its level.
    """

    diff: float
    se: float
    log_e: float
    p_value: float
    log10_p: float
    interval: Interval

    @property
    def significant(self) -> bool:
        """Whether the interval excludes 0, which is the same as p_value <= 1 - level."""
        return not self.interval.lower < 0 < self.interval.upper


def mixture_precision(alpha: float, tuning: float, *, exact: bool = False) -> float:
    """rho^2, the variance of the mixing distribution per unit, that makes the sequence narrowest at `tuning` units.

    alpha: two-sided error in (0, 1). exact: the optimum by Lambert's W function instead of its approximation; the
    widths differ by less than 1 %. Raises ValueError for a rate outside (0, 1) or a tuning size that is not positive.
    """
    _require(alpha, tuning)
    if exact:
        return float((-special.lambertw(-(alpha**2) * math.exp(alpha**2 - 1), -1).real - 1) / tuning)
    log_alpha = math.log(alpha)
    return (-2 * log_alpha + math.log1p(-2 * log_alpha)) / tuning


def multiplier(n: float, alpha: float, rho2: float, *, two_sided: bool = True) -> float:
    """Half-width of the confidence sequence at n units in standard errors; for a fixed interval it would be 1.96.

    n: units over both arms. rho2: from `mixture_precision`. One-sided, the sequence has its bound at this distance.
    """
    growth = n * rho2 + 1
    two_sided_evidence = 0.5 * math.log(growth) - math.log(alpha)
    evidence = two_sided_evidence if two_sided else math.log1p(math.sqrt(growth) / (2 * alpha))
    return math.sqrt(2 * growth / (n * rho2) * evidence)


def confidence_sequence(
    diff: float,
    se: float,
    n: float,
    *,
    alpha: float = 0.05,
    tuning: float = DEFAULT_TUNING,
    alternative: Alternative = Alternative.TWO_SIDED,
    rho2: float | None = None,
) -> SequentialEstimate | Status:
    """One look of an asymptotic confidence sequence for an effect.

    diff, se: the estimate and its standard error; n: units over both arms that finished their window. alpha: error
    over all looks. One-sided alternatives are for guardrails: the interval has one infinite end, and rho is tuned
    for 2 alpha. rho2 replaces the tuning when given. A Status when there are no units or se is 0 or not a number.
    """
    _require(alpha, tuning)
    if alternative is not Alternative.TWO_SIDED and alpha >= 0.5:
        raise ValueError(f"alpha: must be below 0.5 for a one-sided sequence, got {alpha}")
    if not n > 0:
        return Status(StatusCode.NOT_ENOUGH_UNITS, "No unit has finished its window yet.")
    if not (math.isfinite(diff) and se > 0 and math.isfinite(se)):
        return Status(StatusCode.ZERO_VARIANCE, "The estimate has no standard error above zero.")
    two_sided = alternative is Alternative.TWO_SIDED
    precision = rho2 if rho2 is not None else mixture_precision(alpha if two_sided else 2 * alpha, tuning)
    width = se * multiplier(n, alpha, precision, two_sided=two_sided)
    log_e = log_evidence(diff / se, n, precision, alternative)
    return _estimate(diff, se, log_e, _interval(diff, width, alpha, alternative))


def log_evidence(z: float, n: float, rho2: float, alternative: Alternative = Alternative.TWO_SIDED) -> float:
    """Natural logarithm of the e-value at a z-value: 1 / e-value is the always-valid p of this look.

    One-sided it is the inversion of the one-sided bound in alpha; -inf where the effect points the other way.
    """
    growth = n * rho2 + 1
    exponent = 0.5 * z * z * (n * rho2) / growth
    if alternative is Alternative.TWO_SIDED:
        return exponent - 0.5 * math.log(growth)
    towards = z if alternative is Alternative.GREATER else -z
    if towards <= 0:
        return -math.inf
    return math.log(2) + exponent + math.log(-math.expm1(-exponent)) - 0.5 * math.log(growth)


def law_of_iterated_logarithm_margin(n: float, alpha: float) -> float:
    """One-sided half-width for unit variance that shrinks like sqrt(log log n / n), n >= 1, alpha one-sided.

    Source: Howard, Ramdas, McAuliffe and Sekhon (2021), Annals of Statistics 49, equation 2. An alternative to the
    mixture, wider at common sizes; it is here for comparison.
    """
    return 1.7 * math.sqrt((math.log(math.log(2 * n)) + 0.72 * math.log(5.2 / alpha)) / n)


def evidence_p(log_e: float) -> tuple[float, float]:
    """The always-valid p of an e-value given by its logarithm, min(1, 1 / e), and its log10."""
    bounded = max(log_e, 0.0)
    return math.exp(-bounded), -bounded / _LN10


def _estimate(diff: float, se: float, log_e: float, interval: Interval) -> SequentialEstimate:
    p_value, log10_p = evidence_p(log_e)
    return SequentialEstimate(diff, se, log_e, p_value, log10_p + 0.0, interval)


def _interval(diff: float, width: float, alpha: float, alternative: Alternative) -> Interval:
    lower = -math.inf if alternative is Alternative.LESS else diff - width
    upper = math.inf if alternative is Alternative.GREATER else diff + width
    return Interval.at(lower, upper, alpha)


def _require(alpha: float, tuning: float) -> None:
    if not 0 < alpha < 1:
        raise ValueError(f"alpha: must lie inside (0, 1), got {alpha}")
    if not (tuning > 0 and math.isfinite(tuning)):
        raise ValueError(f"tuning: must be a positive number of units, got {tuning}")
