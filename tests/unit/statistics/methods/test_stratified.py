"""Units that entered under different shares are compared within their version."""

import dataclasses

import pytest

from neonblue.statistics import (
    AllocationVersion,
    Direction,
    Experiment,
    Inference,
    Metric,
    MetricKind,
    Moments,
    NonInferiority,
    Plan,
    QuantileSummary,
    Role,
    StatusCode,
    Verdict,
    analyze,
    compare_strata,
)
from neonblue.statistics.methods.by_kind import added, analyze_metric, guard_metric
from neonblue.statistics.methods.noninferiority import Margin
from neonblue.statistics.methods.stratified import guard_strata
from tests.unit.statistics.strata import (
    NOW,
    ONE_OF_EACH_KIND,
    PARADOX,
    SALES,
    ramp,
    rate,
)


def test_a_rate_that_falls_during_a_ramp_is_no_effect():
    pooled = dataclasses.replace(PARADOX, versions=())

    assert analyze(pooled, NOW).results[0].verdict is Verdict.WORSE
    assert analyze(PARADOX, NOW).results[0].comparison.diff == pytest.approx(0, abs=1e-12)
    assert analyze(PARADOX, NOW).results[0].verdict is Verdict.UNDECIDED


@pytest.mark.parametrize("plan", [NOW, Plan(inference=Inference.CONFIDENCE_SEQUENCE)])
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


def test_a_guardrail_that_nobody_broke_in_any_version_has_a_bound():
    errors = Metric("errors", MetricKind.PROPORTION, Role.GUARDRAIL, Direction.LOWER_IS_BETTER, 0.01)
    experiment = ramp(errors, (0.1, rate(0, 90), rate(0, 10)), (0.5, rate(0, 50), rate(0, 50)))

    guardrail = analyze(experiment, NOW).results[0].guardrail

    assert isinstance(guardrail, NonInferiority)
    assert guardrail.bound > 0.01
    assert not guardrail.non_inferior


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
