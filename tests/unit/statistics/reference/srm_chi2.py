"""Cases of the sample-ratio test."""

from __future__ import annotations

from typing import Any

from neonblue.statistics import Status, sample_ratio
from tests.unit.statistics.reference import Case, _fields


def compute(case: Case) -> dict[str, Any]:
    threshold = case.options.get("threshold", 0.001)
    check = sample_ratio(case.inputs["observed"], case.inputs["weights"], threshold)
    if isinstance(check, Status):
        return _fields.error(check)
    return {
        "chi2": check.chi2,
        "df": check.df,
        "p_value": check.p_value,
        "log10_p": check.log10_p,
        f"srm_detected_at_{threshold}".replace(".", "_"): check.detected,
        "exact_binomial_p_two_sided": check.exact_p,
        "small_expected_count_warning": check.small_expected,
        "users_in_zero_weight_arm": check.users_in_zero_weight_arms,
    }
