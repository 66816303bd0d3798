from __future__ import annotations

import math

import pytest

from neonblue.simulation.probe import Latencies
from neonblue.simulation.scenario import CONTROL, TREATMENT, Scenario, numbers
from neonblue.simulation.verdict import Verdict

UNITS = 20_000


def test_a_unit_does_the_same_in_every_run_and_another_seed_something_else() -> None:
    first = [Scenario(7).outcome(number, CONTROL) for number in range(200)]

    assert [Scenario(7).outcome(number, CONTROL) for number in reversed(range(200))][::-1] == first
    assert [Scenario(8).outcome(number, CONTROL) for number in range(200)] != first
    assert Scenario(7).experiment("x").salt != Scenario(8).experiment("x").salt


def test_the_truth_is_what_the_units_do_on_average() -> None:
    scenario = Scenario(3)
    control, treatment = (
        [scenario.outcome(number + offset, arm) for number in range(UNITS)]
        for arm, offset in ((CONTROL, 0), (TREATMENT, UNITS))
    )

    def differs(of: list[float], beside: list[float], truth: float) -> float:
        """Standard errors between the measured difference and the truth."""
        means = [sum(values) / UNITS for values in (of, beside)]
        variances = [
            sum((value - mean) ** 2 for value in values) / UNITS
            for values, mean in zip((of, beside), means, strict=True)
        ]
        return abs(means[0] - means[1] - truth) / math.sqrt(sum(variances) / UNITS)

    measured = {
        "conversion": lambda outcome: float(outcome.order is not None),
        "revenue": lambda outcome: float(outcome.order or 0),
        "errors": lambda outcome: float(outcome.error),
    }
    for metric, truth in scenario.truth().items():
        value = measured[metric]
        assert differs([*map(value, treatment)], [*map(value, control)], truth) < 3.9, metric


def test_every_metric_of_the_experiment_has_a_truth() -> None:
    scenario = Scenario(1)

    assert [metric.key for metric in scenario.experiment("x").metrics] == list(scenario.truth())


def test_numbers_cover_everything_once() -> None:
    assert [number for group in numbers(25, 10) for number in group] == list(range(25))


@pytest.mark.parametrize(
    ("interval", "holds"), [((-1.0, 1.0), True), ((0.5, 1.0), True), ((0.6, 1.0), False), (None, False)]
)
def test_a_verdict_needs_an_interval_that_holds_the_truth(
    interval: tuple[float, float] | None, holds: bool
) -> None:
    assert Verdict("m", (1, 1), (0.0, 0.5), 0.5, interval, 0.5).holds is holds


def test_latency_quantiles_are_measured_values() -> None:
    latencies = Latencies([0.3, 0.1, 0.2, 0.9])

    assert (latencies.quantile(0.5), latencies.quantile(0.99)) == (0.3, 0.9)
    assert math.isnan(Latencies().quantile(0.5))
