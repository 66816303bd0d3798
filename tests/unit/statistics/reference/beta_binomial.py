"""Cases of the Beta-Binomial comparison."""

from __future__ import annotations

from typing import Any

from neonblue.statistics import Moments, Status, beta_posterior
from tests.unit.statistics.reference import Case, _fields


def compute(case: Case) -> dict[str, Any]:
    options = case.options
    level = options.get("credible_level", 0.95)
    arms = [Moments.proportion(int(case.inputs[a]["sum"]), int(case.inputs[a]["n"])) for a in _ARMS]
    prior = (options.get("prior_alpha", 1), options.get("prior_beta", 1))
    posterior = beta_posterior(*arms, prior=prior, level=level)
    if isinstance(posterior, Status):
        return _fields.error(posterior)
    name = _fields.level_name(1 - level)
    return {
        "posterior_control": [posterior.control.a, posterior.control.b],
        "posterior_treatment": [posterior.treatment.a, posterior.treatment.b],
        "prob_b_beats_a": posterior.prob_treatment,
        "prob_a_beats_b": posterior.prob_control,
        "posterior_mean_control": posterior.control.mean,
        "posterior_mean_treatment": posterior.treatment.mean,
        "expected_loss_choose_b": posterior.loss_treatment,
        "expected_loss_choose_a": posterior.loss_control,
        f"{name}_control": _fields.ends(posterior.interval_control),
        f"{name}_treatment": _fields.ends(posterior.interval_treatment),
        "diff_mean": posterior.diff,
        f"diff_{name}": _fields.ends(posterior.interval_diff),
        f"rel_lift_{name}": _fields.ends(posterior.interval_lift),
        "rel_lift_median": posterior.lift_median,
    }


_ARMS = ("control", "treatment")
