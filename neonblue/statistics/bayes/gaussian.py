"""Gaussian Bayesian comparison: a conjugate normal posterior of the difference or of the lift.

Library only: no part of the platform calls it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from scipy import special

from neonblue.statistics.bayes.relative import delta_lift_se
from neonblue.statistics.methods.effect import Effect
from neonblue.statistics.methods.fieller import ZERO_BASELINE
from neonblue.statistics.numerics.tails import normal_quantile, normal_sf
from neonblue.statistics.result import Interval
from neonblue.statistics.status import Status, StatusCode


class Scale(StrEnum):
    """What the posterior is about: treatment - control, or that relative to |control|."""

    ABSOLUTE = "absolute"
    RELATIVE = "relative"


@dataclass(frozen=True, slots=True)
class LiftPrior:
    """Normal prior of the relative lift: mean, and standard deviation sd > 0 (inf: flat, improper)."""

    mean: float = 0.0
    sd: float = 0.3


@dataclass(frozen=True, slots=True)
class GaussianPosterior:
    """Normal posterior of an effect, on the scale asked for.

    mean, sd: of the posterior; estimate, variance: what the data alone say. chance_to_win: P(treatment is
    better), in [0, 1]. loss_treatment, loss_control: expected loss >= 0 of choosing that arm, on the same
    scale. interval: central credible interval.
    """

    mean: float
    sd: float
    estimate: float
    variance: float
    chance_to_win: float
    loss_treatment: float
    loss_control: float
    interval: Interval


def gaussian_posterior(
    effect: Effect | Status,
    prior: LiftPrior | None = None,
    level: float = 0.95,
    scale: Scale = Scale.RELATIVE,
    *,
    lower_is_better: bool = False,
) -> GaussianPosterior | Status:
    """Posterior of an effect from its estimate's normal likelihood and a normal prior on the lift.

    prior: default LiftPrior(), N(0, 0.3^2); on the absolute scale it is multiplied by |control|. The lift's
    variance is the linear one (delta method), so a control near zero makes it poor. 1 / sd^2 = 1 / prior
    variance + 1 / data variance, the mean weighted likewise. Looking often is not free: the probability is
    right only if the prior is. A status given for `effect` is returned; ZERO_BASELINE where a lift or a
    scaled prior needs a control that is not 0; IMPROPER_PRIOR for an sd that is not above 0. Raises
    ValueError for a level outside (0, 1). Source: Gelman et al. (2013), section 2.5.
    """
    prior = prior or LiftPrior()
    if isinstance(effect, Status):
        return effect
    if not prior.sd > 0 or not math.isfinite(prior.mean):
        return Status(
            StatusCode.IMPROPER_PRIOR, f"The prior needs a finite mean and an sd above 0, got {prior}."
        )
    data = _data(effect, scale)
    if isinstance(data, Status):
        return data
    unit = abs(effect.control) if scale is Scale.ABSOLUTE else 1.0
    if unit == 0 and math.isfinite(prior.sd):
        return ZERO_BASELINE
    estimate, variance = data
    prior_precision = 0.0 if math.isinf(prior.sd) else (prior.sd * unit) ** -2
    precision = prior_precision + 1 / variance
    mean = (prior_precision * prior.mean * unit + estimate / variance) / precision
    sd = precision**-0.5
    margin = sd * float(normal_quantile((1 + level) / 2))
    better = -mean if lower_is_better else mean
    return GaussianPosterior(
        mean=mean,
        sd=sd,
        estimate=estimate,
        variance=variance,
        chance_to_win=float(normal_sf(-better / sd)),
        loss_treatment=expected_excess(-better, sd),
        loss_control=expected_excess(better, sd),
        interval=Interval(mean - margin, mean + margin, level),
    )


def expected_excess(mean: float, sd: float) -> float:
    """E[max(X, 0)] for X ~ N(mean, sd^2), sd > 0, with its digits kept far below zero.

    sd phi(z) + mean Phi(z), z = mean / sd; below zero phi(z) is factored out with the scaled
    complementary error function, where the two terms would cancel.
    """
    z = mean / sd
    density = math.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    if z >= 0:
        return sd * density + mean * float(normal_sf(-z))
    mills = math.sqrt(math.pi / 2) * float(special.erfcx(-z / math.sqrt(2)))
    return sd * density * max(0.0, 1 + z * mills)


def _data(effect: Effect, scale: Scale) -> tuple[float, float] | Status:
    if scale is Scale.ABSOLUTE:
        return effect.diff, effect.variance
    if effect.control == 0:
        return ZERO_BASELINE
    se = delta_lift_se(effect.control, effect.var_control, effect.diff, effect.variance, effect.covariance)
    return se if isinstance(se, Status) else (effect.diff / abs(effect.control), se**2)
