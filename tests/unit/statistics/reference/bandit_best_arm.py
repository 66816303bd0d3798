"""Cases of the best arm's probability and of the traffic it earns."""

from __future__ import annotations

from typing import Any

from neonblue.statistics import Moments, Status, best_mean, best_rate, thompson_weights
from tests.unit.statistics.reference import Case, _fields


def compute(case: Case) -> dict[str, Any]:
    prior, lowest = case.options.get("prior", [1, 1]), bool(case.options.get("inverse", False))
    arms = case.inputs["arms"]
    if prior == "flat":
        best = best_mean([_fields.moments(arm) for arm in arms], lowest=lowest)
    else:
        rates = [Moments.proportion(int(arm["sum"]), int(arm["n"])) for arm in arms]
        best = best_rate(rates, (prior[0], prior[1]), lowest=lowest)
    if isinstance(best, Status):
        return _fields.error(best)
    weights = thompson_weights(best, case.options.get("min_weight", 0.01))
    return {"prob_best": best, "thompson_weights_with_additive_floor": weights}
