"""A plan without a planned size: the confidence sequence decides, at any look."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neonblue.statistics import (
    Action,
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
    compare_proportions,
)
from neonblue.statistics.experiment.inference import AnyTime
from neonblue.statistics.sequential.confidence_sequence import SequentialEstimate, confidence_sequence

PLAN = Plan(inference=Inference.CONFIDENCE_SEQUENCE)
SALES = Metric("sales", MetricKind.PROPORTION, Role.PRIMARY)


def sales(control, treatment, n=10_000, **fields):
    moments = {
        ("sales", "a"): Moments.proportion(control, n),
        ("sales", "b"): Moments.proportion(treatment, n),
    }
    return Experiment("a", ("a", "b"), (SALES,), moments, **fields)


def test_interval_and_p_value_are_those_of_the_confidence_sequence():
    (result,) = analyze(sales(1000, 1130), PLAN).results
    test = result.comparison.absolute
    assert isinstance(test, Estimate)

    expected = confidence_sequence(test.diff, test.se, 20_000)

    assert isinstance(expected, SequentialEstimate)
    assert result.p_value == pytest.approx(expected.p_value, rel=1e-9)
    assert test.interval.lower == pytest.approx(expected.interval.lower, rel=1e-9)
    assert test.interval.upper == pytest.approx(expected.interval.upper, rel=1e-9)
    assert test.interval.level == 0.95


def test_what_a_fixed_test_would_call_is_not_yet_called():
    fixed = analyze(sales(1000, 1090), Plan(ended=True))
    at_any_time = analyze(sales(1000, 1090), PLAN)

    assert fixed.decision.action is Action.SHIP
    assert at_any_time.decision.action is Action.KEEP_RUNNING
    assert at_any_time.results[0].verdict is Verdict.UNDECIDED


def test_a_clear_winner_ships_before_any_planned_end():
    assert analyze(sales(1000, 1300), PLAN).decision.action is Action.SHIP


def test_a_clear_winner_of_too_few_units_has_to_wait():
    assert analyze(sales(2, 80, n=99), PLAN).results[0].verdict is Verdict.UNDECIDED
    assert analyze(sales(2, 80, n=100), PLAN).results[0].verdict is Verdict.BETTER


def test_no_units_at_all_is_a_status_and_no_error():
    (result,) = analyze(sales(0, 0, n=0), PLAN).results

    assert result.verdict is Verdict.UNKNOWN
    assert result.p_value is None


def test_a_guardrail_has_the_one_sided_sequence():
    latency = Metric("latency", MetricKind.MEAN, Role.GUARDRAIL, Direction.LOWER_IS_BETTER, 1.0)
    arm = Moments(10_000, 1_000_000, 10_000 * (100**2 + 900))
    moments = {("latency", "a"): arm, ("latency", "b"): arm}
    guarded = Experiment("a", ("a", "b"), (latency,), moments)

    held = [analyze(guarded, plan).results[0].guardrail for plan in (Plan(ended=True), PLAN)]

    assert all(isinstance(guard, NonInferiority) for guard in held)
    assert [guard.non_inferior for guard in held] == [True, False]


@given(
    st.integers(100, 5000).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(0, n))),
    st.sampled_from([0.2, 0.05, 0.01, 0.001]),
)
def test_the_interval_leaves_out_zero_exactly_when_p_is_at_most_alpha(arms, alpha):
    n, control, treatment = arms
    rule = AnyTime(0.05, 10_000)
    counts = Moments.proportion(control, n), Moments.proportion(treatment, n)
    test = compare_proportions(*counts, rule.nominal_alpha(alpha, 2 * n)).absolute
    if isinstance(test, Estimate):
        p = rule.p_value(test, 2 * n)
        assert test.significant == (p <= alpha) or p == pytest.approx(alpha, rel=1e-9)
        assert p >= test.p_value


def test_a_level_of_one_half_is_refused():
    with pytest.raises(ValueError, match="alpha"):
        AnyTime(0.5, 10_000)
    with pytest.raises(ValueError, match="alpha"):
        analyze(sales(1000, 1100), dataclasses.replace(PLAN, alpha=0.7))


def test_a_metric_that_is_too_early_leaves_none_of_its_error_to_others():
    moments = {
        ("early", "a"): Moments.proportion(1, 50), ("early", "b"): Moments.proportion(49, 50),
        ("late", "a"): Moments.proportion(1000, 10_000), ("late", "b"): Moments.proportion(1145, 10_000),
    }  # fmt: skip
    early, late = (Metric(name, MetricKind.PROPORTION, Role.PRIMARY) for name in ("early", "late"))

    both = analyze(Experiment("a", ("a", "b"), (early, late), moments), PLAN).results

    assert both[0].p_value is None
    assert both[1].adjusted_p == pytest.approx(2 * both[1].p_value)
