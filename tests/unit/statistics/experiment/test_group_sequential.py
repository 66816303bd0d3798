"""A plan with a planned size: the group-sequential test decides, at whatever looks are taken."""

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from neonblue.statistics import (
    Action,
    AllocationVersion,
    Direction,
    Estimate,
    Experiment,
    Inference,
    Metric,
    MetricKind,
    Moments,
    NonInferiority,
    Plan,
    Role,
    Verdict,
    analyze,
)
from neonblue.statistics.methods.t_test import infer
from neonblue.statistics.result import Method
from neonblue.statistics.sequential.boundaries import spending_boundaries
from neonblue.statistics.sequential.group_sequential import GroupSequential
from neonblue.statistics.sequential.spending import Spending, SpendingFamily

SALES = Metric("sales", MetricKind.PROPORTION, Role.PRIMARY)


def sales(control, treatment, n=10_000):
    moments = {
        ("sales", "a"): Moments.proportion(control, n),
        ("sales", "b"): Moments.proportion(treatment, n),
    }
    version = AllocationVersion("1", {"a": 1, "b": 1}, {"a": n, "b": n})
    return Experiment("a", ("a", "b"), (SALES,), moments, (version,))


def plan(planned=40_000, **fields):
    return Plan(inference=Inference.GROUP_SEQUENTIAL, planned_units=planned, **fields)


def look(earlier=(), share=0.5, family=SpendingFamily.OBRIEN_FLEMING):
    return GroupSequential.at(earlier, share, Spending(family))


def of_z(z):
    return infer(z, 1.0, math.inf).estimate(0.05, Method.WELCH)


def test_the_interval_reaches_as_far_as_the_boundary_of_this_look():
    (result,) = analyze(sales(1000, 1100), plan(looks=(0.25,))).results
    test = result.comparison.absolute
    assert isinstance(test, Estimate)

    boundary = spending_boundaries([0.25, 0.5], 1.0).critical_z[-1]

    assert (test.interval.upper - test.diff) / test.se == pytest.approx(boundary, rel=1e-6)
    assert test.interval.level == 0.95


def test_an_early_lead_that_a_fixed_test_would_call_has_to_wait():
    assert analyze(sales(1000, 1090), Plan(ended=True)).decision.action is Action.SHIP
    assert analyze(sales(1000, 1090), plan()).decision.action is Action.KEEP_RUNNING


def test_an_overwhelming_lead_ships_early():
    assert analyze(sales(1000, 1300), plan()).decision.action is Action.SHIP


def test_at_the_planned_size_the_rest_of_the_error_is_spent():
    assert analyze(sales(1000, 1090), plan(20_000, looks=(0.5,))).decision.action is Action.SHIP


def test_a_stop_before_the_planned_size_spends_no_more_than_a_look_there():
    stopped, running = (analyze(sales(1000, 1090), plan(40_000, ended=ended)) for ended in (True, False))

    assert stopped.decision.action is Action.INCONCLUSIVE
    assert stopped.results[0].p_value == running.results[0].p_value
    assert stopped.results[0].comparison.absolute.interval == running.results[0].comparison.absolute.interval


def test_the_single_look_p_is_shown_at_the_planned_end_only():
    assert analyze(sales(1000, 1090), plan(20_000)).results[0].fixed_p == pytest.approx(0.0375, abs=1e-4)
    assert analyze(sales(1000, 1090), plan(40_000)).results[0].fixed_p is None
    assert analyze(sales(1000, 1090), Plan(planned_units=40_000)).results[0].p_value is None


def test_a_look_that_was_recorded_already_is_not_counted_twice():
    assert analyze(sales(1000, 1150), plan(looks=(0.5,))) == analyze(sales(1000, 1150), plan())


def test_nothing_is_left_to_spend_after_a_look_beyond_the_planned_size():
    beyond = look((1.0,), 1.5)

    assert beyond.p_value(of_z(9.0), 1) == 1
    assert beyond.nominal_alpha(0.05, 1) == 1e-290
    with pytest.raises(ValueError, match="was the last one"):
        plan(looks=(0.5, 1.0))


def test_a_guardrail_has_the_one_sided_boundary():
    latency = Metric("latency", MetricKind.MEAN, Role.GUARDRAIL, Direction.LOWER_IS_BETTER, 1.0)
    arm = Moments(10_000, 1_000_000, 10_000 * (100**2 + 900))
    guarded = Experiment("a", ("a", "b"), (latency,), {("latency", "a"): arm, ("latency", "b"): arm})

    early, late = (analyze(guarded, plan(n)).results[0].guardrail for n in (100_000, 20_000))

    assert isinstance(early, NonInferiority)
    assert isinstance(late, NonInferiority)
    assert (early.non_inferior, late.non_inferior) == (False, True)


def test_no_units_at_all_is_a_status_and_no_error():
    assert analyze(sales(0, 0, n=0), plan()).results[0].verdict is Verdict.UNKNOWN


@given(
    st.floats(0, 45),
    st.lists(st.floats(0.02, 1.2), min_size=1, max_size=5, unique_by=lambda share: round(share, 2)).map(
        sorted
    ),
    st.sampled_from([0.3, 0.05, 0.01, 1e-6]),
    st.sampled_from([SpendingFamily.OBRIEN_FLEMING, SpendingFamily.POCOCK]),
)
@example(37.0, [0.0234375], 1e-6, SpendingFamily.OBRIEN_FLEMING)
@example(45.0, [0.0234375], 1e-6, SpendingFamily.OBRIEN_FLEMING)
def test_p_reaches_alpha_exactly_where_z_reaches_the_boundary(z, shares, alpha, family):
    rule = look(shares[:-1], shares[-1], family=family)
    critical = spending_boundaries(
        [*(earlier.share for earlier in rule.earlier), rule.share],
        1.0,
        alpha=alpha,
        spending=Spending(family),
    ).critical_z[-1]

    p = rule.p_value(of_z(z), 1)

    assert 0 < p <= 1
    assert p >= of_z(z).p_value * (1 - 1e-9)
    assert (p <= alpha) == (z >= critical) or z == pytest.approx(critical, rel=1e-6)


def test_the_plan_at_launch_says_which_test_decides():
    assert Plan.at_launch(50_000).inference is Inference.GROUP_SEQUENTIAL
    assert Plan.at_launch().inference is Inference.CONFIDENCE_SEQUENCE
