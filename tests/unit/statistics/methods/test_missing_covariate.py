"""Units without a covariate: adjusted by that, and not at all where the arms differ in it."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neonblue.statistics import (
    AllocationVersion,
    CovariateMoments,
    Estimate,
    Inference,
    Margin,
    Method,
    Metric,
    MetricKind,
    Moments,
    NonInferiority,
    Plan,
    Role,
    StatusCode,
    analyze_metric,
    analyze_metrics,
    compare_cuped,
    compare_means,
    compare_strata,
)
from neonblue.statistics.experiment.adjusting import adjustable_strata, plain
from neonblue.statistics.experiment.checks import check_health
from neonblue.statistics.experiment.experiment import Experiment
from neonblue.statistics.experiment.from_table import (
    MetricColumns,
    UnitTable,
    cappings,
    experiment_from_units,
)
from neonblue.statistics.methods.by_kind import added, guard_metric, metric_effect
from neonblue.statistics.methods.missing_covariate import (
    PartialCovariateMoments,
    adjust_partial,
    compare_partial,
)

NAN = float("nan")


def sample(n, effect, share, seed, shift=8.0):
    """Outcome and covariate; units without one (NaN) have an outcome that is `shift` larger."""
    rng = np.random.default_rng(seed)
    before, lacks = rng.gamma(2.0, 5.0, n), rng.random(n) < share
    outcome = before + effect + shift * lacks + 2 * rng.normal(size=n)
    return outcome, np.where(lacks, NAN, before)


def moments(outcome, before):
    lacks = np.isnan(before)
    return PartialCovariateMoments(
        CovariateMoments.from_values(outcome[~lacks], before[~lacks]), Moments.from_values(outcome[lacks])
    )


def adjustable(control, treatment):
    return adjustable_strata([(control, treatment)])


def least_squares(control, treatment, fill):
    """The treatment's coefficient and its standard error in y ~ 1 + treatment + covariate + indicator."""
    outcome, before = np.concatenate([control, treatment], axis=1)
    arm = np.repeat([0.0, 1.0], [control[0].size, treatment[0].size])
    lacks = np.isnan(before)
    design = np.column_stack([np.ones(arm.size), arm, np.where(lacks, fill, before), lacks])
    coefficients, *_ = np.linalg.lstsq(design, outcome, rcond=None)
    residual = outcome - design @ coefficients
    variance = residual @ residual / (arm.size - 4) * np.linalg.inv(design.T @ design)[1, 1]
    return coefficients[1], np.sqrt(variance)


CONTROL, TREATMENT = sample(600, 0.0, 0.2, 1), sample(500, 0.6, 0.2, 2)
ARMS = moments(*CONTROL), moments(*TREATMENT)


@pytest.mark.parametrize("fill", [0.0, 10.0])
def test_the_difference_is_that_of_least_squares_with_an_indicator_whatever_stands_in_its_place(fill):
    coefficient, error = least_squares(CONTROL, TREATMENT, fill)

    adjustment = adjust_partial(*ARMS)

    assert adjustment.diff == pytest.approx(coefficient, rel=1e-10)
    assert np.sqrt(adjustment.var_control + adjustment.var_treatment) == pytest.approx(error, rel=0.02)


def test_no_unit_without_a_covariate_is_plain_cuped():
    full = [sample(n, effect, 0.0, seed) for n, effect, seed in ((300, 0.0, 3), (200, 0.5, 4))]
    complete = [CovariateMoments.from_values(*arm) for arm in full]

    partial = compare_partial(*(moments(*arm) for arm in full)).comparison
    cuped = compare_cuped(*complete).comparison

    assert partial.absolute.diff == pytest.approx(cuped.absolute.diff, rel=1e-10)
    assert partial.absolute.se == pytest.approx(cuped.absolute.se, rel=1e-10)
    assert partial.relative.interval.lower == pytest.approx(cuped.relative.interval.lower, rel=1e-9)


@settings(max_examples=30)
@given(seed=st.integers(0, 10_000), share=st.floats(0.0, 0.9), scale=st.sampled_from([1e-6, 1.0, 1e6]))
def test_another_unit_of_the_covariate_changes_nothing(seed, share, scale):
    control, treatment = sample(80, 0.0, share, seed), sample(90, 0.5, share, seed + 1)
    first = adjust_partial(moments(*control), moments(*treatment))
    second = adjust_partial(*(moments(y, scale * x + 5 * scale) for y, x in (control, treatment)))

    assert second.diff == pytest.approx(first.diff, rel=1e-6, abs=1e-9)
    assert second.var_treatment == pytest.approx(first.var_treatment, rel=1e-6)


def test_an_adjusted_arm_counts_all_its_units_and_is_narrower():
    row = analyze_metric(MetricKind.MEAN, *ARMS)
    without = compare_means(*(plain(arm) for arm in ARMS))

    assert (row.n_control, row.n_treatment) == (600, 500)
    assert row.mean_control == pytest.approx(without.mean_control)
    assert isinstance(row.absolute, Estimate)
    assert row.absolute.method is Method.CUPED
    assert row.absolute.se < 0.6 * without.absolute.se


