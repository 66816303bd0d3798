"""Planning: round trips on generated designs, inflation against published tables, refusals."""

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neonblue.statistics.planning import proportions
from neonblue.statistics.planning.means import (
    Design,
    SampleSize,
    cuped_sd,
    duration_days,
    mean_mde,
    mean_power,
    mean_sample_size,
    student_mde,
    student_power,
    student_sample_size,
)
from neonblue.statistics.planning.sequential import (
    always_valid_inflation,
    at_any_time,
    boundary_inflation,
    equal_looks,
    group_sequential_inflation,
)
from neonblue.statistics.sequential.boundaries import shaped_boundaries
from neonblue.statistics.sequential.confidence_sequence import mixture_precision, multiplier
from neonblue.statistics.sequential.spending import Spending, SpendingFamily
from neonblue.statistics.status import Status, StatusCode
from tests.unit.statistics import planning_properties

designs = st.builds(
    Design,
    alpha=st.floats(0.001, 0.2),
    power=st.floats(0.5, 0.99),
    sided=st.sampled_from([1, 2]),
    ratio=st.floats(0.01, 100),
    comparisons=st.integers(1, 5),
    inflation=st.floats(1, 3),
)
FINE = Design()
rates = st.floats(0.02, 0.98)


@given(designs, st.floats(1e-6, 1e6), st.floats(1e-4, 2), st.sampled_from([-1, 1]))
def test_a_plan_for_means_round_trips_and_is_monotone(design, sd, effect, sign):
    planning_properties.mean_plan_round_trips(sd, sign * effect * sd, design)
    planning_properties.plan_is_monotone(sd, sign * effect * sd, design)


@given(designs, rates, st.floats(0.001, 0.015), st.sampled_from([-1, 1]))
def test_a_plan_for_rates_round_trips(design, control, effect, sign):
    planning_properties.proportion_plan_round_trips(control, control + sign * effect, design)


@given(designs, st.floats(0.005, 3))
def test_students_t_on_one_side_never_needs_less_than_the_normal(design, effect):
    """On two sides it may: the noncentral power counts rejections in the wrong direction as well."""
    design = dataclasses.replace(design, sided=1)
    normal = mean_sample_size(1.0, effect, design)
    student = student_sample_size(1.0, effect, design)

    assert student.control >= normal.control * (1 - 1e-9)
    assert math.isclose(student.treatment, student.control * design.ratio)


def test_students_t_plans_for_an_error_too_small_to_tell_from_one():
    early = Design(alpha=1e-18, sided=1)

    student = student_sample_size(1.0, 1.0, early)

    assert 1 < student.control / mean_sample_size(1.0, 1.0, early).control < 1.5


@given(designs, st.floats(1e-3, 1e3), st.floats(0.01, 1), st.sampled_from([-1, 1]))
def test_a_plan_by_students_t_round_trips(design, sd, effect, sign):
    difference = sign * effect * sd
    size = student_sample_size(sd, difference, design)
    assert isinstance(size, SampleSize)
    units = (size.control, size.treatment)
    power = student_power(sd, difference, units, design)

    if size.control > 2.001 * design.inflation * max(1.0, 1 / design.ratio):
        assert power == pytest.approx(design.power, rel=1e-6)
        assert student_mde(sd, units, design) == pytest.approx(abs(difference), rel=1e-5)
    else:
        assert power >= design.power - 1e-9


def test_students_t_is_the_normal_where_there_are_many_units():
    many = (6e6, 6e6)

    assert student_power(1.0, 1e-3, many, FINE) == mean_power(1.0, 1e-3, many, FINE)
    assert student_mde(1.0, many, FINE) == mean_mde(1.0, many, FINE)
    assert student_mde(1.0, (4e6, 4e6), FINE) == pytest.approx(mean_mde(1.0, (4e6, 4e6), FINE), rel=1e-5)


def test_students_t_is_the_normal_for_many_units_and_has_a_floor():
    assert student_sample_size(1, 1e-4, Design()) == mean_sample_size(1, 1e-4, Design())
    assert student_sample_size(1, 1e6, Design()).control == 2
    assert student_sample_size(1, 1, Design(sided=1)).control < student_sample_size(1, 1, Design()).control


@pytest.mark.parametrize(
    ("looks", "family", "published"),
    [
        (2, SpendingFamily.OBRIEN_FLEMING, 1.008),
        (5, SpendingFamily.OBRIEN_FLEMING, 1.03),
        (2, SpendingFamily.POCOCK, 1.11),
        (5, SpendingFamily.POCOCK, 1.21),
    ],
)
def test_inflation_is_that_of_published_designs(looks, family, published):
    inflation = group_sequential_inflation(Design(), equal_looks(looks), Spending(family))

    assert inflation == pytest.approx(published, abs=0.03)


def test_one_look_inflates_nothing_in_either_number_of_sides():
    for sided in (1, 2):
        assert group_sequential_inflation(Design(sided=sided), [1.0]) == pytest.approx(1, abs=1e-6)


def test_the_sequence_has_the_power_at_the_units_that_its_inflation_gives():
    for design in (Design(), Design(0.01, 0.9, 1), Design(comparisons=3)):
        for units in (50.0, 10_000.0, 1e8):
            factor = always_valid_inflation(design, units)
            alpha, two_sided = design.alpha / design.comparisons, design.sided == 2
            rho2 = mixture_precision(alpha if two_sided else 2 * alpha, 10_000)
            width = multiplier(factor * units, alpha, rho2, two_sided=two_sided)
            expected = math.sqrt(factor) * (design.z_alpha + design.z_power)

            assert expected - width == pytest.approx(design.z_power, abs=1e-9)
            assert factor > 1


