"""The score test over strata against its definition, and its interval against its test."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from neonblue.statistics import Estimate, Lift, MetricKind, Moments, Status, StatusCode, compare_strata
from neonblue.statistics.methods.noninferiority import Direction, Margin
from neonblue.statistics.methods.score import difference_limits, score_test
from neonblue.statistics.methods.score_strata import (
    StratifiedCounts,
    stratified_difference_limits,
    stratified_ratio_limits,
    stratified_score_interval,
    stratified_score_lift,
    stratified_score_test,
)
from neonblue.statistics.methods.stratified import guard_strata
from neonblue.statistics.result import Alternative, Method
from tests.unit.statistics import reference

# Successes and units of control, of treatment.
RAMP = [(95, 9900, 3, 100), (61, 5000, 84, 5000), (9, 40, 2, 35)]


def pairs(rows):
    return [(Moments.proportion(x_c, n_c), Moments.proportion(x_t, n_t)) for x_c, n_c, x_t, n_t in rows]


def counts(rows):
    return StratifiedCounts.of_pairs(pairs(rows))


def likeliest(row, treatment_rate):
    """The control rate that maximises the likelihood, by search; treatment_rate: of the control rate."""
    x_c, n_c, x_t, n_t = row

    def loss(p_c):
        p_t = treatment_rate(p_c)
        if not 0 < p_t < 1:
            return math.inf
        terms = ((x_c, p_c), (n_c - x_c, 1 - p_c), (x_t, p_t), (n_t - x_t, 1 - p_t))
        return -sum(count * math.log(rate) for count, rate in terms)

    grid = np.linspace(1e-6, 1 - 1e-6, 20_001)
    near = grid[np.argmin([loss(p) for p in grid])]
    bounds = (max(near - 1e-4, 1e-9), min(near + 1e-4, 1 - 1e-9))
    return optimize.minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-12}).x


def defined_z(rows, contrast, rate_of):
    """The statistic as Miettinen and Nurminen define it; contrast: its share of the control's rate."""
    top, variance, total = 0.0, 0.0, 0.0
    for row in rows:
        x_c, n_c, x_t, n_t = row
        weight, n = n_c * n_t / (n_c + n_t), n_c + n_t
        p_c = likeliest(row, rate_of)
        p_t = rate_of(p_c)
        each = (p_t * (1 - p_t) / n_t + contrast**2 * p_c * (1 - p_c) / n_c) * n / (n - 1)
        top += weight * (x_t / n_t - contrast * x_c / n_c)
        variance += weight**2 * each
        total += weight
    return top / total, math.sqrt(variance) / total


@pytest.mark.parametrize("null", [0.0, -0.004, 0.01])
def test_the_difference_is_tested_at_each_stratums_likeliest_rates(null):
    diff, se = defined_z(RAMP, 1.0, lambda p: p + null)

    test = stratified_score_test(counts(RAMP), null=null)

    assert test.diff == pytest.approx(diff, rel=1e-12)
    assert test.se == pytest.approx(se, rel=1e-7)
    assert test.statistic == pytest.approx((diff - null) / se, rel=1e-7)
    assert test.method is Method.STRATIFIED_MIETTINEN_NURMINEN


@pytest.mark.parametrize("size", [0.1, 0.3])
def test_a_relative_margin_is_tested_at_each_stratums_likeliest_rates(size):
    contrast, se = defined_z(RAMP, 1 - size, lambda p: p * (1 - size))

    guard = guard_strata(MetricKind.PROPORTION, pairs(RAMP), Margin(size, relative=True))

    assert guard.contrast == pytest.approx(contrast, rel=1e-9)
    assert guard.se == pytest.approx(se, rel=1e-7)


def test_at_no_difference_it_is_the_test_of_cochran_mantel_and_haenszel():
    excess, variance = 0.0, 0.0
    for x_c, n_c, x_t, n_t in RAMP:
        n, successes = n_c + n_t, x_c + x_t
        excess += x_t - n_t * successes / n
        variance += n_c * n_t * successes * (n - successes) / (n**2 * (n - 1))

    test = stratified_score_test(counts(RAMP))

    assert test.statistic == pytest.approx(excess / math.sqrt(variance), rel=1e-12)
    assert test.p_value == pytest.approx(2 * stats.norm.sf(abs(test.statistic)), rel=1e-12)


