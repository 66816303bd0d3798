"""Targets of calibration: error rates and coverage, enumerated exactly or simulated with a fixed seed."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any

from neonblue.statistics.numerics.tails import normal_quantile
from neonblue.statistics.sequential.boundaries import repeated_testing_error
from neonblue.statistics.sequential.confidence_sequence import mixture_precision, multiplier
from tests.calibration import exact, methods, paths, simulated
from tests.unit.statistics.reference import Case

_SIMS, _RARE_SIMS = 3000, 20_000
_RARE = 0.003
_ERRORS = 3
_STATISTICS = {
    "pooled_z": methods.pooled_z,
    "unpooled_z": methods.unpooled_z,
    "linear_delta_relative": methods.linear_delta_z,
    "log_ratio": methods.log_ratio_z,
}
_LIFTS = {
    "linear_delta": methods.linear_delta,
    "log_ratio": methods.log_ratio,
    "fieller": methods.fieller,
    "spotify_constant_denominator": methods.constant_denominator,
}
_DIFFERENCES = {
    "wald": methods.wald,
    "newcombe": methods.newcombe,
    "agresti_caffo": methods.agresti_caffo,
    "default": methods.default_difference,
}


def compute(case: Case) -> dict[str, Any]:
    for prefix, compute_case in _BY_NAME.items():
        if case.name.startswith(prefix):
            return compute_case(case)
    raise LookupError(f"no calibration is known under the name {case.name}")


def tolerance(case: Case, path: tuple[str, ...]) -> tuple[float, float] | None:
    """Simulated rates may differ by three standard errors of both simulations together."""
    if path[0] != "rates":
        return None
    if path[-1] == "mc_se":
        return 0.5, 2e-3
    population = case.expected["rates"][path[1]]
    theirs = case.inputs["sims"]
    # Of few events the rate seen tells little of its own error: some are granted, as by Agresti and Coull (1998).
    rate = (population[path[2]]["rate"] * theirs + _ERRORS**2 / 2) / (theirs + _ERRORS**2)
    return 0.0, _ERRORS * math.hypot(*(_standard_error(rate, sims) for sims in (_sims(population), theirs)))


def _type1(case: Case) -> dict[str, Any]:
    return {"rows": [_rejections(case, row) for row in case.expected["rows"]]}


def _rejections(case: Case, row: Mapping[str, Any]) -> dict[str, Any]:
    grid = exact.Grid.of(row["n_control"], row["n_treatment"], row["p"], row["p"])
    alpha = case.options.get("alpha", 0.05)
    rates = {name: exact.rejection(grid, statistic, alpha) for name, statistic in _STATISTICS.items()}
    return dict(row) | rates


def _lift_coverage(case: Case) -> dict[str, Any]:
    rows = []
    for row in case.expected["rows"]:
        p, lift = row["p_control"], row["lift"]
        grid = exact.Grid.of(row["n_control"], row["n_treatment"], p, p * (1 + lift))
        rates = {name: exact.coverage(grid, limits, lift) for name, limits in _LIFTS.items()}
        rates["wald_absolute"] = exact.coverage(grid, methods.wald, p * lift)
        rows.append(_settings(row, ("n_control", "n_treatment", "p_control", "lift")) | rates)
    return {"rows": rows}


def _difference_coverage(case: Case) -> dict[str, Any]:
    rows = []
    for row in case.expected["rows"]:
        n, p_c, p_t = row["n_per_arm"], row["p_control"], row["p_treatment"]
        grid = exact.Grid.of(n, n, p_c, p_t)
        rates = {name: exact.coverage(grid, limits, p_t - p_c) for name, limits in _DIFFERENCES.items()}
        assert rates["default"] >= 0.935, "the default small-sample interval must cover"
        rows.append(_settings(row, ("n_per_arm", "p_control", "p_treatment")) | rates)
    return {"rows": rows}


def _daily_sample_ratio(case: Case) -> dict[str, Any]:
    looks = case.inputs["looks"]
    at = {
        name: float(-normal_quantile(p / 2))
        for name, p in (("", case.options["threshold_p"]), ("at_0_05_", 0.05))
    }
    return {f"fixed_chi2_{name}any_look": repeated_testing_error(looks, z) for name, z in at.items()}


def _bayesian_peeking(case: Case) -> dict[str, Any]:
    z = float(normal_quantile(0.95))
    return {str(looks): repeated_testing_error(looks, z) for looks in case.inputs["looks"]}


def _peeking(case: Case) -> dict[str, Any]:
    n_min, n_max, sims = (case.inputs[k] for k in ("n_min", "n_max", "sims"))
    rates = {}
    for name, stated in case.expected["rates"].items():
        found = _population(name, n_min, n_max, _sims(stated))
        rates[name] = {
            rule: {"rate": rate, "mc_se": _standard_error(rate, sims)} for rule, rate in found.items()
        }
    for rules in rates.values():
        for name in ("asympCS", "mSPRT"):
            assert rules[name]["rate"] <= 0.05 + 3 * rules[name]["mc_se"], (
                "an always-valid rule must keep its error"
            )
    return {"rates": rates}


def _sims(stated: Mapping[str, Any]) -> int:
    """Simulations of a population: many where a rule rejects so rarely that few would see it."""
    return _RARE_SIMS if min(rule["rate"] for rule in stated.values()) < _RARE else _SIMS


@functools.cache
def _population(name: str, n_min: int, n_max: int, sims: int) -> dict[str, float]:
    tuned = name.endswith("N*=500")
    return paths.false_positive_rates(
        _POPULATIONS[name.split("_from_")[0]](),
        n_min=n_min,
        n_max=n_max,
        sims=sims,
        seed=2026,
        tuning=500 if tuned else 5000,
        tau2_share=1e-2 if tuned else 1e-3,
    )


def _standard_error(rate: float, sims: int) -> float:
    return math.sqrt(rate * (1 - rate) / sims)


_POPULATIONS: dict[str, Callable[[], paths.Population]] = {
    "normal": paths.normal,
    "bernoulli_0.1": lambda: paths.bernoulli(0.1),
    "bernoulli_0.01": lambda: paths.bernoulli(0.01),
    "lognormal_sigma2_zero_inflated_95pct": paths.rare_lognormal,
    "lognormal_zero_inflated": paths.rare_lognormal,
}


def _many_tests(case: Case) -> dict[str, Any]:
    metrics, true = case.inputs["m"], case.inputs["true"]
    discovery, family = simulated.false_discoveries(4000, 7, metrics, true)
    return {"bh_fdr": discovery, "bh_fdr_theory": 0.05 * (metrics - true) / metrics, "holm_fwer": family}


def _ratio(case: Case) -> dict[str, Any]:
    delta, naive = simulated.ratio_metric(2000, 2026, case.inputs["n_per_arm"])
    return {"delta_method": delta, "naive_event_level": naive}


def _cuped(case: Case) -> dict[str, Any]:
    coverage, reduction = simulated.cuped(4000, 2026, case.inputs["n_per_arm"])
    return {"coverage": coverage, "mean_variance_reduction": reduction}


def _uniform(case: Case) -> dict[str, Any]:
    """The case states limits: a limit that holds is given back as it is, one that does not as what was measured."""
    ks_p, share = simulated.uniformity(simulated.same_units_split_again(case.inputs["aa_runs"], 2026))
    low, high = case.expected["share_p_lt_0_05"]
    return {
        "ks_p_min": min(ks_p, case.expected["ks_p_min"]),
        "share_p_lt_0_05": [min(share, low), max(share, high)],
    }


def _price(case: Case) -> dict[str, Any]:
    alpha = case.options["alpha"]
    rho2 = mixture_precision(alpha, case.options["tuning"])
    fixed = float(normal_quantile(1 - alpha / 2))
    widths = [(n, multiplier(n, alpha, rho2) / fixed) for n in case.inputs["n"]]
    return {
        "rows": [
            {"n_total": n, "cs_over_fixed_ci_width": w, "mde_or_sample_inflation": w * w} for n, w in widths
        ]
    }


def _settings(row: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: row[name] for name in names}


_BY_NAME: dict[str, Callable[[Case], dict[str, Any]]] = {
    "exact_type1": _type1,
    "exact_coverage_relative": _lift_coverage,
    "exact_coverage_small": _difference_coverage,
    "srm_chi2_repeated": _daily_sample_ratio,
    "bayesian_flat_prior_peeking": _bayesian_peeking,
    "sequential_type1": _peeking,
    "bh_fdr": _many_tests,
    "ratio_metric": _ratio,
    "cuped": _cuped,
    "aa_uniformity": _uniform,
    "asymptotic_cs_width_price": _price,
}
