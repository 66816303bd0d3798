"""The comparisons within versions, put together as one."""

import pytest

from neonblue.statistics import (
    CovariateMoments,
    Estimate,
    MetricKind,
    Moments,
    RatioMoments,
    Status,
    StatusCode,
    compare_strata,
)
from neonblue.statistics.methods.by_kind import added
from neonblue.statistics.methods.effect import Effect
from neonblue.statistics.methods.means import mean_effect
from neonblue.statistics.methods.noninferiority import Margin
from neonblue.statistics.methods.pooling import stratified_effect
from neonblue.statistics.methods.stratified import combine, guard_strata, information
from neonblue.statistics.result import Method
from tests.unit.statistics.strata import ONE_OF_EACH_KIND, covariate_arm, rate


def test_one_stratum_is_the_plain_comparison():
    control, treatment = Moments(400, 800.0, 5000.0), Moments(500, 1100.0, 7000.0)
    effect = Effect.of_arms(
        Method.WELCH,
        (400, 500),
        (control.mean, treatment.mean),
        (control.variance / 400, treatment.variance / 500),
    )

    alone = stratified_effect([effect])

    assert alone.test(0.05).p_value == pytest.approx(effect.test(0.05).p_value, rel=1e-12)
    assert alone.df == pytest.approx(effect.df, rel=1e-12)


def test_a_version_too_small_to_compare_is_left_out():
    row = compare_strata(
        MetricKind.MEAN,
        [(Moments(1, 3.0, 9.0), Moments(5, 9.0, 30.0)), (Moments(50, 80.0, 400.0), Moments(60, 99.0, 500.0))],
    )

    assert (row.n_control, row.n_treatment) == (50, 60)


def test_a_version_without_any_success_counts_with_its_difference():
    row = compare_strata(MetricKind.PROPORTION, [(rate(0, 50), rate(0, 50)), (rate(40, 450), rate(60, 450))])

    assert isinstance(row.absolute, Estimate)
    assert (row.n_control, row.n_treatment) == (500, 500)
    assert row.diff == pytest.approx(0.9 * 20 / 450)


@pytest.mark.parametrize(
    ("kind", "pair", "code"),
    [
        (MetricKind.MEAN, (Moments(1, 1.0, 1.0), Moments(1, 2.0, 4.0)), StatusCode.NOT_ENOUGH_UNITS),
        (MetricKind.PROPORTION, (rate(0, 9), rate(0, 9)), StatusCode.ZERO_VARIANCE),
    ],
)
def test_no_version_with_an_estimate_is_a_status(kind, pair, code):
    row = compare_strata(kind, [pair, pair])

    assert isinstance(row.absolute, Status)
    assert row.absolute.code is code
    assert (row.n_control, row.diff) == (pair[0].n * 2, pair[1].mean - pair[0].mean)


def test_no_version_at_all_is_a_status():
    assert compare_strata(MetricKind.MEAN, []).absolute.code is StatusCode.MISSING_ARM


def test_constant_differences_alone_have_no_error_to_combine():
    constant = Effect.of_arms(Method.WELCH, (5, 5), (1.0, 2.0), (0.0, 0.0))

    with pytest.raises(ValueError, match="strata"):
        stratified_effect([constant])


def test_pairs_of_sums_add_up():
    for kind in (RatioMoments, CovariateMoments):
        first, second = kind(2, 3.0, 2.0, 5.0, 2.0, 3.0), kind(2, 1.0, 2.0, 1.0, 4.0, 2.0)
        assert added(first, second) == first.merge(second)


def test_an_empty_version_of_a_rate_that_never_varies_keeps_its_reason():
    ratio = RatioMoments(9, 0.0, 0.0, 0.0, 0.0, 0.0)
    row = compare_strata(MetricKind.RATIO, [(ratio, ratio), (RatioMoments(9, 5, 9, 7, 12, 6),) * 2])

    assert (row.n_control, row.n_treatment) == (9, 9)


def test_information_is_a_quarter_of_the_units_at_equal_arms_and_little_in_lopsided_ones():
    equal, lopsided, empty = (
        (rate(0, 500), rate(0, 500)),
        (rate(0, 9900), rate(0, 100)),
        (rate(0, 9), rate(0, 0)),
    )

    assert information([equal]) == 250
    assert information([equal, lopsided, empty]) == pytest.approx(250 + 99)
    assert information([]) == 0


def test_quantiles_of_several_versions_are_refused_with_the_reason():
    pair = ONE_OF_EACH_KIND[6][1]

    row = compare_strata(MetricKind.QUANTILE, [pair, pair])

    assert row.absolute.code is StatusCode.SHARES_CHANGED
    assert (row.n_control, row.n_treatment, row.mean_control, row.diff) == (400, 400, None, None)
    assert guard_strata(MetricKind.QUANTILE, [pair, pair], Margin(1.0)).code is StatusCode.SHARES_CHANGED