def test_the_interval_ends_where_the_test_turns():
    at = counts(RAMP)
    test, lift = stratified_score_test(at, 0.1), stratified_score_lift(at, 0.1)

    for end in (test.interval.lower, test.interval.upper):
        assert stratified_score_test(at, null=end).p_value == pytest.approx(0.1, rel=1e-9)
    for ratio in (1 + lift.interval.lower, 1 + lift.interval.upper):
        gap, se = defined_z(RAMP, ratio, lambda p, ratio=ratio: p * ratio)
        assert abs(gap) / se == pytest.approx(stats.norm.isf(0.05), rel=1e-6)


def test_one_stratum_has_the_limits_of_the_plain_test():
    x_c, n_c, x_t, n_t = RAMP[0]
    plain = difference_limits(x_c, n_c, x_t, n_t, 1.96)

    stratified = stratified_difference_limits(counts(RAMP[:1]), 1.96)

    assert [float(end) for end in stratified] == pytest.approx([float(end) for end in plain], rel=1e-12)


def test_many_comparisons_at_once_are_what_each_is_alone():
    rows = np.array([RAMP, [(5, 900, 1, 80), (30, 400, 44, 410), (0, 3, 1, 2)]])
    together = StratifiedCounts.of(*np.moveaxis(rows, (2, 1), (0, 1)))
    lower, upper = stratified_difference_limits(together, 1.96)
    low, high = stratified_ratio_limits(together, 1.96)

    for place, row in enumerate(rows.tolist()):
        difference, ratio = (
            limits(counts(row), 1.96) for limits in (stratified_difference_limits, stratified_ratio_limits)
        )
        assert [lower[place], upper[place]] == pytest.approx([float(end) for end in difference], rel=1e-10)
        assert [low[place], high[place]] == pytest.approx([float(end) for end in ratio], rel=1e-10)


@st.composite
def tables(draw):
    rows = []
    for _ in range(draw(st.integers(2, 4))):
        n_c, n_t = draw(st.integers(1, 300)), draw(st.integers(1, 300))
        rows.append((draw(st.integers(0, n_c)), n_c, draw(st.integers(0, n_t)), n_t))
    return rows


@settings(max_examples=150, deadline=None)
@given(tables(), st.sampled_from([0.3, 0.05, 1e-3, 1e-6]))
def test_difference_and_lift_leave_zero_out_exactly_where_the_test_rejects(rows, alpha):
    test, lift = stratified_score_test(counts(rows), alpha), stratified_score_lift(counts(rows), alpha)

    if isinstance(test, Estimate) and not math.isclose(test.p_value, alpha, rel_tol=1e-9):
        assert test.significant is (test.p_value < alpha)
        assert isinstance(lift, Status) or lift.interval.contains(0.0) is (test.p_value >= alpha)


@settings(max_examples=100, deadline=None)
@given(
    tables(), st.floats(0.01, 0.6), st.booleans(), st.sampled_from(Direction), st.sampled_from([0.2, 0.01])
)
def test_a_guardrail_holds_exactly_where_its_bound_keeps_the_margin(rows, size, relative, direction, alpha):
    margin = Margin(size, relative, direction)

    guard = guard_strata(MetricKind.PROPORTION, pairs(rows), margin, alpha)

    if isinstance(guard, Status) or guard.bound is None or math.isclose(guard.p_value, alpha, rel_tol=1e-9):
        return
    higher = direction is Direction.HIGHER_IS_BETTER
    assert guard.non_inferior is (guard.bound > margin.signed if higher else guard.bound < margin.signed)


@pytest.mark.parametrize(
    "rows", [[(0, 4, 0, 21), (0, 1, 159, 167)], [(1, 1, 0, 69), (0, 105, 0, 91), (0, 5, 0, 177)]]
)
def test_a_statistic_that_turns_back_still_agrees_with_its_interval(rows):
    test = stratified_score_test(counts(rows), 1e-4)

    assert test.p_value < 1e-4
    assert test.significant


