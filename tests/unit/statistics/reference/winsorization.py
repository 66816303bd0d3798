"""Cases of winsorization at a pooled percentile."""

from __future__ import annotations

from typing import Any

from neonblue.statistics import Status
from neonblue.statistics.methods.means import compare_means
from neonblue.statistics.methods.winsorization import QuantileRule, Winsorized, pooled_caps, winsorize
from tests.unit.statistics.reference import Case, _fields


def compute(case: Case) -> dict[str, Any]:
    return {rule.value: _rule(case, rule) for rule in QuantileRule}


def _rule(case: Case, rule: QuantileRule) -> dict[str, Any]:
    raw = [case.inputs[arm] for arm in ("control_raw", "treatment_raw")]
    options = case.options
    caps = pooled_caps(
        raw,
        options["upper_percentile"],
        options.get("two_sided", False),
        options.get("ignore_zeros", False),
        rule,
    )
    control, treatment = (winsorize(values, caps) for values in raw)
    comparison = compare_means(control.moments, treatment.moments)
    result = {
        "upper_cap": caps.upper,
        "lower_cap": caps.lower,
        "control": _arm(control),
        "treatment": _arm(treatment),
        "diff": comparison.diff,
    }
    test = comparison.absolute
    if isinstance(test, Status):
        return result | _fields.error(test)
    return result | {"welch_t": test.statistic, "p": test.p_value}


def _arm(arm: Winsorized) -> dict[str, Any]:
    return {
        "n": arm.moments.n,
        "sum": arm.moments.sum,
        "sum_of_squares": arm.moments.sum_of_squares,
        "n_capped_low": arm.capped_low,
        "n_capped_high": arm.capped_high,
    }