def test_what_the_sequence_needs_it_also_detects():
    for design in (Design(), Design(0.01, 0.9, 1), Design(comparisons=3, ratio=0.25)):
        size = mean_sample_size(10.0, 0.3, design)
        total = size.control + size.treatment
        needed = total * always_valid_inflation(design, total)
        units = (needed / (1 + design.ratio), needed * design.ratio / (1 + design.ratio))

        sequence = at_any_time(design, needed)

        assert mean_power(10.0, 0.3, units, sequence) == pytest.approx(design.power, abs=1e-9)
        assert mean_mde(10.0, units, sequence) == pytest.approx(0.3, rel=1e-9)


def test_a_sequence_that_cannot_be_planned_is_refused():
    assert isinstance(always_valid_inflation(Design(alpha=0), 100), Status)
    assert isinstance(always_valid_inflation(Design(), 0), Status)
    assert isinstance(always_valid_inflation(Design(alpha=0.6, power=0.9), 100), Status)


@pytest.mark.parametrize(
    ("looks", "delta", "published"), [(5, 0.5, 1.229), (10, 0.5, 1.301), (5, 0.0, 1.028), (10, 0.0, 1.040)]
)
def test_inflation_of_the_classical_shapes_is_that_of_the_tables(looks, delta, published):
    """Jennison and Turnbull (2000), tables 2.2 and 2.4: alpha 0.05, power 0.8."""
    bounds = shaped_boundaries(equal_looks(looks), delta=delta)

    assert boundary_inflation(Design(), bounds) == pytest.approx(published, abs=6e-4)


def test_looks_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="looks"):
        equal_looks(0)
    for fractions in ([], [0.5]):
        with pytest.raises(ValueError, match="end at 1"):
            group_sequential_inflation(Design(), fractions)
    assert isinstance(group_sequential_inflation(Design(power=0.01), [1.0]), Status)
    assert isinstance(boundary_inflation(Design(power=0.01), shaped_boundaries([1.0])), Status)


def test_spending_nearly_all_at_once_is_refused_where_it_costs_too_much():
    at_once = Spending(SpendingFamily.KIM_DEMETS, 1e-9)

    refused = group_sequential_inflation(Design(power=0.1), [0.001, 1.0], at_once)

    assert isinstance(refused, Status)
    assert "four times" in refused.message


def test_rates_far_apart_need_few_units_by_any_formula():
    by_h = proportions.arcsine_sample_size(0.1, 0.5, FINE)
    within = proportions.noninferiority_sample_size(0.5, 0.1, FINE, -0.3)

    assert (by_h.control_units, within.total) == (19, 42)


def test_days_and_the_covariate():
    assert duration_days(1000, 50, 0.5) == 40
    assert cuped_sd(10, 0.6) == pytest.approx(8)
    with pytest.raises(ValueError, match="correlation"):
        cuped_sd(1, -1)


def test_rates_without_variance_are_detected_for_certain():
    assert proportions.proportion_power(0.0, 1.0, (5, 5), Design(), proportions.NullVariance.UNPOOLED) == 1


REFUSED = [
    mean_sample_size(1, 1, Design(alpha=0)),
    mean_sample_size(1, 1, Design(power=1)),
    mean_sample_size(1, 1, Design(sided=3)),
    mean_sample_size(1, 1, Design(ratio=0)),
    mean_sample_size(1, 1, Design(comparisons=0)),
    mean_sample_size(1, 1, Design(inflation=0.5)),
    mean_sample_size(1, 1, Design(power=0.05)),
    mean_sample_size(1, 0, FINE),
    student_sample_size(1, math.inf, FINE),
    mean_power(1, 0, (10, 10), FINE),
    mean_mde(1, (0, 10), FINE),
    student_power(1, 0, (10, 10), FINE),
    student_power(1, 1, (1, 1), FINE),
    student_power(1, 1, (0, 10), FINE),
    student_mde(1, (0, 10), FINE),
    student_mde(1, (10, 10), Design(alpha=0)),
    student_mde(1, (2, 2), Design(inflation=2)),
    duration_days(10, 0),
    duration_days(10, 5, 0),
    proportions.proportion_sample_size(0.1, 0.1, FINE),
    proportions.arcsine_sample_size(0.1, 1.1, FINE),
    proportions.proportion_power(0.1, 0.2, (10, 0), FINE),
    proportions.proportion_mde(0.3, (5, 5), FINE, upward=False),
    proportions.proportion_mde(1.0, (5, 5), FINE),
    proportions.noninferiority_sample_size(1.5, -0.1, FINE),
    proportions.noninferiority_sample_size(0.5, 0.0, FINE),
    proportions.noninferiority_sample_size(0.5, -0.1, FINE, -0.1),
    proportions.noninferiority_sample_size(1.0, -0.1, FINE),
]


@pytest.mark.parametrize("answer", REFUSED)
def test_an_impossible_request_is_a_status_with_a_reason(answer):
    assert isinstance(answer, Status)
    assert answer.code is StatusCode.IMPOSSIBLE_REQUEST
    assert answer.message


def test_a_constant_metric_cannot_be_planned():
    assert mean_sample_size(0, 1, FINE).code is StatusCode.ZERO_VARIANCE
    assert mean_mde(1, (5, 5), FINE, treatment_sd=0).code is StatusCode.ZERO_VARIANCE


def test_whole_units_are_rounded_up():
    assert SampleSize(10.2, 3.0).total == 14
