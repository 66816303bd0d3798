"""Units that entered under different shares are compared within their version."""

import dataclasses

import pytest

from neonblue.statistics import (
    AllocationVersion,
    CovariateMoments,
    Deciding,
    Direction,
    Estimate,
    Experiment,
    Metric,
    MetricKind,
    Moments,
    NonInferiority,
    Plan,
    QuantileSummary,
    RatioMoments,
    Role,
    Status,
    StatusCode,
    Verdict,
    analyze,
    compare_strata,
)
from neonblue.statistics.effect import Effect
from neonblue.statistics.means import mean_effect
from neonblue.statistics.metric import added, analyze_metric, guard_metric
from neonblue.statistics.noninferiority import Margin
from neonblue.statistics.pooling import stratified_effect
from neonblue.statistics.result import Method
from neonblue.statistics.stratified import combine, guard_strata, information

NOW = Plan(ended=True)


def rate(successes, n):
    return Moments.proportion(successes, n)


def ramp(metric, *versions):
    """An experiment of versions: (share of b, moments of a, moments of b)."""
    live = tuple(
        AllocationVersion(
            str(number),
            {"a": 1 - share, "b": share},
            {"a": a.n, "b": b.n},
            {(metric.name, "a"): a, (metric.name, "b"): b},
        )
        for number, (share, a, b) in enumerate(versions, start=1)
    )
    pooled = {}
    for arm in ("a", "b"):
        parts = [version.moments[metric.name, arm] for version in live]
        pooled[metric.name, arm] = parts[0] if isinstance(parts[0], QuantileSummary) else merged(parts)
    return Experiment("a", ("a", "b"), (metric,), pooled, live)


def merged(parts):
    total = parts[0]
    for part in parts[1:]:
        total = added(total, part)
    return total


SALES = Metric("sales", MetricKind.PROPORTION, Role.PRIMARY)
# No effect in either version; the rate fell from 20 % to 10 % when the treatment's share rose.
PARADOX = ramp(SALES, (0.1, rate(1800, 9000), rate(200, 1000)), (0.5, rate(500, 5000), rate(500, 5000)))


def test_a_rate_that_falls_during_a_ramp_is_no_effect():
    pooled = dataclasses.replace(PARADOX, versions=())

    assert analyze(pooled, NOW).results[0].verdict is Verdict.WORSE
    assert analyze(PARADOX, NOW).results[0].comparison.diff == pytest.approx(0, abs=1e-12)
    assert analyze(PARADOX, NOW).results[0].verdict is Verdict.UNDECIDED


@pytest.mark.parametrize("plan", [NOW, Plan(deciding=Deciding.CONFIDENCE_SEQUENCE)])
def test_an_effect_within_every_version_is_found(plan):
    experiment = ramp(
        SALES, (0.1, rate(1800, 9000), rate(300, 1000)), (0.5, rate(500, 5000), rate(900, 5000))
    )

    (result,) = analyze(experiment, plan).results

    assert result.verdict is Verdict.BETTER
    assert result.comparison.diff == pytest.approx((900 * 0.1 + 2500 * 0.08) / 3400)
    assert result.comparison.mean_treatment - result.comparison.mean_control == pytest.approx(
        result.comparison.diff
    )


def test_versions_of_equal_shares_are_one_stratum():
    parts = ((0.5, rate(90, 1000), rate(120, 1000)), (0.2, rate(80, 800), rate(30, 200)))
    split = ramp(SALES, *parts, (0.5, rate(110, 1000), rate(100, 1000)))

    assert len(split.compared("sales", "b")) == 2
    assert split.compared("sales", "b")[0] == (rate(200, 2000), rate(220, 2000))


def test_the_same_shares_throughout_leave_one_comparison():
    experiment = ramp(SALES, (0.5, rate(90, 1000), rate(120, 1000)), (0.5, rate(110, 1000), rate(100, 1000)))

    assert experiment.compared("sales", "b") == [(rate(200, 2000), rate(220, 2000))]


def test_changed_shares_without_sums_by_version_are_not_compared():
    bare = dataclasses.replace(PARADOX.versions[1], moments={})
    experiment = dataclasses.replace(PARADOX, versions=(PARADOX.versions[0], bare))

    assert experiment.compared("sales", "b").code is StatusCode.SHARES_CHANGED


