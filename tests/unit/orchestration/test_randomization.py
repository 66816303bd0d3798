"""Continuous A/A: the rate of p < 0.05 when there is nothing to find, and the metric that gets it wrong."""

from __future__ import annotations

import numpy as np
import pytest

from neonblue.statistics import MetricKind
from orchestration.defs.calibration.randomization import History, Rate, false_positive_rate, rate_of


def rate(history: History, seed: int = 1) -> Rate:
    found = false_positive_rate(history, seed=seed)
    assert isinstance(found, Rate)
    return found


def histories(seed: int) -> dict[str, History]:
    random = np.random.default_rng(seed)
    clicks = random.poisson(3, 4000).astype(float) + 1
    return {
        "converted": History(MetricKind.PROPORTION, (random.random(4000) < 0.1).astype(float)),
        "revenue": History(MetricKind.MEAN, random.lognormal(1, 1, 4000)),
        "revenue_per_click": History(MetricKind.RATIO, random.lognormal(1, 1, 4000) * clicks, clicks),
    }


@pytest.mark.parametrize("metric", ["converted", "revenue", "revenue_per_click"])
def test_metrics_of_independent_units_keep_their_error_rate(metric: str) -> None:
    found = rate(histories(3)[metric])

    assert found.calibrated, found
    assert found.lower < found.value < found.upper


def test_a_metric_of_correlated_rows_shows_up_by_name() -> None:
    """Ten rows of each unit are alike, but are tested as if each were a unit of its own."""
    random = np.random.default_rng(4)
    units = np.repeat(np.arange(800), 10)
    per_session = History(
        MetricKind.MEAN, random.normal(0, 1, 800)[units] + random.normal(0, 0.3, 8000), clusters=units
    )
    rates = {name: rate(history) for name, history in (histories(3) | {"per_session": per_session}).items()}

    assert [name for name, found in rates.items() if not found.calibrated] == ["per_session"]
    assert rates["per_session"].lower > 0.3


def test_the_same_rows_summed_by_unit_keep_their_error_rate() -> None:
    random = np.random.default_rng(4)
    sums = random.normal(0, 1, 800) * 10 + random.normal(0, 1, 800)

    assert rate(History(MetricKind.MEAN, sums)).calibrated


def test_a_seed_gives_the_same_rate_again() -> None:
    history = histories(5)["revenue"]

    assert rate(history, seed=9) == rate(history, seed=9)
    assert rate(history, seed=9) != rate(history, seed=10)


@pytest.mark.parametrize(
    ("history", "reason"),
    [
        (History(MetricKind.MEAN, np.arange(50.0)), "50 units"),
        (History(MetricKind.MEAN, np.zeros(500)), "same value"),
    ],
)
def test_what_cannot_be_drawn_has_a_reason(history: History, reason: str) -> None:
    found = false_positive_rate(history)

    assert isinstance(found, str)
    assert reason in found


def test_bounds_hold_the_rate_and_narrow_with_the_repetitions() -> None:
    few, many = rate_of(5, 100), rate_of(50, 1000)

    assert few.lower < many.lower < 0.05 < many.upper < few.upper
