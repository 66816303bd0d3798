"""Continuous A/A: the rate of p < 0.05 when there is nothing to find, and the metric that gets it wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from neonblue.statistics import MetricKind
from orchestration.defs.calibration import randomization
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
        "revenue_adjusted": History(
            MetricKind.MEAN, clicks + random.normal(0, 1, 4000), covariates=clicks + random.normal(0, 1, 4000)
        ),
        "slowest": History(MetricKind.QUANTILE, random.lognormal(1, 1, 4000), level=0.9),
    }


HONEST = ["converted", "revenue", "revenue_per_click", "revenue_adjusted", "slowest"]


@pytest.mark.parametrize("metric", HONEST)
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


def test_a_ratio_of_events_that_are_tested_as_if_independent_shows_up() -> None:
    """Clicks per view: each unit clicks at a rate of its own, so its views are alike."""
    random = np.random.default_rng(6)
    units = np.repeat(np.arange(1000), random.integers(1, 20, 1000))
    clicked = (random.random(units.size) < random.beta(0.5, 2, 1000)[units]).astype(float)

    as_events = rate(History(MetricKind.PROPORTION, clicked, clusters=units))
    as_ratio = rate(History(MetricKind.RATIO, np.bincount(units, clicked), np.bincount(units).astype(float)))

    assert as_events.lower > 0.1
    assert as_ratio.calibrated


def test_a_test_that_halves_the_variance_shows_up(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = randomization.compare_mean_arrays

    def halved(n_c: Any, s_c: Any, q_c: Any, n_t: Any, s_t: Any, q_t: Any) -> Any:
        q_c, q_t = ((q + s * s / n) / 2 for n, s, q in ((n_c, s_c, q_c), (n_t, s_t, q_t)))
        return honest(n_c, s_c, q_c, n_t, s_t, q_t)

    monkeypatch.setattr(randomization, "compare_mean_arrays", halved)
    rates = {name: rate(history) for name, history in histories(3).items()}

    assert [name for name, found in rates.items() if not found.calibrated] == ["revenue"]


@pytest.mark.parametrize("outcomes", [25, 30, 42, 50, 73])
def test_a_rare_outcome_is_not_taken_for_a_wrong_variance(outcomes: int) -> None:
    happened = np.repeat([1.0, 0.0], [outcomes, 5000 - outcomes])

    assert rate(History(MetricKind.PROPORTION, happened)).calibrated


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
        (History(MetricKind.PROPORTION, np.repeat([1.0, 0.0], [24, 476])), "only 24 units differ"),
        (History(MetricKind.RATIO, np.ones(500), np.ones(500)), "same value"),
        (History(MetricKind.QUANTILE, np.repeat([0.0, 1.0], [100, 400]), level=0.9), "drawings gave a test"),
    ],
)
def test_what_cannot_be_drawn_has_a_reason(history: History, reason: str) -> None:
    found = false_positive_rate(history)

    assert isinstance(found, str)
    assert reason in found


def test_bounds_hold_the_rate_and_narrow_with_the_repetitions() -> None:
    few, many = rate_of(5, 100), rate_of(50, 1000)

    assert few.lower < many.lower < 0.05 < many.upper < few.upper
