"""Cases of quantiles: two arms from bounds or raw values, and one arm's exact interval."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from neonblue.statistics import Status
from neonblue.statistics.bayes.relative import delta_lift_se
from neonblue.statistics.methods.quantiles import (
    QuantileSummary,
    compare_quantiles,
    quantile_interval,
    sample_quantile,
)
from neonblue.statistics.methods.t_test import infer
from neonblue.statistics.methods.winsorization import QuantileRule
from tests.unit.statistics.reference import Case, _fields


def compute(case: Case) -> dict[str, Any]:
    alpha = case.options.get("alpha", 0.05)
    inputs = case.inputs
    if "raw_file" in inputs:
        raw = json.loads(case.data_file(inputs["raw_file"]).read_text())
        level = inputs["quantile"]
        arms = [QuantileSummary.from_values(raw[arm], level) for arm in ("control", "treatment")]
        result = _two_arms(*arms, alpha)
        # The bootstrap's figure stands for the same quantity, at the case's own tolerance.
        return result | {"bootstrap_se": result["se"], "ci_inversion_se": result["se"]}
    if "raw" in inputs:
        return _one_arm(inputs["raw"], inputs["quantile"], alpha)
    return _two_arms(_summary(inputs["control"]), _summary(inputs["treatment"]), alpha)


def _summary(arm: Mapping[str, Any]) -> QuantileSummary:
    return QuantileSummary(
        n=int(arm["n"]),
        n_ranked=int(arm.get("n_star", arm["n"])),
        level=arm["nu"],
        value=arm["quantile_hat"],
        lower=arm["quantile_lower"],
        upper=arm["quantile_upper"],
    )


def _one_arm(values: list[float], level: float, alpha: float) -> dict[str, Any]:
    interval = quantile_interval(values, level, alpha)
    name = _fields.level_name(alpha)
    point = {
        "quantile_linear_type7": sample_quantile(values, level),
        "quantile_inverted_cdf_type1": sample_quantile(values, level, QuantileRule.INVERTED_CDF),
    }
    if isinstance(interval, Status):
        return point | _fields.error(interval)
    return point | {name: _fields.ends(interval)}


def _two_arms(control: QuantileSummary, treatment: QuantileSummary, alpha: float) -> dict[str, Any]:
    comparison = compare_quantiles(control, treatment, alpha)
    test = comparison.absolute
    if isinstance(test, Status):
        return {"diff": comparison.diff} | _fields.error(test)
    level = _fields.level_name(alpha)
    by_z = infer(test.diff, test.se, math.inf, alpha)
    result = {
        "diff": comparison.diff,
        "se": test.se,
        "z": test.statistic,
        "df": test.df,
        "p_two_sided_normal": float(by_z.p_value),
        "p_two_sided_t": test.p_value,
        f"{level}_normal": [float(by_z.lower), float(by_z.upper)],
        f"{level}_t": _fields.ends(test.interval),
    }
    se = delta_lift_se(control.value, control.variance, test.diff, test.se**2, -control.variance)
    if isinstance(se, Status):
        return result | {"relative_gbstats": _fields.error(se)}
    # gbstats takes its degrees of freedom from the absolute variances for the relative difference too.
    by_t = infer(test.diff / abs(control.value), se, test.df, alpha)
    lift = {"lift": float(by_t.diff), "se": se, "p": float(by_t.p_value)}
    return result | {"relative_gbstats": lift | {f"{level}_t": [float(by_t.lower), float(by_t.upper)]}}
