"""Impossible input is refused by name; what can't be computed is a status."""

import math

import pytest

from neonblue.statistics import (
    AllocationVersion,
    CentredProducts,
    CovariateMoments,
    Experiment,
    Inference,
    Interval,
    Margin,
    Metric,
    MetricKind,
    Moments,
    Plan,
    QuantileSummary,
    RatioMoments,
    Status,
    StatusCode,
    analyze_metric,
    beta_posterior,
    choose,
    compare_cuped,
    compare_quantiles,
    covariate_balance,
    multiply_exposed,
    sample_ratio,
    sample_ratio_over_versions,
    thompson_weights,
)
from neonblue.statistics.methods.means import welch_test
from neonblue.statistics.methods.multiplicity import Procedure, judge
from neonblue.statistics.methods.proportions import pooled_test, unpooled_test
from neonblue.statistics.methods.quantiles import bound_levels, sample_quantile
from neonblue.statistics.methods.t_test import require_alpha
from neonblue.statistics.methods.winsorization import Caps, pooled_caps
from neonblue.statistics.result import Alternative
from neonblue.statistics.sequential.boundaries import spending_boundaries
from neonblue.statistics.sequential.confidence_sequence import confidence_sequence, mixture_precision
from neonblue.statistics.sequential.mixture_sprt import mixture_sprt
from neonblue.statistics.sequential.sample_ratio import sequential_sample_ratio
from neonblue.statistics.sequential.spending import Spending, SpendingFamily

ONES = Moments.proportion(1, 2)
MEDIAN = QuantileSummary(9, 9, 0.5, 1, 0, 2)


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: Moments(-1, 0, 0), "n"),
        (lambda: Moments(True, 1, 1), "n"),
        (lambda: Moments(2, float("nan"), 1), "sum"),
        (lambda: Moments(2, 4, 7), "sum_of_squares"),
        (lambda: Moments(2, 4, -1), "sum_of_squares"),
        (lambda: Moments(0, 1, 1), "sum"),
        (lambda: Moments(2, 4, 9, -1), "centred_sum_of_squares"),
        (lambda: Moments.proportion(3, 2), "successes"),
        (lambda: CentredProducts(1, 1, 2), "ab"),
        (lambda: RatioMoments(2, 1, 1, 1, 1, 5), "sum_md"),
        (lambda: RatioMoments.from_values([1.0], [1.0, 2.0]), "values"),
        (lambda: CovariateMoments(10, 0, 0, 10, 10, 10.1), "sum_xy"),
        (lambda: Interval(2, 1, 0.95), "lower"),
        (lambda: Interval(1, 2, 1.0), "level"),
        (lambda: Margin(0), "size"),
        (lambda: Margin(1, relative=True), "size"),
        (lambda: Plan(alpha=0), "alpha"),
        (lambda: Plan(planned_units=0), "planned_units"),
        (lambda: Plan(inference=Inference.GROUP_SEQUENTIAL), "planned_units"),
        (lambda: CovariateMoments(3, 3, 3, 5, 5, 5.5), "sum_xy"),
        (lambda: CovariateMoments(3, 3, 3, 5, 5, 0.5), "sum_xy"),
        (lambda: thompson_weights((0.5, 0.5), 0.6), "floor"),
        (lambda: beta_posterior(ONES, ONES, level=1.0), "level"),
        (lambda: beta_posterior(Moments(2, 3, 5), ONES), "sum"),
        (lambda: bound_levels(0.5, 0), "n"),
        (lambda: sample_quantile([], 0.5), "values"),
        (lambda: compare_quantiles(MEDIAN, QuantileSummary(9, 9, 0.4, 1, 0, 2)), "level"),
        (lambda: spending_boundaries([1.0], 0.0), "planned_information"),
        (lambda: spending_boundaries([1.0], 1.0, alpha=1.0), "alpha"),
        (lambda: spending_boundaries([0.5, 0.4], 1.0), "information"),
        (lambda: confidence_sequence(0, 1, 9, alpha=0.6, alternative=Alternative.LESS), "alpha"),
        (lambda: mixture_precision(1.0, 100), "alpha"),
        (lambda: mixture_precision(0.05, 0), "tuning"),
        (lambda: mixture_sprt(0, 1, 0), "tau2"),
        (lambda: mixture_sprt(0, 1, 1, alpha=0), "alpha"),
        (lambda: sequential_sample_ratio([1, 1], [[1, 1]], concentration=0), "concentration"),
        (lambda: sequential_sample_ratio([1, -1], [[1, 1]]), "shares"),
        (lambda: sequential_sample_ratio([1, 1], [[1]]), "batches"),
        (lambda: Spending(SpendingFamily.KIM_DEMETS, 0.0), "shape"),
        (lambda: Spending(shape=math.inf), "shape"),
        (lambda: Plan(0.5, inference=Inference.GROUP_SEQUENTIAL, planned_units=9), "alpha"),
        (lambda: Plan(looks=(0.5, 0.5)), "looks"),
        (lambda: Moments(2, 4, 9, sum_error=math.inf), "sum_error"),
        (lambda: choose(1.2), "chance_to_win"),
        (lambda: choose(0.9, 0.5), "threshold"),
        (lambda: QuantileSummary.from_counts([2, 1], [1, 1], 0.5, 2), "values"),
        (lambda: QuantileSummary.from_counts([1, 2], [50, 50], 0.5, 200), "counts"),
        (lambda: Experiment("z", ("a",), (), {}), "control"),
        (lambda: Experiment("a", ("a",), (Metric("m", MetricKind.MEAN),) * 2, {}), "metrics"),
        (lambda: QuantileSummary(10, 10, 1.0, 1, 0, 2), "level"),
        (lambda: QuantileSummary(10, 10, 0.5, 3, 0, 2), "value"),
        (lambda: QuantileSummary(-1, 10, 0.5, 1, 0, 2), "n"),
        (lambda: sample_ratio([1, 2], [1]), "weights"),
        (lambda: sample_ratio([1, -2], [1, 1]), "observed"),
        (lambda: sample_ratio([1, 2], [0, 0]), "weights"),
        (lambda: sample_ratio_over_versions([], []), "weights"),
        (lambda: sample_ratio_over_versions([[1, 2], [1]], [[1, 1], [1]]), "observed"),
        (lambda: multiply_exposed(3, 2), "units"),
        (lambda: require_alpha(1.0), "alpha"),
        (lambda: judge([0.5], Procedure.HOLM, 0.0), "alpha"),
        (lambda: judge([1.5], Procedure.HOLM), "p_values"),
        (lambda: pooled_caps([[1.0]], 0.2), "percentile"),
        (lambda: unpooled_test(Moments(2, 3, 5), Moments(2, 1, 1)), "control"),
        (lambda: analyze_metric(MetricKind.RATIO, Moments(2, 1, 1), Moments(2, 1, 1)), "kind"),
    ],
)
def test_impossible_input_names_its_field(make, field):
    with pytest.raises(ValueError, match=f"^{field}:"):
        make()