def test_the_plain_score_test_agrees_with_its_interval_where_its_statistic_turns_back():
    test = score_test(Moments.proportion(0, 1), Moments.proportion(159, 167), 1e-4)

    assert test.p_value < 1e-4
    assert test.significant


def test_a_stratum_without_a_success_neither_rejects_nor_counts_as_known():
    alone, beside = RAMP[1], (0, 5, 0, 5)

    test = stratified_score_test(counts([alone, beside]))

    assert test.statistic == pytest.approx(stratified_score_test(counts([alone])).statistic, rel=1e-12)
    assert test.interval.upper > stratified_score_test(counts([alone])).interval.upper * 5000 / 5005


def test_nothing_to_test_with_is_a_status_and_still_has_an_interval():
    silent = counts([(0, 50, 0, 60), (4, 4, 9, 9)])

    assert stratified_score_test(silent).code is StatusCode.ZERO_VARIANCE
    assert stratified_score_lift(silent).code is StatusCode.ZERO_VARIANCE
    assert stratified_score_interval(silent).contains(0.0)
    assert stratified_score_lift(counts([(0, 50, 1, 60), (0, 4, 2, 9)])).code is StatusCode.ZERO_BASELINE


def test_a_margin_where_nothing_varies_is_a_status():
    opposite = counts([(9, 9, 0, 9), (7, 7, 0, 7)])

    assert stratified_score_test(opposite, null=-1.0).code is StatusCode.ZERO_VARIANCE
    whole = guard_strata(MetricKind.PROPORTION, pairs([(9, 9, 0, 9), (7, 7, 0, 7)]), Margin(1.0))
    assert whole.code is StatusCode.ZERO_VARIANCE


def test_a_treatment_without_a_success_may_have_lost_everything():
    lift = stratified_score_lift(counts([(30, 900, 0, 90), (40, 500, 0, 50)]))

    assert (lift.value, lift.interval.lower) == (-1.0, -1.0)
    assert lift.interval.upper > -1


@pytest.mark.parametrize("alternative", [Alternative.GREATER, Alternative.LESS])
def test_one_sided_intervals_are_open_on_the_other_side(alternative):
    test = stratified_score_test(counts(RAMP), 0.05, alternative)
    lift = stratified_score_lift(counts(RAMP), 0.05, alternative)

    ends = [(found.interval.lower, found.interval.upper) for found in (test, lift)]
    assert all((upper if alternative is Alternative.GREATER else -lower) == math.inf for lower, upper in ends)


def test_an_empty_arm_has_no_counts():
    with pytest.raises(ValueError, match="strata"):
        counts([(0, 0, 1, 2)])


@pytest.mark.parametrize("case", reference.edge_cases("stratified"), ids=lambda case: case.name)
def test_the_engine_agrees_with_the_cases_of_strata(case):
    module = reference.adapter("stratified")

    assert reference.differences(case, reference.compute(case, module), module) == []


def test_rates_with_few_outcomes_take_the_score_test_in_every_stratum():
    few, many = (3, 900, 9, 1100), (300, 3000, 360, 3000)

    assert compare_strata(MetricKind.PROPORTION, pairs([few, many])).absolute.method is (
        Method.STRATIFIED_MIETTINEN_NURMINEN
    )
    plain = compare_strata(MetricKind.PROPORTION, pairs([many, many]))
    assert plain.absolute.method is Method.MANTEL_HAENSZEL
    assert isinstance(plain.relative, Lift)


@pytest.mark.parametrize("rows", [RAMP, RAMP[:1]])
def test_who_asks_for_the_p_value_alone_waits_for_no_interval(rows):
    whole, quick = (
        compare_strata(MetricKind.PROPORTION, pairs(rows), limits=limits) for limits in (True, False)
    )

    assert quick.absolute.interval.lower == quick.relative.interval.lower == -math.inf
    assert quick.absolute.interval.upper == quick.relative.interval.upper == math.inf
    assert (quick.absolute.p_value, quick.absolute.log10_p) == (
        whole.absolute.p_value,
        whole.absolute.log10_p,
    )
    assert (quick.relative.value, quick.exact_p, quick.diff) == (
        whole.relative.value,
        whole.exact_p,
        whole.diff,
    )
    assert math.isfinite(whole.absolute.interval.lower + whole.relative.interval.upper)
