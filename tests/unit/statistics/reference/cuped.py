"""Cases of CUPED with the three ways to estimate theta."""

from __future__ import annotations

import math
from typing import Any

from neonblue.statistics import CovariateMoments, Estimate, Status, Theta
from neonblue.statistics.bayes.relative import delta_lift_se
from neonblue.statistics.methods.cuped import CupedAdjustment, adjust, ancova_standard_error, cuped_test
from neonblue.statistics.methods.means import compare_means
from neonblue.statistics.methods.t_test import infer
from tests.unit.statistics.reference import Case, _fields

SKIPPED = {"delta_se_gbstats_HEAD_formula": "gbstats drops a term of the gradient; the full one is compared"}

_THETAS = {
    "theta_total": Theta.POOLED,
    "theta_within_pooled_ANCOVA": Theta.WITHIN,
    "lin_2013_per_arm": Theta.PER_ARM,
}


def compute(case: Case) -> dict[str, Any]:
    raw = case.inputs.get("raw") or {}
    control, treatment = (
        _fields.covariate_moments(case.inputs[arm], raw.get(arm)) for arm in ("control", "treatment")
    )
    alpha = case.options.get("alpha", 0.05)
    result = {name: _method(control, treatment, theta, alpha) for name, theta in _THETAS.items()}
    result["theta_within_pooled_ANCOVA"]["se_ols_homoskedastic_R"] = ancova_standard_error(control, treatment)
    result["unadjusted"] = _unadjusted(control, treatment)
    result["relative_lift_theta_total"] = _lift(control, adjust(control, treatment, Theta.POOLED))
    return result


def _unadjusted(control: CovariateMoments, treatment: CovariateMoments) -> dict[str, Any]:
    plain = compare_means(control.outcome, treatment.outcome)
    if isinstance(plain.absolute, Status):
        return {"diff": plain.diff} | _fields.error(plain.absolute)
    return {"diff": plain.diff, "se": plain.absolute.se}


def _method(
    control: CovariateMoments, treatment: CovariateMoments, theta: Theta, alpha: float
) -> dict[str, Any]:
    adjustment = adjust(control, treatment, theta)
    if isinstance(adjustment, Status):
        return _fields.error(adjustment)
    test = cuped_test(control, treatment, alpha, theta=theta)
    result = {
        "theta": None if theta is Theta.PER_ARM else adjustment.theta_control,
        "theta_control": adjustment.theta_control,
        "theta_treatment": adjustment.theta_treatment,
        "diff": adjustment.diff,
        "se": math.sqrt(adjustment.var_control + adjustment.var_treatment),
        "variance_reduction": adjustment.variance_reduction,
    }
    return result | (_inference(test, alpha) if isinstance(test, Estimate) else _fields.error(test))


def _inference(test: Estimate, alpha: float) -> dict[str, Any]:
    by_z = infer(test.diff, test.se, math.inf, alpha)
    level = _fields.level_name(alpha)
    return {
        "z": test.statistic,
        "p_two_sided_normal": float(by_z.p_value),
        f"{level}_normal": [float(by_z.lower), float(by_z.upper)],
        "welch_df": test.df,
        "p_two_sided_t": test.p_value,
        f"{level}_t": _fields.ends(test.interval),
    }


def _lift(control: CovariateMoments, adjustment: CupedAdjustment | Status) -> dict[str, Any]:
    if isinstance(adjustment, Status):
        return _fields.error(adjustment)
    outcome = control.outcome
    total = adjustment.var_control + adjustment.var_treatment
    baseline = (outcome.mean, outcome.variance / outcome.n)
    se = delta_lift_se(*baseline, adjustment.diff, total, adjustment.covariance)
    if isinstance(se, Status):
        return _fields.error(se)
    return {"lift": adjustment.diff / abs(outcome.mean), "delta_se_full_gradient": se}
