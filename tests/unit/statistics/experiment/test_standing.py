"""What earlier looks leave, and what it does to an analysis made later."""

import dataclasses
import math

import pytest

from neonblue.statistics import (
    Action,
    Direction,
    Estimate,
    Experiment,
    Inference,
    Interval,
    Lift,
    Metric,
    MetricKind,
    Moments,
    NonInferiority,
    Plan,
    Role,
    Status,
    StatusCode,
    Verdict,
    analyze,
    analyze_metrics,
)
from neonblue.statistics.experiment.inference import Sample, rule_for
from neonblue.statistics.experiment.standing import (
    NOTHING,
    GuardrailState,
    Standing,
    guardrail_after,
    intersection,
)
from neonblue.statistics.sequential.group_sequential import EarlierLook

LOOKS = Plan(inference=Inference.GROUP_SEQUENTIAL, planned_units=40_000)
ANY_TIME = Plan(inference=Inference.CONFIDENCE_SEQUENCE)
SALES = Metric("sales", MetricKind.PROPORTION, Role.PRIMARY)
GUARD = Metric("errors", MetricKind.PROPORTION, Role.GUARDRAIL, Direction.LOWER_IS_BETTER, 0.02)
REJECTED = Standing(
    looks=(EarlierLook(2000.0, 0.2),),
    p_value=0.003,
    log10_p=-2.5,
    adjusted_p=0.004,
    diff=0.02,
    interval=Interval(0.01, 0.03, 0.95),
    relative=Interval(0.1, 0.3, 0.95),
    rejected=True,
)


def sales(control, treatment, n=10_000, metric=SALES):
    arms = {"a": control, "b": treatment}
    moments = {(metric.name, arm): Moments.proportion(count, n) for arm, count in arms.items()}
    return Experiment("a", ("a", "b"), (metric,), moments)


def result_of(experiment, plan, standing, *, looking=True):
    standings = {(experiment.metrics[0].name, "b"): standing}
    (result,) = analyze_metrics(experiment, plan, standings, looking=looking)
    return result


@pytest.mark.parametrize("looking", [True, False])
def test_a_rejection_stands_with_its_numbers_though_the_difference_has_gone(looking):
    result = result_of(sales(1000, 1000), LOOKS, REJECTED, looking=looking)

    assert result.verdict is Verdict.BETTER
    assert (result.p_value, result.log10_p, result.adjusted_p) == (0.003, -2.5, 0.004)
    assert result.comparison.diff == 0
    assert result.comparison.absolute.interval == REJECTED.interval
    assert result.comparison.relative.interval == REJECTED.relative


def test_the_verdict_is_that_of_the_look_that_rejected_when_the_difference_has_turned():
    result = result_of(sales(1200, 1000), LOOKS, REJECTED)

    assert result.comparison.diff < 0
    assert result.verdict is Verdict.BETTER


def test_a_standing_rejection_ships():
    report = analyze(sales(1000, 1000), LOOKS, {("sales", "b"): REJECTED}, looking=False)

    assert report.decision.action is Action.SHIP


def test_a_lift_without_a_bounded_interval_then_has_none_now():
    result = result_of(sales(1000, 1100), LOOKS, dataclasses.replace(REJECTED, relative=None))

    assert isinstance(result.comparison.relative, Status)
    assert result.comparison.relative.code is StatusCode.RATIO_UNBOUNDED
    assert result.comparison.absolute.interval == REJECTED.interval


def test_what_has_no_test_now_keeps_its_reason_beside_the_p_that_stands():
    result = result_of(sales(0, 0), LOOKS, REJECTED)

    assert result.comparison.absolute.code is StatusCode.ZERO_VARIANCE
    assert result.comparison.relative.code is StatusCode.ZERO_BASELINE
    assert result.p_value == REJECTED.p_value
    assert result.verdict is Verdict.BETTER


def test_before_the_first_look_there_is_an_estimate_and_no_test():
    result = result_of(sales(1000, 2000), LOOKS, NOTHING, looking=False)

    assert result.comparison.diff == pytest.approx(0.1)
    assert result.comparison.absolute.code is StatusCode.NO_LOOK
    assert result.comparison.relative.code is StatusCode.NO_LOOK
    assert (result.p_value, result.looked, result.verdict) == (None, None, Verdict.UNKNOWN)


