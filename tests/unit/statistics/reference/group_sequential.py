"""Cases of group-sequential boundaries: fixed shapes and spending functions at any looks."""

from __future__ import annotations

import math
from typing import Any

from neonblue.statistics.numerics.tails import normal_quantile
from neonblue.statistics.sequential.boundaries import (
    Boundaries,
    haybittle_peto_boundaries,
    repeated_testing_error,
    shaped_boundaries,
    spending_boundaries,
)
from neonblue.statistics.sequential.recursion import crossing_probabilities
from neonblue.statistics.sequential.spending import Spending, SpendingFamily
from tests.unit.statistics.reference import Case

_SPENDING = {
    "asOF": SpendingFamily.OBRIEN_FLEMING,
    "asP": SpendingFamily.POCOCK,
    "asKD": SpendingFamily.KIM_DEMETS,
    "asHSD": SpendingFamily.HWANG_SHIH_DECANI,
}
_SHAPES = {"OF": 0.0, "P": 0.5}


def compute(case: Case) -> dict[str, Any]:
    looks = case.inputs.get("looks")
    if "information_rates" not in case.inputs and looks is not None:
        return _naive(case)
    result = _fields(_boundaries(case))
    if "critical_z_if_final_look_spends_rest" in case.expected:
        result["critical_z_if_final_look_spends_rest"] = list(_boundaries(case, final=True).critical_z)
    return result


def tolerance(case: Case, path: tuple[str, ...]) -> tuple[float, float] | None:
    """Fields of z-values and of error rates have their own absolute tolerances."""
    field = next((part for part in path if not part.isdigit()), "")
    if field.startswith("critical_z") or field == "constant":
        return 0.0, case.tolerance.get("z_atol", 2e-4)
    if field.startswith(("alpha", "total", "nominal_p")):
        wanted = case.tolerance.get("alpha_atol", case.tolerance.get("z_atol", 2e-4))
        return 0.0, wanted if not field.startswith("nominal_p") else max(wanted, 3e-5)
    if field == "information_rates":
        return 1e-12, 0.0
    return None


def _boundaries(case: Case, *, final: bool = False) -> Boundaries:
    rates, options = case.inputs["information_rates"], case.options
    kind, alpha, two_sided = (
        options.get("type", "asOF"),
        options.get("alpha", 0.05),
        options.get("sided", 2) == 2,
    )
    shape = next((options[k] for k in ("gamma", "delta", "deltaWT") if options.get(k) is not None), None)
    if kind in _SHAPES or kind == "WT":
        delta = _SHAPES.get(kind, shape)
        return shaped_boundaries(rates, alpha=alpha, two_sided=two_sided, delta=delta)
    if kind == "HP":
        interim = options.get("constantBoundsHP", shape or 3.0)
        return haybittle_peto_boundaries(rates, alpha=alpha, two_sided=two_sided, interim=interim)
    spending = Spending(_SPENDING[kind], 1.0 if shape is None else float(shape))
    planned = float(options.get("planned_information", 1.0))
    return spending_boundaries(
        rates, planned, alpha=alpha, two_sided=two_sided, spending=spending, final=final
    )


def _fields(bounds: Boundaries) -> dict[str, Any]:
    critical = bounds.critical_z
    lower = [-z if bounds.two_sided else -math.inf for z in critical]
    return {
        "information_rates": list(bounds.information),
        "critical_z": list(critical),
        "alpha_spent_cumulative": list(bounds.alpha_spent),
        "nominal_p_two_sided_per_look": list(bounds.nominal_p),
        "nominal_p_one_sided_per_look": [p / 2 for p in bounds.nominal_p],
        "total_type1": crossing_probabilities(bounds.information, lower, critical).total,
        "constant": critical[-1],
    }


def _naive(case: Case) -> dict[str, Any]:
    """Error of testing at a fixed level at every one of K looks."""
    looks, alpha = case.inputs["looks"], case.options.get("alpha", 0.05)
    z = case.options.get("z", float(normal_quantile(1 - alpha / 2)))
    if isinstance(looks, list):
        errors = {str(k): repeated_testing_error(k, z) for k in looks}
        return errors | {"type1": errors, "rates": errors, "type1_error": list(errors.values())}
    error = repeated_testing_error(looks, z)
    return {"type1": error, "total_type1": error, "type1_error": error, "rate": error}
