"""Cases of two proportions: z tests, score, Newcombe, Agresti-Caffo and exact methods, and their lifts."""

from __future__ import annotations

import math
from typing import Any

from neonblue.statistics import Estimate, Moments, Status, StatusCode
from neonblue.statistics.bayes.relative import delta_lift_se, log_ratio_interval
from neonblue.statistics.methods.proportions import (
    agresti_caffo_interval,
    fisher_exact_p,
    newcombe_interval,
    not_countable,
    pooled_test,
    unpooled_lift,
    unpooled_test,
)
from neonblue.statistics.methods.score import NO_VARIANCE, ratio_limits, score_interval, score_lift
from neonblue.statistics.methods.t_test import critical_value, infer, welch_df
from tests.unit.statistics.reference import Case, _fields

# Beyond this many units the cases leave the exact test out: it would take minutes and says what z says.
_EXACT_UNITS = 10_000_000


def compute(case: Case) -> dict[str, Any]:
    control, treatment = (_fields.moments(case.inputs[arm]) for arm in ("control", "treatment"))
    alpha = case.options.get("alpha", 0.05)
    corrected = bool(case.options.get("continuity_correction"))
    level = _fields.level_name(alpha)
    empty = not_countable(control, treatment)
    if empty:
        rates = {"p_control": _fields.number(control.mean), "p_treatment": _fields.number(treatment.mean)}
        return rates | {"diff": None} | _fields.error(empty)
    result: dict[str, Any] = {
        "p_control": control.mean,
        "p_treatment": treatment.mean,
        "diff": treatment.mean - control.mean,
        "pooled_z": _test(pooled_test(control, treatment, alpha, continuity_correction=corrected), level),
        "unpooled_z": _test(unpooled_test(control, treatment, alpha), level),
        f"{level}_diff_robust": {
            "newcombe_hybrid_score": _fields.ends(newcombe_interval(control, treatment, alpha)),
            "agresti_caffo": _fields.ends(agresti_caffo_interval(control, treatment, alpha)),
            "miettinen_nurminen_score": _fields.ends(score_interval(control, treatment, alpha)),
        },
        "relative_lift": _lift(control, treatment, alpha, level),
        "welch_t_on_bernoulli_gbstats": _welch(control, treatment, alpha, level),
    }
    if control.n + treatment.n <= _EXACT_UNITS:
        result["fisher_exact_p_two_sided"] = fisher_exact_p(control, treatment)
    return result


def _test(test: Estimate | Status, level: str) -> dict[str, Any]:
    if isinstance(test, Status):
        return _fields.error(test)
    fields = _fields.one_sided_and_log(test)
    return fields | {"z": test.statistic, "se": test.se, f"{level}_diff_wald": _fields.ends(test.interval)}


def _welch(control: Moments, treatment: Moments, alpha: float, level: str) -> dict[str, Any]:
    """What gbstats does: t with Welch's degrees of freedom, on the rates' own variances."""
    test = unpooled_test(control, treatment, alpha)
    if isinstance(test, Status):
        return _fields.error(test)
    by_t = infer(test.diff, test.se, _welch_df(control, treatment), alpha)
    return {
        "dof": float(by_t.df),
        "p_two_sided": float(by_t.p_value),
        level: [float(by_t.lower), float(by_t.upper)],
    }


def _lift(control: Moments, treatment: Moments, alpha: float, level: str) -> dict[str, Any]:
    p_c, p_t = control.mean, treatment.mean
    var_c, var_t = _rate_variance(control), _rate_variance(treatment)
    fieller = unpooled_lift(control, treatment, alpha)
    log_ratio = log_ratio_interval(p_c, var_c, p_t, var_t, alpha)
    if p_c == 0 and isinstance(fieller, Status):
        return _fields.error(fieller)
    return {
        "lift": (p_t - p_c) / p_c,
        "linear_delta": _linear(control, treatment, alpha, level),
        "log_ratio_katz": _fields.error(log_ratio)
        if isinstance(log_ratio, Status)
        else {"se_log": log_ratio[1], level: _fields.ends(log_ratio[0])},
        f"fieller_{level}": _fields.ends(fieller),
        f"ratio_score_mn_{level}": _score_ratio(control, treatment, alpha),
    }


def _score_ratio(control: Moments, treatment: Moments, alpha: float) -> list[float] | dict[str, Any]:
    """The score interval of the lift; the cases invert the test also where it can't test "no lift" itself."""
    lift = score_lift(control, treatment, alpha)
    if isinstance(lift, Status) and lift.code is StatusCode.ZERO_VARIANCE:
        counts = control.sum, control.n, treatment.sum, treatment.n
        return [float(end) - 1 for end in ratio_limits(*counts, critical_value(alpha, math.inf))]
    return _fields.ends(lift)


def _linear(control: Moments, treatment: Moments, alpha: float, level: str) -> dict[str, Any]:
    """The linearised lift: by z, and by t as gbstats does."""
    diff = treatment.mean - control.mean
    var_c, var_t = _rate_variance(control), _rate_variance(treatment)
    se = delta_lift_se(control.mean, var_c, diff, var_c + var_t, -var_c)
    if isinstance(se, Status):
        return _fields.error(se)
    lift = diff / control.mean
    if se == 0:
        return {"se": se} | _fields.error(NO_VARIANCE)
    by_z = infer(lift, se, math.inf, alpha)
    by_t = infer(lift, se, _welch_df(control, treatment), alpha)
    return {
        "se": se,
        f"{level}_z": [float(by_z.lower), float(by_z.upper)],
        f"{level}_welch_t": [float(by_t.lower), float(by_t.upper)],
        "p_two_sided_welch_t_gbstats": float(by_t.p_value),
    }


def _rate_variance(arm: Moments) -> float:
    return arm.mean * (1 - arm.mean) / arm.n


def _welch_df(control: Moments, treatment: Moments) -> float:
    return float(welch_df(_rate_variance(control), control.n, _rate_variance(treatment), treatment.n))