def test_before_the_first_look_an_empty_arm_keeps_its_reason():
    result = result_of(sales(0, 0, n=0), LOOKS, NOTHING, looking=False)

    assert result.comparison.absolute.code is StatusCode.NO_USERS


def test_between_two_looks_the_last_one_stands_and_no_error_is_spent():
    last = dataclasses.replace(REJECTED, p_value=0.4, log10_p=math.log10(0.4), adjusted_p=0.4, rejected=False)

    result = result_of(sales(1000, 2000), LOOKS, last, looking=False)

    assert (result.p_value, result.adjusted_p, result.looked) == (0.4, 0.4, None)
    assert result.verdict is Verdict.UNDECIDED
    assert result.comparison.absolute.interval == last.interval


def test_a_look_with_nothing_new_is_none():
    same = dataclasses.replace(REJECTED, looks=(EarlierLook(5000.0, 0.5),), rejected=False)

    assert result_of(sales(1000, 1100), LOOKS, same).looked is None
    assert result_of(sales(1000, 1100), LOOKS, dataclasses.replace(same, looks=())).looked is not None


def test_there_is_no_look_after_the_one_at_the_planned_size():
    last = dataclasses.replace(REJECTED, looks=(EarlierLook(9000.0, 1.0),), rejected=False)

    result = result_of(sales(10_000, 20_000, n=100_000), LOOKS, last)

    assert (result.looked, result.final, result.verdict) == (None, True, Verdict.UNDECIDED)


def test_the_smallest_p_of_a_sequence_stands_and_its_intervals_are_intersected():
    landslide = result_of(sales(1000, 1400), ANY_TIME, NOTHING)
    before = Standing(
        p_value=landslide.p_value,
        log10_p=landslide.log10_p,
        interval=landslide.comparison.absolute.interval,
        relative=landslide.comparison.relative.interval,
        rejected=True,
    )

    result = result_of(sales(1000, 1250), ANY_TIME, before)
    now = result_of(sales(1000, 1250), ANY_TIME, NOTHING)

    assert now.p_value > before.p_value
    assert (result.p_value, result.log10_p) == (before.p_value, before.log10_p)
    assert result.verdict is Verdict.BETTER
    for found, then, alone in (
        (result.comparison.absolute, before.interval, now.comparison.absolute),
        (result.comparison.relative, before.relative, now.comparison.relative),
    ):
        assert found.interval.lower == max(then.lower, alone.interval.lower)
        assert found.interval.upper == min(then.upper, alone.interval.upper)


def test_a_sequence_that_has_no_test_any_more_keeps_its_smallest_p():
    before = dataclasses.replace(REJECTED, looks=())

    result = result_of(sales(0, 0), ANY_TIME, before)

    assert result.comparison.absolute.code is StatusCode.ZERO_VARIANCE
    assert result.comparison.relative.code is StatusCode.ZERO_BASELINE
    assert (result.p_value, result.verdict) == (before.p_value, Verdict.BETTER)


def test_a_sequence_without_a_lift_still_intersects_the_difference():
    result = result_of(sales(0, 400), ANY_TIME, dataclasses.replace(REJECTED, looks=(), relative=None))

    assert isinstance(result.comparison.absolute, Estimate)
    assert not isinstance(result.comparison.relative, Lift)
    assert result.comparison.absolute.interval.upper <= 0.03


@pytest.mark.parametrize(
    ("treatment", "before", "after"),
    [
        (1000, None, GuardrailState.HELD),
        (1190, None, GuardrailState.OPEN),
        (1600, None, GuardrailState.BREACHED),
        (1190, GuardrailState.HELD, GuardrailState.HELD),
        (1600, GuardrailState.HELD, GuardrailState.BREACHED),
        (1000, GuardrailState.BREACHED, GuardrailState.BREACHED),
    ],
)
def test_a_breach_stands_and_a_held_margin_until_it_is_breached(treatment, before, after):
    standing = Standing(guardrail=before)

    result = result_of(sales(1000, treatment, metric=GUARD), ANY_TIME, standing)

    assert isinstance(result.guardrail, NonInferiority)
    assert result.guardrail_state is after


def test_between_looks_a_guardrail_is_not_tested_and_its_state_stands():
    standing = dataclasses.replace(REJECTED, guardrail=GuardrailState.HELD)

    result = result_of(sales(1000, 3000, metric=GUARD), LOOKS, standing, looking=False)

    assert result.guardrail is None
    assert result.guardrail_state is GuardrailState.HELD


