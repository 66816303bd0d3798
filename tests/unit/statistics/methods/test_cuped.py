"""Variance reduction: what it gains, and when it steps back."""

import numpy as np
import pytest

from neonblue.statistics import (
    CovariateMoments,
    Estimate,
    Experiment,
    Lift,
    Margin,
    Metric,
    MetricKind,
    NonInferiority,
    Plan,
    Role,
    StatusCode,
    analyze,
    analyze_metric,
    compare_cuped,
    compare_means,
)
from neonblue.statistics.methods.by_kind import guard_metric


def arm(n, effect, seed, noise=0.5):
    rng = np.random.default_rng(seed)
    before = rng.gamma(2.0, 5.0, n)
    return CovariateMoments.from_values(effect + before + noise * rng.normal(size=n), before)


CONTROL, TREATMENT = arm(200, 10.0, 1), arm(220, 10.4, 2)


def test_the_adjusted_interval_is_narrower_and_agrees_with_its_lift():
    adjusted = compare_cuped(CONTROL, TREATMENT)
    plain = compare_means(CONTROL.outcome, TREATMENT.outcome)

    assert adjusted.fallback is None
    assert adjusted.adjustment.variance_reduction > 0.95
    assert isinstance(adjusted.comparison.absolute, Estimate)
    assert isinstance(adjusted.comparison.relative, Lift)
    assert adjusted.comparison.absolute.se < plain.absolute.se / 4
    assert adjusted.comparison.significant
    assert not adjusted.comparison.relative.interval.contains(0)
    assert not plain.significant


def test_a_covariate_that_is_the_outcome_leaves_nothing_to_test_and_falls_back():
    values = [float(i % 11) for i in range(60)]
    same = CovariateMoments.from_values(values, values)

    found = compare_cuped(same, same)

    assert found.adjustment is None
    assert found.fallback.code is StatusCode.ZERO_VARIANCE
    assert found.comparison == compare_means(same.outcome, same.outcome)


def test_an_outcome_that_never_varies_has_the_plain_tests_reason():
    same = CovariateMoments.from_values([2.0] * 40, [float(i) for i in range(40)])

    found = compare_cuped(same, same)

    assert found.fallback == compare_means(same.outcome, same.outcome).absolute
    assert found.fallback.code is StatusCode.ZERO_VARIANCE


def test_the_analysis_adjusts_checks_the_balance_and_says_when_it_does_not():
    metric = Metric("spend", MetricKind.MEAN, Role.PRIMARY)
    few = arm(20, 10.0, 3)
    moments = {("spend", "a"): CONTROL, ("spend", "b"): TREATMENT, ("spend", "c"): few}

    report = analyze(Experiment("a", ("a", "b", "c"), (metric,), moments), Plan(ended=True))

    assert [result.fallback and result.fallback.code for result in report.results] == [
        None,
        StatusCode.NOT_ENOUGH_UNITS,
    ]
    assert [check.name for check in report.health] == ["covariate_balance", "covariate_balance"]
    # Two comparisons: the first step of Holm stands at half the error rate.
    assert report.results[0].comparison == analyze_metric(MetricKind.MEAN, CONTROL, TREATMENT, 0.025)


def test_a_covariate_of_one_unit_has_no_balance_to_check():
    metric = Metric("spend", MetricKind.MEAN, Role.PRIMARY)
    one = CovariateMoments(1, 2, 3, 4, 9, 6)
    moments = {("spend", "a"): one, ("spend", "b"): one}

    assert analyze(Experiment("a", ("a", "b"), (metric,), moments)).health == ()


@pytest.mark.parametrize(("treatment", "adjusted"), [(TREATMENT, True), (arm(20, 10.0, 3), False)])
def test_a_guardrail_is_adjusted_where_the_metric_is(treatment, adjusted):
    guard = guard_metric(MetricKind.MEAN, CONTROL, treatment, Margin(1.0))
    row = analyze_metric(MetricKind.MEAN, CONTROL, treatment)

    assert isinstance(guard, NonInferiority)
    assert guard.diff == pytest.approx(row.diff)
    assert guard.non_inferior is adjusted
