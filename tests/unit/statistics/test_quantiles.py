"""Quantiles from counts around them are those of the units themselves."""

import collections
import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neonblue.statistics import QuantileSummary
from neonblue.statistics.quantiles import quantile_interval


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


def test_an_interval_at_a_level_next_to_certainty_has_a_level_below_one():
    interval = quantile_interval(range(1000), 0.5, 1e-20)

    assert interval.contains(499)
    assert 0.999 < interval.level < 1