def test_the_same_adjustment_serves_guardrails_and_sums_of_units():
    effect = metric_effect(MetricKind.MEAN, *ARMS)
    guard = guard_metric(MetricKind.MEAN, *ARMS, Margin(1.0))
    both = np.concatenate([CONTROL, TREATMENT], axis=1)

    assert isinstance(guard, NonInferiority)
    assert guard.diff == effect.diff == analyze_metric(MetricKind.MEAN, *ARMS).diff
    assert added(*ARMS).outcome.sum == pytest.approx(both[0].sum())
    assert added(*ARMS).n == 1100
    with pytest.raises(ValueError, match="added up"):
        added(ARMS[0], ARMS[1].observed)


def test_missing_in_one_arm_alone_leaves_the_plain_test():
    rng = np.random.default_rng(7)
    before = rng.gamma(2.0, 50.0, 4000)
    outcome = before + 20 * rng.normal(size=4000)
    arm = np.arange(4000) % 2
    zeros, blanks = (np.where((arm == 1) & (rng.random(4000) < 0.1), gone, before) for gone in (0.0, NAN))
    taken_for_zero = [CovariateMoments.from_values(outcome[arm == a], zeros[arm == a]) for a in (0, 1)]
    known = [moments(outcome[arm == a], blanks[arm == a]) for a in (0, 1)]

    reason = adjustable(moments(outcome[arm == 0], before[arm == 0]), known[1])
    honest = analyze_metric(MetricKind.MEAN, *(plain(m) for m in known))

    assert compare_cuped(*taken_for_zero).comparison.absolute.p_value < 1e-6
    assert reason.code is StatusCode.COVARIATE_IMBALANCE
    assert "The arms differ in how many units have no covariate: p < 0.0001" in reason.message
    assert honest.absolute.p_value > 0.05


def test_a_covariate_that_differs_between_the_arms_is_not_adjusted_by():
    outcome, before = sample(500, 0.0, 0.1, 5)
    shifted = moments(outcome, before + 3)

    assert adjustable(ARMS[0], shifted).code is StatusCode.COVARIATE_IMBALANCE
    assert adjustable(ARMS[0].observed, shifted.observed).code is StatusCode.COVARIATE_IMBALANCE


def test_a_covariate_that_changes_while_the_shares_do_is_no_imbalance():
    """Before the ramp nine of ten units are control's, and covariates are higher and missing more often than after."""
    strata = []
    for n, share, higher, seed in (((900, 100), 0.4, 30, 21), ((500, 500), 0.1, 0, 23)):
        arms = (sample(size, 0.0, share, seed + at) for at, size in enumerate(n))
        strata.append(tuple(moments(outcome + higher, before + higher) for outcome, before in arms))
    pooled = tuple(added(*arm) for arm in zip(*strata, strict=True))

    assert adjustable(*pooled).code is StatusCode.COVARIATE_IMBALANCE
    assert adjustable_strata(strata) is None


def test_one_version_too_small_to_adjust_leaves_the_others_adjusted():
    small = moments(*sample(20, 0.0, 0.1, 31)), moments(*sample(20, 0.0, 0.1, 32))

    assert adjustable(*small).code is StatusCode.NOT_ENOUGH_UNITS
    assert adjustable_strata([small, ARMS]) is None
    assert adjustable_strata([small, small]).code is StatusCode.NOT_ENOUGH_UNITS


def test_what_can_be_adjusted_has_no_reason_against_it():
    assert adjustable(*ARMS) is None
    assert adjustable(*(arm.observed for arm in ARMS)) is None
    assert adjustable(*(plain(arm) for arm in ARMS)) is None


@pytest.mark.parametrize(
    ("arm", "code"),
    [
        (moments(*sample(25, 0.0, 0.1, 6)), StatusCode.NOT_ENOUGH_UNITS),
        (
            PartialCovariateMoments(CovariateMoments(0, 0, 0, 0, 0, 0), ARMS[0].outcome),
            StatusCode.NOT_ENOUGH_UNITS,
        ),
        (
            moments(np.arange(100.0), np.where(np.arange(100) < 50, NAN, 3.0)),
            StatusCode.ZERO_VARIANCE,
        ),
    ],
)
def test_a_covariate_that_can_not_be_used_leaves_the_plain_comparison(arm, code):
    assert compare_partial(arm, arm).fallback.code is code
    assert adjustable(arm, arm).code is code
    assert analyze_metric(MetricKind.MEAN, arm, arm) == compare_means(arm.outcome, arm.outcome)
    assert metric_effect(MetricKind.MEAN, arm, arm).diff == 0


def test_one_unit_in_an_arm_is_too_few():
    one = PartialCovariateMoments(CovariateMoments(1, 2, 3, 4, 9, 6), Moments(0, 0, 0))

    assert adjust_partial(one, ARMS[0]).code is StatusCode.NOT_ENOUGH_UNITS


