"""Cases of the mixture sequential probability ratio test."""

from __future__ import annotations

import math
from typing import Any

from neonblue.statistics.result import Interval
from neonblue.statistics.sequential.confidence_sequence import SequentialEstimate
from neonblue.statistics.sequential.mixture_sprt import mixture_sprt
from neonblue.statistics.sequential.running import RunningResult, running
from neonblue.statistics.status import Status
from tests.unit.statistics.reference import Case, _fields
from tests.unit.statistics.reference._arms import arm


def compute(case: Case) -> dict[str, Any]:
    if "looks" in case.inputs:
        return _path(case)
    result = _test(case, case.inputs["diff"], case.inputs["var_diff"])
    if isinstance(result, Status):
        return _fields.error(result)
    null = case.options.get("theta0", 0.0)
    return {
        "log_lambda": result.log_e,
        "log10_lambda": result.log_e / math.log(10),
        "always_valid_p_instant": result.p_value,
        "log10_p": result.log10_p,
        "cs_halfwidth": (result.interval.upper - result.interval.lower) / 2,
        "cs": _ends(result.interval),
        "reject": not result.interval.contains(null),
        "fixed_horizon_z": (result.diff - null) / result.se,
    }


def _test(case: Case, diff: float, variance: float) -> SequentialEstimate | Status:
    options = case.options
    return mixture_sprt(
        diff, variance, options["tau2"], alpha=options.get("alpha", 0.05), null=options.get("theta0", 0.0)
    )


def _path(case: Case) -> dict[str, Any]:
    looks = case.inputs["looks"]
    tests = [_test(case, *_difference(look)) for look in looks]
    return {
        "path": [_row(look, result) for look, result in zip(looks, running(tests), strict=True)],
        "reject": any(isinstance(test, SequentialEstimate) and test.significant for test in tests),
    }


def _difference(look: dict[str, Any]) -> tuple[float, float]:
    if "diff" in look:
        return look["diff"], look["var_diff"]
    control, treatment = (
        arm(look.get(name) or {"n": look[f"n_{name}"], "sum": look[f"x_{name}"]})
        for name in ("control", "treatment")
    )
    return treatment.mean - control.mean, control.variance + treatment.variance


def _row(look: dict[str, Any], result: RunningResult) -> dict[str, Any]:
    row = dict(look) | {"p_running": result.p_value}
    row["cs_running_intersection"] = _ends(result.interval) if result.interval else None
    if isinstance(result.look, Status):
        return row | _fields.error(result.look)
    return row | {
        "p_instant": result.look.p_value,
        "cs": _ends(result.look.interval),
        "log_lambda": result.look.log_e,
    }


def _ends(interval: Interval) -> list[float]:
    return [interval.lower, interval.upper]
