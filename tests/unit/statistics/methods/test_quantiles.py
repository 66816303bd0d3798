"""Quantiles: from counts around them they are those of the units, and among equal values they are interpolated."""

import collections
import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neonblue.statistics import Estimate, QuantileSummary, StatusCode
from neonblue.statistics.methods.quantiles import quantile_interval, quantile_test
from neonblue.statistics.result import Method
from tests.unit.statistics import reference


@given(st.lists(st.integers(-20, 20), min_size=30, max_size=400), st.sampled_from([0.25, 0.5, 0.6]))
def test_counts_give_what_the_units_give(values, level):
    tally = sorted(collections.Counter(values).items())

    from_counts = QuantileSummary.from_counts(*zip(*tally, strict=True), level, len(values))

    from_units = QuantileSummary.from_values(values, level)
    # Both interpolate between the same two values, in another order of operations.
    for field in dataclasses.fields(QuantileSummary):
        found, wanted = (getattr(summary, field.name) for summary in (from_counts, from_units))
        assert found == pytest.approx(wanted, rel=1e-12, abs=1e-300)


def test_a_window_around_the_quantile_is_enough():
    values = [v // 3 for v in range(3000)]
    window = range(400, 600)

    windowed = QuantileSummary.from_counts(list(window), [3] * 200, 0.5, 3000, below=1200)

    assert windowed == QuantileSummary.from_values(values, 0.5)


@pytest.mark.parametrize("window", [range(501), range(499, 1000)])
def test_a_window_that_misses_a_bound_is_refused(window):
    with pytest.raises(ValueError, match="counts"):
        QuantileSummary.from_counts(list(window), [3] * len(window), 0.5, 3000, below=3 * window[0])


def test_a_quantile_among_ties_is_that_of_the_mid_distribution_function():
    for case in reference.edge_cases("quantile_ties"):
        values, counts, level = (case.inputs[name] for name in ("values", "counts", "quantile"))
        units = QuantileSummary.from_values(np.repeat(values, counts), level)
        for found in (units, QuantileSummary.from_counts(values, counts, level, sum(counts))):
            assert found.interpolated
            assert found.value == pytest.approx(case.expected["mid_quantile"], rel=1e-9)
            assert found.variance**0.5 == pytest.approx(case.expected["se"], rel=1e-9)


@pytest.mark.parametrize(
    ("draw", "level", "most"),
    [
        (lambda rng: rng.poisson(20, 1000), 0.9, 0.08),  # by order statistics 20 %
        (lambda rng: np.round(rng.lognormal(0, 1, 1000), 1), 0.5, 0.085),
        (lambda rng: rng.poisson(5, 1000), 0.5, 0.08),  # by order statistics no answer
        (lambda rng: rng.lognormal(0, 1, 1000), 0.5, 0.08),
    ],
)
def test_equal_arms_of_equal_values_seldom_differ(draw, level, most):
    rng = np.random.default_rng(20)
    pairs = [[QuantileSummary.from_values(draw(rng), level) for _ in range(2)] for _ in range(400)]
    tests = [quantile_test(*pair) for pair in pairs]

    assert all(isinstance(test, Estimate) for test in tests)
    assert np.mean([test.p_value < 0.05 for test in tests]) <= most


def test_an_interpolated_quantile_is_labelled_and_one_of_different_values_is_not():
    counts = [QuantileSummary.from_values(np.arange(900) % 30 + shift, 0.5) for shift in (0, 1)]
    reals = [QuantileSummary.from_values(np.arange(900) + shift / 2, 0.5) for shift in (0, 1)]

    assert quantile_test(*counts).method is Method.INTERPOLATED_QUANTILE
    assert quantile_test(counts[0], reals[0]).method is Method.INTERPOLATED_QUANTILE
    assert quantile_test(*reals).method is Method.QUANTILE


def test_ties_far_from_the_quantile_change_nothing():
    different = np.arange(1000.0)
    tied = np.where(different > 800, 800.0, different)

    assert QuantileSummary.from_values(tied, 0.5) == QuantileSummary.from_values(different, 0.5)


@pytest.mark.parametrize("level", [0.1, 0.9])
def test_a_quantile_at_an_end_of_the_data_has_no_bounds(level):
    arm = QuantileSummary.from_values(np.repeat([1, 2, 3], 300), level)

    assert (arm.lower, arm.value) == (arm.upper, 1 if level < 0.5 else 3)
    assert quantile_test(arm, arm).code is StatusCode.TIED_QUANTILE


def test_a_window_that_lacks_a_neighbour_of_the_bounds_is_refused():
    values = np.repeat(np.arange(10), 100)
    with pytest.raises(ValueError, match="counts"):
        QuantileSummary.from_counts([4, 5], [100, 100], 0.46, 1000, below=400)

    wide = QuantileSummary.from_counts([3, 4, 5, 6], [100] * 4, 0.46, 1000, below=300)
    assert wide == QuantileSummary.from_values(values, 0.46)


def test_an_interval_at_a_level_next_to_certainty_has_a_level_below_one():
    interval = quantile_interval(range(1000), 0.5, 1e-20)

    assert interval.contains(499)
    assert 0.999 < interval.level < 1