def test_an_arm_without_data_is_named():
    missing = PARADOX.compared("sales", "c")

    assert missing.code is StatusCode.MISSING_ARM
    assert "sales in arm c" in missing.message


def test_an_arm_that_only_had_units_while_control_was_off_has_nobody_to_compare_with():
    control, treatment = rate(20, 200), rate(30, 200)
    key_a, key_b = ("sales", "a"), ("sales", "b")
    versions = (
        AllocationVersion("1", {"a": 1, "b": 0}, {"a": 200}, {key_a: control}),
        AllocationVersion("2", {"b": 1}, {"b": 200}, {key_b: treatment}),
    )
    experiment = Experiment("a", ("a", "b"), (SALES,), {key_a: control, key_b: treatment}, versions)

    none = experiment.compared("sales", "b")

    assert none.code is StatusCode.MISSING_ARM
    assert "live beside a" in none.message


def test_who_entered_while_an_arm_was_off_is_not_compared_with_it():
    both, alone = (rate(20, 200), rate(30, 200)), rate(90, 300)
    keys = ("sales", "a"), ("sales", "b")
    versions = (
        AllocationVersion("1", {"a": 1, "b": 1}, {"a": 200, "b": 200}, dict(zip(keys, both, strict=True))),
        AllocationVersion("2", {"a": 1, "b": 0}, {"a": 300}, {keys[0]: alone}),
    )
    pooled = {keys[0]: rate(110, 500), keys[1]: both[1]}

    assert Experiment("a", ("a", "b"), (SALES,), pooled, versions).compared("sales", "b") == [both]


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


def test_a_guardrail_is_held_within_versions():
    latency = Metric("latency", MetricKind.MEAN, Role.GUARDRAIL, Direction.LOWER_IS_BETTER, 5.0)
    slow, fast = (
        [Moments(n, n * mean, n * (mean**2 + 100)) for n in (9000, 1000, 5000)] for mean in (200.0, 100.0)
    )
    experiment = ramp(latency, (0.1, fast[0], fast[1]), (0.5, slow[2], slow[2]))

    (result,) = analyze(experiment, NOW).results

    assert isinstance(result.guardrail, NonInferiority)
    assert result.guardrail.non_inferior
    assert result.guardrail.diff == pytest.approx(0)


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


def test_a_guardrail_that_nobody_broke_in_any_version_has_a_bound():
    errors = Metric("errors", MetricKind.PROPORTION, Role.GUARDRAIL, Direction.LOWER_IS_BETTER, 0.01)
    experiment = ramp(errors, (0.1, rate(0, 90), rate(0, 10)), (0.5, rate(0, 50), rate(0, 50)))

    guardrail = analyze(experiment, NOW).results[0].guardrail

    assert isinstance(guardrail, NonInferiority)
    assert guardrail.bound > 0.01
    assert not guardrail.non_inferior


def test_constant_differences_alone_have_no_error_to_combine():
    constant = Effect.of_arms(Method.WELCH, (5, 5), (1.0, 2.0), (0.0, 0.0))

    with pytest.raises(ValueError, match="strata"):
        stratified_effect([constant])


def test_a_guardrail_without_data_is_a_status():
    errors = Metric("errors", MetricKind.MEAN, Role.GUARDRAIL, margin=0.01)

    assert (
        analyze(Experiment("a", ("a", "b"), (errors,), {})).results[0].guardrail.code
        is StatusCode.MISSING_ARM
    )


def test_a_quantile_alone_is_compared_like_any_metric():
    latency = Metric("latency", MetricKind.QUANTILE, Role.PRIMARY)
    summaries = {
        ("latency", arm): QuantileSummary.from_values(range(base, base + 200), 0.5)
        for arm, base in (("a", 0), ("b", 90))
    }

    assert analyze(Experiment("a", ("a", "b"), (latency,), summaries)).results[0].comparison.diff == 90