def test_versions_whose_effects_differ_keep_their_own_variances():
    rise, none = (rate(900, 9000), rate(300, 1000)), (rate(100, 1000), rate(450, 9000))

    effect = combine(MetricKind.PROPORTION, [rise, none])

    each = [0.1 * 0.9 / 9000 + 0.3 * 0.7 / 1000, 0.1 * 0.9 / 1000 + 0.05 * 0.95 / 9000]
    assert effect.diff == pytest.approx((0.2 - 0.05) / 2)
    assert effect.variance == pytest.approx(sum(each) / 4)


def test_a_few_units_without_an_outcome_are_not_taken_for_certain():
    silent, varied = (
        (Moments(3, 0.0, 0.0), Moments(2, 0.0, 0.0)),
        (Moments(80, 90.0, 400.0), Moments(90, 99.0, 500.0)),
    )

    effect = combine(MetricKind.MEAN, [silent, varied])

    weights = [6 / 5, 80 * 90 / 170]
    variances = [
        sum(arm.variance / n for arm, n in zip(varied, ns, strict=True)) for ns in ((3, 2), (80, 90))
    ]
    expected = sum(w * w * v for w, v in zip(weights, variances, strict=True)) / sum(weights) ** 2
    assert effect.variance == pytest.approx(expected, rel=1e-12)
    assert effect.df == pytest.approx(mean_effect(*varied).df, rel=1e-12)
    assert effect.diff == pytest.approx(weights[1] * (99 / 90 - 90 / 80) / sum(weights), rel=1e-12)


def test_one_arm_without_an_outcome_takes_the_spread_of_that_arm_in_the_others():
    lopsided, varied = (Moments(300, 310.0, 900.0), Moments(4, 0.0, 0.0)), (Moments(80, 90.0, 400.0),) * 2

    effect = combine(MetricKind.MEAN, [lopsided, varied])

    share = (1200 / 304) / (1200 / 304 + 40)
    own = varied[1].variance
    assert effect.var_from_treatment == pytest.approx(
        share**2 * own / 4 + (1 - share) ** 2 * own / 80, rel=1e-12
    )


def test_a_treatment_that_never_varies_has_no_spread_to_take():
    alike = (Moments(80, 90.0, 400.0), Moments(80, 0.0, 0.0))

    assert combine(MetricKind.MEAN, [alike, alike]).var_from_treatment == 0


def test_a_version_whose_ratio_is_not_defined_leaves_the_values_out():
    empty, alike = RatioMoments(9, 0.0, 0.0, 0.0, 0.0, 0.0), RatioMoments(9, 9.0, 9.0, 9.0, 9.0, 9.0)

    row = compare_strata(MetricKind.RATIO, [(empty, empty), (alike, alike)])

    assert isinstance(row.absolute, Status)
    assert (row.n_control, row.mean_control) == (18, None)


def test_the_method_is_that_of_the_version_with_most_information():
    covariate, few = (
        (covariate_arm(400, 1.0), covariate_arm(300, 1.2)),
        (covariate_arm(20, 1.0), covariate_arm(9, 1.1)),
    )

    assert compare_strata(MetricKind.MEAN, [few, covariate]).absolute.method is Method.CUPED


@pytest.mark.parametrize("margin", [Margin(0.02), Margin(0.2, relative=True)])
@pytest.mark.parametrize(
    "strata",
    [
        [(rate(1800, 9000), rate(190, 1000)), (rate(500, 5000), rate(480, 5000))],
        [(rate(200, 1000), rate(19, 100)), (rate(500, 5000), rate(480, 5000))],
    ],
)
def test_a_guardrail_over_versions_is_judged_on_the_stratified_difference(strata, margin):
    guard, row = (
        guard_strata(MetricKind.PROPORTION, strata, margin),
        compare_strata(MetricKind.PROPORTION, strata, 0.1),
    )

    assert guard.diff == pytest.approx(row.diff, rel=1e-12)
    lower = row.relative.interval.lower if margin.relative else row.absolute.interval.lower
    assert guard.bound == pytest.approx(lower, rel=1e-9)
    assert guard.non_inferior is (lower > margin.signed)


def test_values_that_are_no_counts_are_refused_in_any_version():
    with pytest.raises(ValueError, match="proportion"):
        compare_strata(MetricKind.PROPORTION, [(rate(1, 9), rate(2, 9)), (Moments(9, 2.5, 4.0), rate(1, 9))])
