"""Planning tests of success rates: sample size, power, minimum detectable effect, non-inferiority."""

from __future__ import annotations

import math
from enum import StrEnum

from scipy import special

from neonblue.statistics.planning.means import (
    Design,
    SampleSize,
    impossible,
    no_units,
    root,
    sized,
    unpowered,
)
from neonblue.statistics.status import Status


class NullVariance(StrEnum):
    """The variance a planned test of proportions uses for its statistic."""

    POOLED = "pooled"
    UNPOOLED = "unpooled"


def proportion_sample_size(
    control: float, treatment: float, design: Design, null: NullVariance = NullVariance.POOLED
) -> SampleSize | Status:
    """Units to tell the success rates `control` and `treatment`, both in [0, 1], apart.

    n_c = (z_alpha s_0 + z_power s_1)^2 / (treatment - control)^2, s_1^2 = p_c q_c + p_t q_t / ratio and s_0
    the same with the pooled rate (POOLED) or equal to s_1 (UNPOOLED). Returns IMPOSSIBLE_REQUEST for equal
    rates, rates outside [0, 1], or an impossible design. Source: Fleiss, Levin and Paik (2003), chapter 4.
    """
    problem = design.problem() or _rates(control, treatment)
    if problem:
        return problem
    null_sd, sd = _proportion_sds(control, treatment, 1.0, design.ratio, null)
    return sized(((design.z_alpha * null_sd + design.z_power * sd) / (treatment - control)) ** 2, design)


def arcsine_sample_size(control: float, treatment: float, design: Design) -> SampleSize | Status:
    """Units by Cohen's h = 2 asin(sqrt p_t) - 2 asin(sqrt p_c): n_c = ((z_alpha + z_power) / h)^2 (1 + 1/ratio).

    Statuses as `proportion_sample_size`. Source: Cohen (1988), chapter 6.
    """
    problem = design.problem() or _rates(control, treatment)
    if problem:
        return problem
    h = 2 * (math.asin(math.sqrt(treatment)) - math.asin(math.sqrt(control)))
    return sized(((design.z_alpha + design.z_power) / h) ** 2 * (1 + 1 / design.ratio), design)


def proportion_power(
    control: float,
    treatment: float,
    units: tuple[float, float],
    design: Design,
    null: NullVariance = NullVariance.POOLED,
) -> float | Status:
    """Probability, in (0, 1], that the test of `proportion_sample_size` detects in the true direction.

    units: control and treatment units, > 0; design.power and design.ratio are not looked at.
    Statuses as `proportion_sample_size`.
    """
    problem = unpowered(design).problem() or _rates(control, treatment) or no_units(units)
    if problem:
        return problem
    null_sd, sd = _proportion_sds(control, treatment, *units, null)
    scale = math.sqrt(design.inflation)
    return float(special.ndtr(_quotient(abs(treatment - control) / scale - design.z_alpha * null_sd, sd)))


def proportion_mde(
    control: float,
    units: tuple[float, float],
    design: Design,
    null: NullVariance = NullVariance.POOLED,
    upward: bool = True,
) -> float | Status:
    """Smallest difference from the rate `control` detected with design.power; negative if not `upward`.

    Solves the equation of `proportion_sample_size` for the treatment's rate. Returns IMPOSSIBLE_REQUEST when
    not even a rate of 1 (or 0) would be detected.
    """
    bound = 1 - control if upward else control
    sign = 1 if upward else -1
    problem = design.problem() or _rates(control, control + sign * bound) or no_units(units)
    if problem:
        return problem

    def excess(size: float) -> float:
        rate = min(max(control + sign * size, 0.0), 1.0)
        null_sd, sd = _proportion_sds(control, rate, *units, null)
        return size / math.sqrt(design.inflation) - design.z_alpha * null_sd - design.z_power * sd

    if excess(bound) <= 0:
        return impossible(f"With these units even a rate of {1 if upward else 0} would be missed too often.")
    return sign * root(excess, 0.0, bound)


def noninferiority_sample_size(
    control: float, margin: float, design: Design, true_difference: float = 0.0
) -> SampleSize | Status:
    """Units to show that a success rate is not worse than the control's by the margin (in its unit).

    n_c = (z_alpha + z_power)^2 (p_c q_c + p_t q_t / ratio) / (true_difference - margin)^2, unpooled; a negative
    margin protects against a fall, a positive one against a rise. Returns IMPOSSIBLE_REQUEST when the true
    difference is at or past the margin. Source: Chow, Shao and Wang (2008), chapter 4.
    """
    treatment = control + true_difference
    problem = design.problem() or _in_unit(control, treatment)
    if problem:
        return problem
    if margin == 0 or (true_difference - margin) * math.copysign(1.0, margin) >= 0:
        return impossible("The true difference is at or past the margin: it cannot be shown to be within.")
    variance = control * (1 - control) + treatment * (1 - treatment) / design.ratio
    if variance <= 0:
        return impossible("Rates of 0 or 1 in both arms have no variance to plan with.")
    return sized(((design.z_alpha + design.z_power) / (true_difference - margin)) ** 2 * variance, design)


def _proportion_sds(
    control: float, treatment: float, n_control: float, n_treatment: float, null: NullVariance
) -> tuple[float, float]:
    sd = math.sqrt(control * (1 - control) / n_control + treatment * (1 - treatment) / n_treatment)
    if null is NullVariance.UNPOOLED:
        return sd, sd
    pooled = (control * n_control + treatment * n_treatment) / (n_control + n_treatment)
    return math.sqrt(pooled * (1 - pooled) * (1 / n_control + 1 / n_treatment)), sd


def _quotient(value: float, sd: float) -> float:
    return value / sd if sd > 0 else math.copysign(math.inf, value)


def _rates(control: float, treatment: float) -> Status | None:
    if control == treatment:
        return impossible("The rates are equal: no sample detects a difference of 0.")
    return _in_unit(control, treatment)


def _in_unit(*rates: float) -> Status | None:
    wrong = [rate for rate in rates if not 0 <= rate <= 1]
    return impossible(f"A rate must lie in [0, 1], got {wrong[0]:g}.") if wrong else None
