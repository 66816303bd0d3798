"""Cases of the Gaussian posterior of a difference or a lift."""

from __future__ import annotations

import math
from typing import Any

from neonblue.statistics import LiftPrior, Scale, Status, gaussian_posterior
from neonblue.statistics.methods.cuped import cuped_effect
from neonblue.statistics.methods.effect import Effect
from neonblue.statistics.methods.means import mean_effect
from neonblue.statistics.methods.proportions import proportion_effect
from neonblue.statistics.methods.ratio import ratio_effect
from tests.unit.statistics.reference import Case, _fields


def compute(case: Case) -> dict[str, Any]:
    options = case.options
    stated, level = options["prior"], options.get("credible_level", 0.95)
    prior = LiftPrior(stated["mean"], math.sqrt(stated["variance"]) if stated["proper"] else math.inf)
    scale = Scale(options.get("difference_type", "relative"))
    inverse = bool(options.get("inverse", False))
    posterior = gaussian_posterior(_effect(case), prior, level, scale, lower_is_better=inverse)
    if isinstance(posterior, Status):
        return _fields.error(posterior)
    return {
        "posterior_mean": posterior.mean,
        "posterior_sd": posterior.sd,
        "chance_to_win": posterior.chance_to_win,
        _fields.level_name(1 - level): _fields.ends(posterior.interval),
        "risk_choose_control": posterior.loss_control,
        "risk_choose_treatment": posterior.loss_treatment,
        "data_estimate": posterior.estimate,
        "data_variance": posterior.variance,
    }


def _effect(case: Case) -> Effect | Status:
    arms = [dict(case.inputs[name]) for name in ("control", "treatment")]
    if "sum_m" in arms[0]:
        return ratio_effect(*(_fields.ratio_moments(arm, None) for arm in arms))
    if "sum_y" in arms[0]:
        return cuped_effect(*(_fields.covariate_moments(arm, None) for arm in arms))
    for arm in arms:
        if "sum_squares" in arm:
            arm["sum_of_squares"] = arm["sum_squares"]
    control, treatment = (_fields.moments(arm) for arm in arms)
    by_rates = arms[0].get("type", "mean" if "sum_of_squares" in arms[0] else "prop") == "prop"
    return proportion_effect(control, treatment) if by_rates else mean_effect(control, treatment)
