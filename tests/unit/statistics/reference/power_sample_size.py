"""Cases of sample size, power and minimum detectable effect."""

from __future__ import annotations

from typing import Any

from neonblue.statistics.planning import means, proportions
from neonblue.statistics.planning.means import Design, SampleSize
from neonblue.statistics.planning.proportions import NullVariance
from neonblue.statistics.planning.sequential import (
    boundary_inflation,
    equal_looks,
    group_sequential_inflation,
)
from neonblue.statistics.sequential.boundaries import shaped_boundaries
from neonblue.statistics.sequential.spending import Spending, SpendingFamily
from neonblue.statistics.status import Status
from tests.unit.statistics.reference import Case

_SPENDING = {"asOF": SpendingFamily.OBRIEN_FLEMING, "asP": SpendingFamily.POCOCK}


def compute(case: Case) -> dict[str, Any]:
    inputs, options = case.inputs, case.options
    design = Design(
        alpha=options["alpha"],
        power=options["power"],
        sided=options.get("sided", 2),
        ratio=options.get("ratio_treatment_to_control", 1.0),
    )
    if any("inflation" in field for field in case.expected):
        return _inflation(case, design)
    if "margin" in inputs:
        return _noninferiority(inputs, design)
    if "n_control" in inputs:
        return _detectable(inputs, design)
    return _means(inputs, design) if "delta" in inputs else _proportions(inputs, design)


def _inflation(case: Case, design: Design) -> dict[str, Any]:
    """The factor on a fixed sample: of classical shapes or spending functions at equal looks."""
    settings = {**case.inputs, **case.options}
    looks = next(settings[key] for key in ("kMax", "K", "k", "looks") if key in settings)
    kind = str(settings.get("type", "OF"))
    fractions = settings.get("information_rates", equal_looks(looks))
    factor: float | Status
    if kind in _SPENDING:
        factor = group_sequential_inflation(design, fractions, Spending(_SPENDING[kind]))
    else:
        delta = 0.5 if kind.lower() in ("p", "pocock") else 0.0
        bounds = shaped_boundaries(fractions, alpha=design.alpha, two_sided=design.sided == 2, delta=delta)
        factor = boundary_inflation(design, bounds)
    if isinstance(factor, Status):
        return {"error": factor.code}
    return {field: factor for field in case.expected if "inflation" in field}


def _proportions(inputs: Any, design: Design) -> dict[str, Any]:
    rates = inputs["p_control"], inputs["p_treatment"]
    pooled = proportions.proportion_sample_size(*rates, design)
    unpooled = proportions.proportion_sample_size(*rates, design, NullVariance.UNPOOLED)
    cohen = proportions.arcsine_sample_size(*rates, design)
    if isinstance(pooled, Status) or isinstance(unpooled, Status) or isinstance(cohen, Status):
        return {"error": next(s.code for s in (pooled, unpooled, cohen) if isinstance(s, Status))}
    return {
        "n_control_pooled_null": pooled.control,
        "n_treatment_pooled_null": pooled.treatment,
        "n_control_pooled_null_ceil": pooled.control_units,
        "total_pooled_null_ceil": pooled.total,
        "n_control_unpooled": unpooled.control,
        "n_control_cohen_h": cohen.control,
        "power_at_ceil_n_normal_approx_pooled_null": proportions.proportion_power(
            *rates, (pooled.control_units, pooled.treatment_units), design
        ),
    }


def _detectable(inputs: Any, design: Design) -> dict[str, Any]:
    rate, units = inputs["p_control"], (inputs["n_control"], inputs["n_treatment"])
    fields: dict[str, Any] = {}
    for null in NullVariance:
        for direction in ("up", "down"):
            effect = proportions.proportion_mde(rate, units, design, null, direction == "up")
            missing = isinstance(effect, Status)
            fields[f"mde_abs_{direction}_{null}"] = None if missing else effect
            fields[f"mde_rel_{direction}_{null}"] = None if missing else effect / rate
    shortcut = means.mean_mde((rate * (1 - rate)) ** 0.5, units, design)
    return fields | {"mde_equal_variance_shortcut": shortcut}


def _means(inputs: Any, design: Design) -> dict[str, Any]:
    normal = means.mean_sample_size(inputs["sd"], inputs["delta"], design)
    student = means.student_sample_size(inputs["sd"], inputs["delta"], design)
    if isinstance(normal, Status) or isinstance(student, Status):
        return {"error": next(s.code for s in (normal, student) if isinstance(s, Status))}
    return {
        "effect_size_d": abs(inputs["delta"]) / inputs["sd"],
        "n_control_z": normal.control,
        "n_control_t": student.control,
        "n_control_t_ceil": student.control_units,
    }


def _noninferiority(inputs: Any, design: Design) -> dict[str, Any]:
    size = proportions.noninferiority_sample_size(
        inputs["p_control"], inputs["margin"], design, inputs.get("true_diff", 0.0)
    )
    return {"n_per_arm": size.control} if isinstance(size, SampleSize) else {"error": size.code}