def test_a_guardrail_of_an_arm_without_data_has_the_reason():
    base = sales(1000, 1000, metric=GUARD)
    bare = dataclasses.replace(base, moments={("errors", "a"): base.moments["errors", "a"]})

    result = result_of(bare, ANY_TIME, NOTHING)

    assert result.guardrail.code is StatusCode.MISSING_ARM
    assert result.guardrail_state is None


def test_a_guardrail_without_a_margin_is_not_tested_against_one():
    result = result_of(sales(1000, 1000, metric=dataclasses.replace(GUARD, margin=None)), ANY_TIME, NOTHING)

    assert (result.guardrail, result.guardrail_state) == (None, None)


@pytest.mark.parametrize(
    ("before", "now", "after"),
    [
        (None, None, None),
        (None, GuardrailState.OPEN, GuardrailState.OPEN),
        (GuardrailState.OPEN, None, GuardrailState.OPEN),
        (GuardrailState.OPEN, GuardrailState.HELD, GuardrailState.HELD),
        (GuardrailState.HELD, None, GuardrailState.HELD),
        (GuardrailState.BREACHED, GuardrailState.HELD, GuardrailState.BREACHED),
    ],
)
def test_the_state_after_one_more_look(before, now, after):
    assert guardrail_after(before, now) is after


@pytest.mark.parametrize(
    ("before", "now", "both"),
    [
        (None, None, None),
        (Interval(0, 2, 0.95), None, Interval(0, 2, 0.95)),
        (None, Interval(1, 3, 0.95), Interval(1, 3, 0.95)),
        (Interval(0, 2, 0.95), Interval(1, 3, 0.975), Interval(1, 2, 0.95)),
        (Interval(0, 1, 0.95), Interval(1, 3, 0.95), Interval(1, 1, 0.95)),
        (Interval(0, 1, 0.95), Interval(2, 3, 0.975), Interval(2, 3, 0.975)),
        (Interval(1, 2, 0.95), Interval(3, 4, 0.95), Interval(1, 2, 0.95)),
        (Interval(1, 2, 0.95), Interval(-3, -2, 0.95), Interval(1, 2, 0.95)),
    ],
)
def test_of_intervals_that_have_nothing_in_common_the_first_without_zero_stands(before, now, both):
    assert intersection(before, now) == both


def test_looks_whose_information_grew_with_their_shares_have_the_boundary_of_the_shares():
    sample = Sample(10_000, 10_000, 5_000.0)
    steady = rule_for(LOOKS, sample, 0.5, (EarlierLook(2_520.0, 0.25),))
    alone = rule_for(dataclasses.replace(LOOKS, looks=(0.25,)), sample, 0.5)

    assert steady.nominal_alpha(0.05, sample.units) == alone.nominal_alpha(0.05, sample.units)


def test_looks_of_arms_that_were_unequal_have_the_boundary_of_their_information():
    sample = Sample(10_000, 10_000, 5_000.0)
    unequal = rule_for(LOOKS, sample, 0.5, (EarlierLook(1_000.0, 0.25),))
    steady = rule_for(LOOKS, sample, 0.5, (EarlierLook(2_500.0, 0.25),))

    # The earlier look is less correlated with this one: less of the error is left where it did not reject.
    assert unequal.nominal_alpha(0.05, sample.units) < steady.nominal_alpha(0.05, sample.units)


def test_an_earlier_p_beside_an_interval_that_holds_zero_is_no_rejection():
    """A step of the family at another level may call an earlier p; its interval at that level is not known."""
    wider = dataclasses.replace(
        REJECTED,
        looks=(),
        p_value=0.03,
        adjusted_p=0.06,
        interval=Interval(-0.01, 0.03, 0.975),
        rejected=False,
    )

    result = result_of(sales(1000, 1000), ANY_TIME, wider)

    assert (result.p_value, result.adjusted_p) == (0.03, 0.06)
    assert result.verdict is Verdict.UNDECIDED


def test_with_every_treatment_dropped_there_is_nothing_to_wait_for():
    experiment = dataclasses.replace(sales(1000, 2000), dropped=frozenset("b"))

    decision = analyze(experiment, ANY_TIME).decision

    assert decision.action is Action.INCONCLUSIVE
    assert "every treatment was dropped" in decision.sentence
