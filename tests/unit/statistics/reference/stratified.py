"""Cases of proportions in several strata of different shares."""

from __future__ import annotations

from typing import Any

import numpy as np

from neonblue.statistics import Estimate, MetricKind, compare_strata
from neonblue.statistics.methods.effect import Effect
from neonblue.statistics.methods.score_strata import StratifiedCounts
from neonblue.statistics.methods.stratified import combine
from neonblue.statistics.numerics.tails import normal_quantile
from tests.unit.statistics.reference import Case, _fields

SKIPPED = {
    "diff_pooled_WRONG": "strata are not pooled",
    "measured_wald_by_weights": "of other methods",
}
_SIMULATIONS = 400_000


def compute(case: Case) -> dict[str, Any]:
    if "versions" in case.inputs:
        return _sizes(case)
    strata = [
        tuple(_fields.moments(pair[arm]) for arm in ("control", "treatment"))
        for pair in case.inputs["strata"]
    ]
    row = compare_strata(MetricKind.PROPORTION, strata, case.options["alpha"])
    unpooled = combine(MetricKind.PROPORTION, strata)
    assert isinstance(row.absolute, Estimate)
    assert isinstance(unpooled, Effect)
    return {
        "diff_mh": row.diff,
        "se_mh_unpooled": unpooled.variance**0.5,
        "cmh_z": row.absolute.statistic,
        "cmh_p_two_sided": row.absolute.p_value,
    }


def _sizes(case: Case) -> dict[str, Any]:
    """The bounds themselves where the score test keeps them, else what it measures."""
    z = _score_z(case)
    critical = float(normal_quantile(1 - case.options["alpha"] / 2))
    upper, lower = (float(np.mean(side > critical)) for side in (z, -z))
    two_sided, tail = (case.expected[name] for name in ("size_must_be_at_most", "each_tail_at_most"))
    return {
        "size_must_be_at_most": max(upper + lower, two_sided),
        "each_tail_at_most": max(upper, lower, tail),
    }


def _score_z(case: Case) -> np.ndarray:
    rng = np.random.default_rng(0)
    n_c, n_t = ([[version[arm]] for version in case.inputs["versions"]] for arm in ("control", "treatment"))
    rate, shape = case.inputs["rate"], (len(n_c), _SIMULATIONS)
    counts = StratifiedCounts.of(rng.binomial(n_c, rate, shape), n_c, rng.binomial(n_t, rate, shape), n_t)
    return counts.weighted_diff / np.sqrt(counts.difference_variance(0.0))