def test_missing_p_values_stay_missing_and_do_not_count():
    family = judge([0.02, None, float("nan"), 0.03], Procedure.BONFERRONI)

    assert family.adjusted == (0.04, None, None, 0.06)
    assert family.rejected == (True, False, False, False)
    assert family.interval_alpha == (0.025, None, None, 0.025)


def test_cut_offs_separate_the_rejected_from_the_rest():
    p_values = [0.001, 0.008, 0.012, 0.039, 0.041, 0.3, 0.9]
    for procedure in Procedure:
        family = judge(p_values, procedure)
        for p, rejected, level in zip(p_values, family.rejected, family.interval_alpha, strict=True):
            assert (p <= level) == rejected, procedure


def test_one_arm_with_weight_has_no_ratio():
    check = sample_ratio([5, 5], [1, 0])

    assert isinstance(check, Status)
    assert check.code is StatusCode.IMPOSSIBLE_REQUEST


def test_small_arms_and_constant_covariates_fall_back_and_say_why():
    small = CovariateMoments.from_values([1, 2, 4.0], [1, 3, 2.0])
    flat = CovariateMoments.from_values([float(i % 7) for i in range(50)], [2.0] * 50)

    assert compare_cuped(small, small).fallback.code is StatusCode.NOT_ENOUGH_UNITS
    assert compare_cuped(flat, flat).fallback.code is StatusCode.ZERO_VARIANCE


def test_an_imbalanced_covariate_warns_without_blocking():
    low, high = (Moments.from_values([base + i % 5 for i in range(200)]) for base in (0.0, 3.0))

    check = covariate_balance(welch_test(low, high))

    assert not check.passed
    assert not check.blocking


def test_the_continuity_correction_shrinks_the_statistic():
    arms = Moments.proportion(3, 20), Moments.proportion(9, 20)

    assert pooled_test(*arms, continuity_correction=True).statistic < pooled_test(*arms).statistic


def test_no_values_leave_the_caps_open():
    assert pooled_caps([[0.0], [0.0]], ignore_zeros=True) == Caps(None, None)


def test_an_arm_without_data_is_a_status():
    metric = Metric("m", MetricKind.MEAN)
    version = AllocationVersion("1", {"a": 1, "b": 1}, {"a": 4, "b": 6})
    experiment = Experiment("a", ("a", "b"), (metric,), {}, (version,))

    assert experiment.units == 10
