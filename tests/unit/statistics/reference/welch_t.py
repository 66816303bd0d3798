"""Cases of Welch's test and of the relative lift of a mean."""

from __future__ import annotations

import math
from typing import Any

from neonblue.statistics import Alternative, Comparison, Estimate, Moments, Status
from neonblue.statistics.bayes.relative import delta_lift_se, log_ratio_interval
from neonblue.statistics.methods.fieller import fieller_lift
from neonblue.statistics.methods.means import compare_means, welch_test
from neonblue.statistics.methods.t_test import infer
from tests.unit.statistics.reference import Case, _fields


def compute(case: Case) -> dict[str, Any]:
    control, treatment = (_fields.moments(case.inputs[arm]) for arm in ("control", "treatment"))
    alpha = case.options.get("alpha", 0.05)
    comparison = compare_means(control, treatment, alpha)
    result = {
        "mean_control": comparison.mean_control,
        "mean_treatment": comparison.mean_treatment,
        "var_control": _fields.number(control.variance),
        "var_treatment": _fields.number(treatment.variance),
        "diff": comparison.diff,
    }
    test = comparison.absolute
    if isinstance(test, Status):
        return result | _fields.error(test)
    level = _fields.level_name(alpha)
    greater = welch_test(control, treatment, alpha, Alternative.GREATER)
    less = welch_test(control, treatment, alpha, Alternative.LESS)
    assert isinstance(greater, Estimate)
    assert isinstance(less, Estimate)
    return (
        result
        | _fields.one_sided_and_log(test)
        | {
            "se": test.se,
            "df": test.df,
            "t": test.statistic,
            level: _fields.ends(test.interval),
            f"{level}_upper_only_greater": _fields.ends(greater.interval),
            f"{level}_lower_only_less": _fields.ends(less.interval),
            "relative_lift": _lift(control, treatment, comparison, test, alpha, level),
        }
    )


def _lift(
    control: Moments, treatment: Moments, comparison: Comparison, test: Estimate, alpha: float, level: str
) -> dict[str, Any]:
    var_c, var_t = control.variance / control.n, treatment.variance / treatment.n
    arguments = (control.mean, var_c, test.diff, test.se**2, -var_c)
    se = delta_lift_se(*arguments)
    if isinstance(se, Status):
        return _fields.error(se)
    lift = test.diff / abs(control.mean)
    by_z, by_t = infer(lift, se, math.inf, alpha), infer(lift, se, test.df, alpha)
    log_ratio = log_ratio_interval(control.mean, var_c, treatment.mean, var_t, alpha)
    return {
        "lift_over_abs_control": lift,
        "linear_delta_se": se,
        f"{level}_z": [float(by_z.lower), float(by_z.upper)],
        f"{level}_t_welch_df": [float(by_t.lower), float(by_t.upper)],
        f"fieller_{level}_z": _fields.ends(fieller_lift(*arguments, math.inf, alpha)),
        f"fieller_{level}_t": _fields.ends(comparison.relative),
        f"log_ratio_{level}_z": _fields.ends(log_ratio if isinstance(log_ratio, Status) else log_ratio[0]),
    }