def test_kinds_that_take_no_covariate_refuse_these_moments():
    with pytest.raises(ValueError, match="kind"):
        analyze_metric(MetricKind.RATIO, *ARMS)
    with pytest.raises(ValueError, match="kind"):
        metric_effect(MetricKind.RATIO, *ARMS)


def test_a_table_with_blank_covariates_keeps_them_apart_in_every_arm():
    outcome, before = np.concatenate([CONTROL, TREATMENT], axis=1)
    before = np.where(np.arange(1100) < 600, np.nan_to_num(before, nan=4.0), before)
    table = UnitTable(np.repeat(["a", "b"], [600, 500]), {"y": outcome, "x": before})
    spec = MetricColumns(Metric("m", MetricKind.MEAN), "y", covariate="x")

    found = experiment_from_units(table, [spec], "a")
    capped = experiment_from_units(table, [spec], "a", caps=cappings(table, [spec], 0.9)).moments["m", "b"]

    assert found.moments["m", "b"] == ARMS[1]
    assert found.moments["m", "a"].missing.n == 0
    assert found.missing == {}
    assert capped.observed.covariate.sum < ARMS[1].observed.covariate.sum
    assert capped.missing.n == ARMS[1].missing.n


def test_the_arms_shares_without_a_covariate_are_checked_and_warn():
    metric = Metric("m", MetricKind.MEAN, Role.PRIMARY)
    data = {("m", "a"): ARMS[0], ("m", "b"): ARMS[1]}
    sound = Experiment("a", ("a", "b"), (metric,), data)
    complete = dataclasses.replace(ARMS[0], missing=Moments(0, 0, 0))
    broken = dataclasses.replace(sound, moments={**data, ("m", "a"): complete})

    shares, balance = check_health(sound, Plan())
    differing, _ = check_health(broken, Plan(inference=Inference.CONFIDENCE_SEQUENCE))

    assert [shares.name, balance.name] == ["covariate missing (m of b)", "covariate_balance"]
    assert shares.passed
    assert balance.passed
    assert (differing.passed, differing.blocking) == (False, False)


def test_where_no_unit_has_a_covariate_there_is_no_balance_to_check():
    metric = Metric("m", MetricKind.MEAN, Role.PRIMARY)
    none = PartialCovariateMoments(CovariateMoments(0, 0, 0, 0, 0, 0), ARMS[0].outcome)

    (shares,) = check_health(
        Experiment("a", ("a", "b"), (metric,), {("m", "a"): none, ("m", "b"): none}), Plan()
    )

    assert shares.name == "covariate missing (m of b)"


def test_a_version_without_a_covariate_is_compared_as_it_is_beside_one_that_is_out_of_balance():
    metric = Metric("m", MetricKind.MEAN, Role.PRIMARY)
    outcome, before = sample(500, 0.0, 0.0, 5)
    balanced = CovariateMoments.from_values(outcome, before)
    shifted = CovariateMoments.from_values(outcome, before + 3)
    bare = balanced.outcome, shifted.outcome
    arms = [dict(zip((("m", "a"), ("m", "b")), pair, strict=True)) for pair in ((balanced, shifted), bare)]
    versions = (
        AllocationVersion("1", {"a": 1, "b": 1}, {"a": 500, "b": 500}, arms[0]),
        AllocationVersion("2", {"a": 1, "b": 2}, {"a": 500, "b": 500}, arms[1]),
    )

    (result,) = analyze_metrics(
        Experiment("a", ("a", "b"), (metric,), versions[0].moments, versions), Plan(ended=True)
    )

    assert result.fallback.code is StatusCode.COVARIATE_IMBALANCE
    assert result.comparison == compare_strata(MetricKind.MEAN, [bare, bare], 0.05)


def test_a_covariate_is_balanced_or_not_over_all_versions_at_once():
    """Covariates are higher before the ramp, when nine of ten units are control's."""
    metric, cells = Metric("m", MetricKind.MEAN, Role.PRIMARY), (("m", "a"), ("m", "b"))
    versions = []
    for number, (sizes, higher) in enumerate((((900, 100), 30), ((500, 500), 0))):
        outcomes = [sample(size, 0.0, 0.0, 40 + 2 * number + at) for at, size in enumerate(sizes)]
        arms = [CovariateMoments.from_values(outcome, before + higher) for outcome, before in outcomes]
        weights, observed = dict(zip("ab", sizes, strict=True)), dict(zip("ab", sizes, strict=True))
        versions.append(
            AllocationVersion(str(number), weights, observed, dict(zip(cells, arms, strict=True)))
        )
    pooled = {cell: added(versions[0].moments[cell], versions[1].moments[cell]) for cell in cells}

    checks = check_health(Experiment("a", ("a", "b"), (metric,), pooled, tuple(versions)), Plan())

    assert [check.passed for check in checks if check.name == "covariate_balance"] == [True]
