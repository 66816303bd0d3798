"""Cases of asymptotic confidence sequences: margins, two-sample sequences, other engines' parametrisations."""

from __future__ import annotations

import math
import re
from typing import Any

from neonblue.statistics import Status
from neonblue.statistics.methods.fieller import ZERO_BASELINE
from neonblue.statistics.numerics.tails import normal_quantile
from neonblue.statistics.result import Alternative
from neonblue.statistics.sequential import confidence_sequence as cs
from tests.unit.statistics.reference import Case, _fields
from tests.unit.statistics.reference._arms import Arm, arm

_VARIANT = re.compile(
    r"(?P<side>two_sided|one_sided_greater|one_sided_less)_alpha_(?P<alpha>[\d_e-]+)_tune_(?P<tune>\d+)"
)


def compute(case: Case) -> dict[str, Any]:
    inputs = case.inputs
    if "sigma2" in inputs:
        return {"rows": [_margin(case, n) for n in inputs["n"]]}
    if "n_total" in inputs and "control" not in inputs:
        return _multiplier(case)
    return _two_samples(case)


def _margin(case: Case, n: float) -> dict[str, Any]:
    options = case.options
    alpha, sigma = options["alpha"], math.sqrt(case.inputs["sigma2"])
    if "t_opt" not in options:
        return {"n": n, "halfwidth": sigma * cs.law_of_iterated_logarithm_margin(n, alpha)}
    exact, approximate = (
        cs.multiplier(n, alpha, cs.mixture_precision(alpha, options["t_opt"], exact=e)) for e in (True, False)
    )
    scale = sigma / math.sqrt(n)
    return {
        "n": n,
        "halfwidth_exact_rho": scale * exact,
        "halfwidth_gbstats_rho": scale * approximate,
        "ratio_to_fixed_z": exact / float(normal_quantile(1 - alpha / 2)),
    }


def _multiplier(case: Case) -> dict[str, Any]:
    alpha = case.options["alpha"]
    rho2 = cs.mixture_precision(alpha, case.options.get("N_tune", cs.DEFAULT_TUNING))
    width = cs.multiplier(case.inputs["n_total"], alpha, rho2)
    return {"B": width, "halfwidth": width * case.inputs.get("se", 1.0)}


def _two_samples(case: Case) -> dict[str, Any]:
    control, treatment = arm(case.inputs["control"]), arm(case.inputs["treatment"])
    diff, se = treatment.mean - control.mean, math.sqrt(control.variance + treatment.variance)
    n = control.n + treatment.n
    result: dict[str, Any] = {"diff": diff, "se": se, "n_total": n}
    look = cs.confidence_sequence(diff, se, n)
    if isinstance(look, Status):
        return result | _fields.error(look)
    for field in case.expected:
        if match := _VARIANT.fullmatch(field):
            result[field] = _variant(match, diff, se, n)
    if "relative_gbstats_HEAD" in case.expected:
        result["relative_gbstats_HEAD"] = _relative(case, control, treatment)
    return result | _single(case, diff, se, n)


def _variant(match: re.Match[str], diff: float, se: float, n: int) -> dict[str, Any]:
    alpha, tuning = float(match["alpha"].replace("_", ".")), int(match["tune"])
    if match["side"] == "two_sided":
        look = _sequence(diff, se, n, alpha, tuning)
        return {
            "rho2": cs.mixture_precision(alpha, tuning),
            "log_e_value": look.log_e,
            "always_valid_p": look.p_value,
            "log10_p": look.log10_p,
            "cs": _fields.ends(look.interval),
        }
    greater = match["side"].endswith("greater")
    look = _sequence(diff, se, n, alpha, tuning, Alternative.GREATER if greater else Alternative.LESS)
    bound = {"lower": look.interval.lower} if greater else {"upper": look.interval.upper}
    return bound | {"rho2": cs.mixture_precision(2 * alpha, tuning), "p_exact_inversion": look.p_value}


def _relative(case: Case, control: Arm, treatment: Arm) -> dict[str, Any]:
    """Another engine's lift: the linearised standard error plugged into the sequence of the first alpha."""
    alpha, tuning = _first(case.options["alpha"]), _first(case.options["tuning"])
    if control.mean == 0:
        return _fields.error(ZERO_BASELINE)
    lift = treatment.mean / control.mean - 1
    variance = (treatment.variance + control.variance * (1 + lift) ** 2) / control.mean**2
    look = _sequence(lift, math.sqrt(variance), control.n + treatment.n, alpha, tuning)
    return {"lift": lift, "cs": _fields.ends(look.interval), "p": look.p_value}


def _single(case: Case, diff: float, se: float, n: int) -> dict[str, Any]:
    alpha, tuning = (
        _first(case.options.get("alpha", 0.05)),
        _first(case.options.get("tuning", cs.DEFAULT_TUNING)),
    )
    both = _sequence(diff, se, n, alpha, tuning)
    greater = _sequence(diff, se, n, alpha, tuning, Alternative.GREATER)
    less = _sequence(diff, se, n, alpha, tuning, Alternative.LESS)
    scale = float(case.name.rsplit("_x", 1)[-1]) if "_units_x" in case.name else 1.0
    return {
        "p_two_sided": both.p_value,
        "log10_p": both.log10_p,
        "cs": _fields.ends(both.interval),
        "cs_over_scale": [end / scale for end in (both.interval.lower, both.interval.upper)],
        "p_one_sided_greater": greater.p_value,
        "p_one_sided_less": less.p_value,
        "lower_bound_over_scale": greater.interval.lower / scale,
        "upper_bound_over_scale": less.interval.upper / scale,
    }


def _sequence(
    diff: float,
    se: float,
    n: int,
    alpha: float,
    tuning: float,
    alternative: Alternative = Alternative.TWO_SIDED,
) -> cs.SequentialEstimate:
    look = cs.confidence_sequence(diff, se, n, alpha=alpha, tuning=tuning, alternative=alternative)
    assert isinstance(look, cs.SequentialEstimate)
    return look


def _first(value: Any) -> float:
    return float(value[0] if isinstance(value, list) else value)
