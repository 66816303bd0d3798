"""Boundaries, spending and running results against published values and by what they promise."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neonblue.statistics import Interval, Status, StatusCode
from neonblue.statistics.sequential.boundaries import (
    haybittle_peto_boundaries,
    repeated_testing_error,
    spending_boundaries,
)
from neonblue.statistics.sequential.confidence_sequence import SequentialEstimate
from neonblue.statistics.sequential.recursion import crossing_probabilities
from neonblue.statistics.sequential.running import running
from neonblue.statistics.sequential.spending import Spending, SpendingFamily


def looked(lower, upper, p_value=0.5):
    return SequentialEstimate((lower + upper) / 2, 1.0, 0.0, p_value, -0.3, Interval(lower, upper, 0.95))


NOTHING = Status(StatusCode.ZERO_VARIANCE, "No variance yet.")


def test_naive_looks_cost_what_the_tables_say():
    """Armitage, McPherson and Rowe (1969), table 2: 5 % at every one of 1, 2, 5, 10 and 20 looks."""
    errors = [repeated_testing_error(looks, 1.959963985) for looks in (1, 2, 5, 10, 20)]

    assert errors == pytest.approx([0.05, 0.083, 0.142, 0.193, 0.248], abs=6e-4)


def test_haybittle_and_peto_leave_the_last_look_nearly_whole():
    bounds = haybittle_peto_boundaries([0.25, 0.5, 0.75, 1.0])

    assert bounds.critical_z[:3] == (3.0, 3.0, 3.0)
    assert bounds.critical_z[-1] == pytest.approx(1.99, abs=0.02)
    assert bounds.alpha_spent[-1] == pytest.approx(0.05, abs=1e-6)


def test_one_sided_haybittle_and_peto_keep_their_error():
    bounds = haybittle_peto_boundaries([0.5, 1.0], alpha=0.025, two_sided=False)
    lower = [-40.0, -40.0]

    assert crossing_probabilities([0.5, 1.0], lower, bounds.critical_z).upper.sum() == pytest.approx(0.025)


@given(
    st.lists(st.integers(1, 130), min_size=1, max_size=6, unique=True).map(sorted),
    st.sampled_from(
        [
            Spending(),
            Spending(SpendingFamily.POCOCK),
            Spending(SpendingFamily.KIM_DEMETS, 2.0),
            Spending(SpendingFamily.HWANG_SHIH_DECANI, -4.0),
            Spending(SpendingFamily.HWANG_SHIH_DECANI, 0.0),
        ]
    ),
)
def test_boundaries_spend_what_the_function_allows_at_any_looks(percents, spending):
    shares = [percent / 100 for percent in percents]
    bounds = spending_boundaries(shares, 1.0, spending=spending)

    crossed = crossing_probabilities(shares, [-z for z in bounds.critical_z], bounds.critical_z)

    assert crossed.total == pytest.approx(2 * spending.spent(shares[-1], 0.025), abs=1e-6)


@pytest.mark.parametrize("near", [0.99, 0.9995])
def test_a_look_right_after_another_spends_what_is_left_though_one_alone_would_hardly_reach_as_far(near):
    bounds = spending_boundaries([near, 1.0], 1.0)

    crossed = crossing_probabilities([near, 1.0], [-z for z in bounds.critical_z], bounds.critical_z)

    assert crossed.total == pytest.approx(0.05, abs=1e-6)


def test_spending_starts_at_nothing_and_ends_at_alpha():
    for family in SpendingFamily:
        spending = Spending(family, 2.0)
        assert [spending.spent(t, 0.025) for t in (0.0, 1.0, 1.3)] == [0.0, 0.025, 0.025]
    assert Spending(SpendingFamily.HWANG_SHIH_DECANI, 0.0).spent(0.5, 0.025) == 0.0125


def test_looks_that_contradict_one_another_leave_no_interval():
    results = running([NOTHING, looked(0, 2, 0.3), looked(3, 4, 0.4), looked(0, 9), NOTHING])

    assert [result.interval for result in results] == [None, Interval(0, 2, 0.95), None, None, None]
    assert [result.p_value for result in results] == [1.0, 0.3, 0.3, 0.3, 0.3]
