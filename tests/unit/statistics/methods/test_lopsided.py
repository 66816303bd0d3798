"""Lopsided arms of a skewed metric, and rates of few outcomes: no arm is called different for being small."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neonblue.analysis.standings import standing_after
from neonblue.findings.effects import effects_of
from neonblue.statistics import (
    Action,
    CovariateMoments,
    Direction,
    Estimate,
    Experiment,
    Inference,
    Lift,
    Metric,
    MetricKind,
    Moments,
    NonInferiority,
    Plan,
    RatioMoments,
    Role,
    Status,
    StatusCode,
    Verdict,
    analyze,
    compare_means,
    compare_ratios,
    compare_strata,
)
from neonblue.statistics.experiment.adjusting import adjustable_strata
from neonblue.statistics.experiment.inference import Sample
from neonblue.statistics.experiment.standing import NOTHING, GuardrailState
from neonblue.statistics.methods.by_kind import analyze_metric, guard_metric, own_effect
from neonblue.statistics.methods.many import compare_cuped_arrays, compare_mean_arrays, compare_ratio_arrays
from neonblue.statistics.methods.noninferiority import Margin
from tests.calibration.lopsided import revenue

ANY_TIME = Plan(inference=Inference.CONFIDENCE_SEQUENCE)
MEAN = MetricKind.MEAN
BIG, SMALL = Moments(1900, 1900.0, 19_000.0), Moments(100, 60.0, 300.0)


def moments_of(rng: np.random.Generator, n: int) -> Moments:
    values = np.where(rng.random(n) < 0.05, rng.lognormal(3, 1.5, n), 0.0)
    return Moments.from_values(values.tolist())


@pytest.mark.parametrize("sizes", [(1900, 100), (9900, 100), (19_000, 1000), (100, 1900)])
def test_revenue_without_an_effect_is_seldom_called_different(sizes):
    rng = np.random.default_rng(18)
    arms = [revenue(rng, 500, n) for n in sizes]

    test = compare_mean_arrays(sizes[0], *arms[0], sizes[1], *arms[1]).absolute

    assert np.mean(test.upper < 0) <= 0.025
    assert np.mean(test.lower > 0) <= 0.025


def test_a_canary_of_revenue_without_an_effect_is_not_rolled_back():
    rng, metric = np.random.default_rng(18), Metric("revenue", MEAN, Role.PRIMARY)
    decided = set()
    for _ in range(20):
        arms, found = [Moments(0, 0.0, 0.0)] * 2, {}
        for _ in range(15):
            arms = [arm.merge(moments_of(rng, n)) for arm, n in zip(arms, (1900, 100), strict=True)]
            measured = {("revenue", name): arm for name, arm in zip("ct", arms, strict=True)}
            found = analyze(Experiment("c", ("c", "t"), (metric,), measured), ANY_TIME)
            decided.add(found.decision.action)

    assert decided == {Action.KEEP_RUNNING}


def test_the_smaller_arm_is_taken_to_vary_as_all_units():
    test = analyze_metric(MEAN, BIG, SMALL).absolute
    assert isinstance(test, Estimate)

    freedom = BIG.n + SMALL.n - 2
    pooled = ((BIG.n - 1) * BIG.variance + (SMALL.n - 1) * SMALL.variance) / freedom
    assert test.raised
    assert test.se == pytest.approx(math.sqrt(pooled * (1 / BIG.n + 1 / SMALL.n)), rel=1e-12)


@pytest.mark.parametrize(
    ("control", "treatment"),
    [
        (Moments(1000, 1000.0, 9000.0), Moments(1000, 600.0, 3000.0)),
        (Moments(1000, 1000.0, 9000.0), Moments(1100, 600.0, 3000.0)),
        (BIG, dataclasses.replace(SMALL, sum_of_squares=3000.0)),
        (Moments(1900, 19_000.0, 209_000.0), Moments(100, 990.0, 9850.0)),
    ],
    ids=["equal arms", "nearly equal arms", "a smaller arm that varies more", "a spread below half the mean"],
)
def test_elsewhere_it_is_welchs_test_to_the_last_digit(control, treatment):
    assert analyze_metric(MEAN, control, treatment) == compare_means(control, treatment)


SIZE = st.integers(2, 5000)
SPREAD = st.floats(0.01, 100)


@given(SIZE, SIZE, st.floats(-10, 10), st.floats(-10, 10), SPREAD, SPREAD)
def test_no_interval_is_narrower_than_welchs(n_c, n_t, mean_c, mean_t, sd_c, sd_t):
    control, treatment = (
        Moments(n, n * mean, n * mean * mean + (n - 1) * sd * sd, (n - 1) * sd * sd)
        for n, mean, sd in ((n_c, mean_c, sd_c), (n_t, mean_t, sd_t))
    )
    welch, test = (
        compare_means(control, treatment).absolute,
        analyze_metric(MEAN, control, treatment).absolute,
    )
    swapped = analyze_metric(MEAN, treatment, control).absolute
    assert isinstance(welch, Estimate)
    assert isinstance(test, Estimate)
    assert isinstance(swapped, Estimate)

    assert test.interval.upper >= welch.interval.upper - 1e-9 * welch.se
    assert test.p_value >= welch.p_value * (1 - 1e-9)
    assert swapped.raised is test.raised
    assert swapped.p_value == pytest.approx(test.p_value, rel=1e-6, abs=1e-300)


@pytest.mark.parametrize("arms", [(BIG, SMALL), (SMALL, BIG)], ids=["treatment smaller", "control smaller"])
def test_the_lift_excludes_zero_exactly_where_the_test_does(arms):
    p = analyze_metric(MEAN, *arms).absolute
    assert isinstance(p, Estimate)
    for alpha, excluded in ((p.p_value * 1.001, True), (p.p_value * 0.999, False)):
        row = analyze_metric(MEAN, *arms, alpha)
        assert isinstance(row.absolute, Estimate)
        assert row.absolute.raised
        assert row.absolute.significant is excluded
        if isinstance(row.relative, Lift):
            assert row.relative.interval.contains(0.0) is not excluded


def test_one_call_on_arrays_gives_the_same():
    rows = [(BIG, SMALL), (SMALL, BIG), (BIG, dataclasses.replace(SMALL, sum_of_squares=3000.0)), (BIG, BIG)]
    columns = [[(arm.n, arm.sum, arm.sum_of_squares) for arm in side] for side in zip(*rows, strict=True)]

    arrays = compare_mean_arrays(*np.array(columns[0]).T, *np.array(columns[1]).T)

    assert arrays.raised.tolist() == [True, True, False, False]
    for place, (control, treatment) in enumerate(rows):
        agrees(arrays, place, analyze_metric(MEAN, control, treatment))


def agrees(arrays, place, row):
    test, lift = row.absolute, row.relative
    assert isinstance(test, Estimate)
    assert isinstance(lift, Lift)
    assert bool(arrays.raised[place]) is test.raised
    for name in ("diff", "se", "df", "p_value"):
        assert getattr(arrays.absolute, name)[place] == pytest.approx(getattr(test, name), rel=1e-9)
    assert arrays.absolute.lower[place] == pytest.approx(test.interval.lower, rel=1e-9)
    assert arrays.lift_lower[place] == pytest.approx(lift.interval.lower, rel=1e-9)
    assert arrays.lift_upper[place] == pytest.approx(lift.interval.upper, rel=1e-9)


def test_ratios_and_adjusted_means_follow_the_same_rule():
    rng = np.random.default_rng(3)
    for n in ((3800, 200), (200, 3800)):
        pairs = []
        for size, high in zip(n, (1.0, 0.5) if n[0] > n[1] else (0.5, 1.0), strict=True):
            x = rng.lognormal(0, 1, size)
            pairs.append((high * (x + rng.lognormal(0, 1.2, size)), x))
        ratios = [RatioMoments.from_values(y.tolist(), (1 + x).tolist()) for y, x in pairs]
        adjusted = [CovariateMoments.from_values(y.tolist(), x.tolist()) for y, x in pairs]
        ratio, mean = analyze_metric(MetricKind.RATIO, *ratios), analyze_metric(MEAN, *adjusted)
        sums = [[r.n, r.sum_m, r.sum_d, r.sum_mm, r.sum_dd, r.sum_md] for r in ratios]
        crossed = [[a.n, a.sum_y, a.sum_x, a.sum_yy, a.sum_xx, a.sum_xy] for a in adjusted]

        assert ratio != compare_ratios(*ratios)
        agrees(compare_ratio_arrays(*np.array(sums)[:, :, None]), 0, ratio)
        agrees(compare_cuped_arrays(*np.array(crossed)[:, :, None]), 0, mean)
        assert isinstance(ratio.absolute, Estimate)
        assert isinstance(mean.absolute, Estimate)
        assert ratio.absolute.raised
        assert mean.absolute.raised


def test_margins_and_versions_follow_the_same_rule():
    margin = Margin(0.1, relative=True, direction=Direction.HIGHER_IS_BETTER)
    own = own_effect(MEAN, BIG, SMALL)
    test = guard_metric(MEAN, BIG, SMALL, margin)
    both = compare_strata(MEAN, [(BIG, SMALL), (Moments(500, 400.0, 4000.0), Moments(500, 390.0, 3900.0))])
    assert isinstance(test, NonInferiority)
    assert not isinstance(own, Status)
    assert isinstance(both.absolute, Estimate)

    assert test.se > math.sqrt(own.less(-0.1, 0.0).variance) * 1.1
    assert both.absolute.raised


def test_a_skewed_covariate_of_lopsided_arms_is_no_imbalance():
    rng, found = np.random.default_rng(18), []
    for _ in range(60):
        arms = []
        for n in (1900, 100):
            x = np.where(rng.random(n) < 0.05, rng.lognormal(3, 1.5, n), 0.0)
            arms.append(CovariateMoments.from_values((x + rng.random(n)).tolist(), x.tolist()))
        reason = adjustable_strata([(arms[0], arms[1])])
        found.append(reason is not None and reason.code is StatusCode.COVARIATE_IMBALANCE)

    assert not any(found)


def test_the_result_says_that_the_variance_was_raised():
    metric = Metric("revenue", MEAN, Role.PRIMARY)
    experiment = Experiment("c", ("c", "t"), (metric,), {("revenue", "c"): BIG, ("revenue", "t"): SMALL})

    (effect,) = effects_of(analyze(experiment, Plan(ended=True)).results)

    assert "the smaller arm is taken to vary as the units of both do" in effect.note


RATE = Metric("errors", MetricKind.PROPORTION, Role.PRIMARY, Direction.LOWER_IS_BETTER)


def errors(control: tuple[int, int], treatment: tuple[int, int]) -> Experiment:
    sides = {
        ("errors", arm): Moments.proportion(*counts) for arm, counts in (("c", control), ("t", treatment))
    }
    return Experiment("c", ("c", "t"), (RATE,), sides)


def test_a_rate_waits_for_five_expected_outcomes_in_the_smaller_arm_and_says_for_how_many_units():
    (early,) = analyze(errors((20, 9900), (3, 100)), ANY_TIME).results

    assert early.p_value is None
    assert early.verdict is Verdict.UNDECIDED
    assert early.waits is not None
    assert "0.2 of at least 5 expected outcomes" in early.waits.message
    assert "about 220,000 units" in early.waits.message
    (effect,) = effects_of([early])
    assert effect.difference is effect.lower is effect.lift is None
    assert early.waits.message in effect.note

    (later,) = analyze(errors((490, 245_000), (30, 2480)), ANY_TIME).results

    assert later.waits is None
    assert later.verdict is Verdict.WORSE


def test_what_was_found_before_stands_while_outcomes_are_few():
    first = analyze(errors((490, 245_000), (30, 2480)), ANY_TIME).results
    stands = {("errors", "t"): standing_after(NOTHING, first[0], ANY_TIME)}
    (later,) = analyze(errors((20, 9900), (3, 100)), ANY_TIME, standings=stands).results

    assert later.rejected
    assert later.waits is None


def test_outcomes_are_the_rarer_of_successes_and_failures_in_the_arm_with_fewest():
    pair = (Moments.proportion(9800, 9900), Moments.proportion(100, 100))

    assert Sample.of(MetricKind.PROPORTION, [pair]).outcomes == pytest.approx(1.0)
    assert Sample.of(MetricKind.PROPORTION, [pair, pair]).outcomes == pytest.approx(2.0)
    assert Sample.of(MEAN, [pair]).outcomes == math.inf


def test_an_absolute_margin_brings_the_outcomes_of_the_loss_that_it_allows():
    crashes = Metric("errors", MetricKind.PROPORTION, Role.GUARDRAIL, Direction.LOWER_IS_BETTER, 0.02)
    few = dataclasses.replace(errors((2, 38_000), (1, 2000)), metrics=(crashes,))
    relative = dataclasses.replace(few, metrics=(dataclasses.replace(crashes, margin_relative=True),))

    held, waiting = (analyze(each, ANY_TIME).results[0] for each in (few, relative))

    assert held.guardrail_state is GuardrailState.HELD
    assert held.waits is None
    assert waiting.guardrail_state is None
    assert waiting.waits is not None