def test_quantiles_keep_a_stratum_for_each_version():
    latency = Metric("latency", MetricKind.QUANTILE, Role.PRIMARY)
    summaries = [QuantileSummary.from_values(range(base, base + 200), 0.5) for base in (0, 10, 5, 20)]
    experiment = ramp(
        latency, (0.5, *summaries[:2]), (0.2, *summaries[2:]), (0.5, summaries[0], summaries[1])
    )

    assert len(experiment.compared("latency", "b")) == 3
    with pytest.raises(ValueError, match="moments"):
        added(summaries[0], summaries[1])


def test_pairs_of_sums_add_up():
    for kind in (RatioMoments, CovariateMoments):
        first, second = kind(2, 3.0, 2.0, 5.0, 2.0, 3.0), kind(2, 1.0, 2.0, 1.0, 4.0, 2.0)
        assert added(first, second) == first.merge(second)


def test_an_empty_version_of_a_rate_that_never_varies_keeps_its_reason():
    ratio = RatioMoments(9, 0.0, 0.0, 0.0, 0.0, 0.0)
    row = compare_strata(MetricKind.RATIO, [(ratio, ratio), (RatioMoments(9, 5, 9, 7, 12, 6),) * 2])

    assert (row.n_control, row.n_treatment) == (9, 9)


def ratio_arm(n, slope):
    return RatioMoments(n, slope * n, 2.0 * n, 3 * slope**2 * n, 5.0 * n, 2.5 * slope * n)


def covariate_arm(n, shift):
    return CovariateMoments(n, shift * n, 2.0 * n, (shift**2 + 3) * n, 6.0 * n, (2 * shift + 1) * n)


ONE_OF_EACH_KIND = [
    (MetricKind.MEAN, (Moments(400, 800.0, 5000.0), Moments(500, 1100.0, 7000.0))),
    (MetricKind.MEAN, (covariate_arm(400, 1.0), covariate_arm(300, 1.2))),
    (MetricKind.PROPORTION, (rate(300, 3000), rate(360, 3000))),
    (MetricKind.PROPORTION, (rate(3, 900), rate(9, 80))),
    (MetricKind.PROPORTION, (covariate_arm(400, 0.4), covariate_arm(300, 0.5))),
    (MetricKind.RATIO, (ratio_arm(400, 1.0), ratio_arm(300, 1.1))),
    (
        MetricKind.QUANTILE,
        tuple(QuantileSummary.from_values(range(base, base + 200), 0.5) for base in (0, 20)),
    ),
    (MetricKind.MEAN, (Moments(0, 0.0, 0.0), Moments(9, 9.0, 10.0))),
    (MetricKind.MEAN, (Moments(9, 9.0, 9.0), Moments(9, 9.0, 9.0))),
]


@pytest.mark.parametrize(("kind", "pair"), ONE_OF_EACH_KIND)
@pytest.mark.parametrize("margin", [Margin(0.1), Margin(0.1, relative=True)])
def test_a_single_version_is_exactly_the_plain_comparison(kind, pair, margin):
    assert compare_strata(kind, [pair], 0.01) == analyze_metric(kind, *pair, 0.01)
    assert guard_strata(kind, [pair], margin, 0.01) == guard_metric(kind, *pair, margin, 0.01)


@pytest.mark.parametrize(("kind", "pair"), [one for one in ONE_OF_EACH_KIND if one[1][0].n])
def test_a_version_with_an_empty_arm_is_left_out(kind, pair):
    absent = (rate(2, 50), rate(0, 0))

    assert compare_strata(kind, [absent, pair]) == analyze_metric(kind, *pair)
    assert guard_strata(kind, [absent, pair], Margin(0.1)) == guard_metric(kind, *pair, Margin(0.1))


@pytest.mark.parametrize(
    ("kind", "pair"),
    [one for one in ONE_OF_EACH_KIND[:6] if one[1][0].n] + [(MetricKind.MEAN, (rate(9, 50),) * 2)],
)
def test_the_same_version_twice_halves_the_variance(kind, pair):
    once, twice = analyze_metric(kind, *pair).absolute, compare_strata(kind, [pair, pair]).absolute

    assert twice.diff == pytest.approx(once.diff, rel=1e-12)
    assert twice.se**2 == pytest.approx(once.se**2 / 2, rel=1e-3)


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
    alike = (Moments(80, 90.0, 400.0), Moments(40, 0.0, 0.0))

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
