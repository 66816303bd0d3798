"""Cases of ratio metrics by the delta method."""

from __future__ import annotations

import math
from typing import Any

from neonblue.statistics import RatioMoments, Status
from neonblue.statistics.bayes.relative import delta_lift_se, log_ratio_interval
from neonblue.statistics.methods.fieller import fieller_lift
from neonblue.statistics.methods.ratio import RatioValue, compare_ratios, ratio_value
from neonblue.statistics.methods.t_test import infer
from tests.unit.statistics.reference import Case, _fields

SKIPPED = {"trap_naive_event_level_binomial_se": "the wrong error of events taken for units"}


def compute(case: Case) -> dict[str, Any]:
    raw = case.inputs.get("raw") or {}
    control, treatment = (
        _fields.ratio_moments(case.inputs[arm], raw.get(arm)) for arm in ("control", "treatment")
    )
    alpha = case.options.get("alpha", 0.05)
    level = _fields.level_name(alpha)
    comparison = compare_ratios(control, treatment, alpha)
    c, t = ratio_value(control), ratio_value(treatment)
    result = {"control": _arm(control, c), "treatment": _arm(treatment, t), "diff": comparison.diff}
    test = comparison.absolute
    if isinstance(test, Status) or isinstance(c, Status) or isinstance(t, Status):
        assert isinstance(test, Status)
        return result | _fields.error(test)
    by_z = infer(test.diff, test.se, math.inf, alpha)
    return result | {
        "se": test.se,
        "z": test.statistic,
        "p_two_sided_normal": float(by_z.p_value),
        "log10_p_two_sided_normal": float(by_z.log10_p),
        f"{level}_normal": [float(by_z.lower), float(by_z.upper)],
        "welch_df": test.df,
        "p_two_sided_t": test.p_value,
        f"{level}_t": _fields.ends(test.interval),
        "relative_lift": _lift(c, t, alpha, level),
    }


def _arm(arm: RatioMoments, value: RatioValue | Status) -> dict[str, Any]:
    if isinstance(value, Status):
        ratio = arm.sum_m / arm.sum_d if arm.sum_d else None
        return {"ratio": ratio, "cov": _fields.number(arm.covariance)} | _fields.error(value)
    return {"ratio": value.ratio, "var_ratio_unit": value.unit_variance, "cov": arm.covariance}


def _lift(c: RatioValue, t: RatioValue, alpha: float, level: str) -> dict[str, Any]:
    diff, total = t.ratio - c.ratio, c.variance + t.variance
    se = delta_lift_se(c.ratio, c.variance, diff, total, -c.variance)
    if isinstance(se, Status):
        return _fields.error(se)
    linear = infer(diff / abs(c.ratio), se, math.inf, alpha)
    fieller = fieller_lift(c.ratio, c.variance, diff, total, -c.variance, math.inf, alpha)
    log_ratio = log_ratio_interval(c.ratio, c.variance, t.ratio, t.variance, alpha)
    return {
        "lift": diff / abs(c.ratio),
        "linear_delta_se": se,
        f"{level}_normal": [float(linear.lower), float(linear.upper)],
        f"fieller_{level}": _fields.ends(fieller),
        f"log_ratio_{level}": _fields.ends(log_ratio if isinstance(log_ratio, Status) else log_ratio[0]),
    }
