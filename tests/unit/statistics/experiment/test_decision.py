"""From moments to the decision in words."""

import dataclasses

import pytest

from neonblue.statistics import (
    Action,
    AllocationVersion,
    Direction,
    Experiment,
    Inference,
    Metric,
    MetricKind,
    Moments,
    Plan,
    Role,
    StatusCode,
    Verdict,
    analyze,
    sample_ratio,
)
from neonblue.statistics.experiment.health import (
    Finding,
    finding_of,
    sample_ratio_check,
    sequential_sample_ratio_checks,
)

PRIMARY = Metric("conversion", MetricKind.PROPORTION, Role.PRIMARY)
LATENCY = Metric("latency", MetricKind.MEAN, Role.GUARDRAIL, Direction.LOWER_IS_BETTER, 0.05, True)
NOW = Plan(ended=True)


def latency(mean, n=10_000):
    return Moments(n, n * mean, n * (mean**2 + 25))


def experiment(control, treatment, *, guard=None, observed=(10_000, 10_000)):
    moments = {("conversion", "a"): control, ("conversion", "b"): treatment}
    metrics = (PRIMARY,)
    if guard is not None:
        metrics, moments = (
            (PRIMARY, LATENCY),
            moments | {("latency", "a"): latency(100), ("latency", "b"): guard},
        )
    version = AllocationVersion("1", {"a": 1, "b": 1}, dict(zip("ab", observed, strict=True)))
    return Experiment("a", ("a", "b"), metrics, moments, (version,))


BASE = Moments.proportion(1000, 10_000)
UP = Moments.proportion(1200, 10_000)
NOBODY = Moments.proportion(0, 0)
DOWN = Moments.proportion(800, 10_000)


def test_a_better_primary_metric_ships():
    decision = analyze(experiment(BASE, UP), NOW).decision

    assert decision.action is Action.SHIP
    assert decision.arm == "b"
    assert "conversion +20.0 %" in decision.sentence


def three_arms(rates, *, second=None):
    """Of arms a (the control), b and c: successes and units of conversion; of a second primary metric, too."""
    moments = {("conversion", arm): Moments.proportion(*rate) for arm, rate in rates.items()}
    metrics = (PRIMARY,)
    if second is not None:
        metrics = (PRIMARY, Metric("signup", MetricKind.PROPORTION, Role.PRIMARY))
        moments |= {("signup", arm): Moments.proportion(*rate) for arm, rate in second.items()}
    units = {arm: rate[1] for arm, rate in rates.items()}
    return Experiment("a", tuple(rates), metrics, moments, (AllocationVersion("1", units, units),))


def test_of_several_winners_the_one_with_the_largest_gain_ships():
    sure, large = (5_600, 50_000), (260, 2_000)
    for order in ("abc", "acb"):
        rates = {"a": (5_000, 50_000), "b": sure, "c": large}
        found = analyze(three_arms({arm: rates[arm] for arm in order}), NOW)

        assert {result.arm: result.verdict for result in found.results} == dict.fromkeys("bc", Verdict.BETTER)
        assert (found.decision.action, found.decision.arm) == (Action.SHIP, "c")


def test_the_first_metric_that_any_winner_betters_ranks_them():
    first = {"a": (5_000, 50_000), "b": (5_000, 50_000), "c": (5_600, 50_000)}
    second = {"a": (500, 50_000), "b": (1_000, 50_000), "c": (500, 50_000)}

    assert analyze(three_arms(first, second=second), NOW).decision.arm == "c"


def test_nothing_ships_while_a_primary_metric_has_no_units():
    rates = {"a": (1_000, 10_000), "b": (1_200, 10_000)}
    nobody = {"a": (100, 10_000), "b": (0, 0)}
    ended = analyze(three_arms(rates, second=nobody), NOW).decision
    running = analyze(three_arms(rates, second=nobody), Plan(ended=False, planned_units=100_000)).decision

    assert ended.action is Action.INCONCLUSIVE
    assert "signup" in ended.sentence
    assert running.action is Action.KEEP_RUNNING


def test_a_worse_primary_metric_rolls_back():
    decision = analyze(experiment(BASE, DOWN), NOW).decision

    assert decision.action is Action.ROLL_BACK
    assert "−20.0 %" in decision.sentence


def test_a_held_guardrail_lets_it_ship():
    decision = analyze(experiment(BASE, UP, guard=latency(100.5)), NOW).decision

    assert decision.action is Action.SHIP
    assert "1 guardrail held" in decision.sentence


def test_a_guardrail_beyond_its_margin_rolls_back():
    decision = analyze(experiment(BASE, UP, guard=latency(110)), NOW).decision

    assert decision.action is Action.ROLL_BACK
    assert "latency +10.0 %" in decision.sentence
    assert "beyond its margin of 5" in decision.sentence


def test_a_roll_back_says_what_would_have_been_gained():
    harmful = analyze(experiment(BASE, UP, guard=latency(110)), NOW).decision
    useless = analyze(experiment(BASE, BASE, guard=latency(110)), NOW).decision

    assert harmful.sentence.startswith("Roll back b: conversion +20.0 % (")
    assert "), but latency +10.0 % (" in harmful.sentence
    assert useless.sentence.startswith("Roll back b: latency +10.0 % (")


def test_an_unproven_guardrail_holds_back_the_ship():
    decision = analyze(experiment(BASE, UP, guard=latency(104.9, 40)), NOW).decision

    assert decision.action is Action.INCONCLUSIVE
    assert "not shown to be within its margin" in decision.sentence


def test_a_sentence_says_the_level_of_each_interval():
    rates, second = {"a": (1_000, 10_000), "b": (1_300, 10_000)}, {"a": (1_000, 10_000), "b": (1_200, 10_000)}
    sentence = analyze(three_arms(rates, second=second), NOW).decision.sentence

    assert "conversion +30.0 % (97.5 % interval +" in sentence
    assert "signup +20.0 % (95 % interval +" in sentence


def test_no_difference_at_the_end_is_inconclusive():
    decision = analyze(experiment(BASE, Moments.proportion(1010, 10_000)), NOW).decision

    assert decision.action is Action.INCONCLUSIVE
    assert "p = 0.8141), not decided" in decision.sentence


def test_before_the_planned_end_a_small_p_decides_nothing():
    plan = Plan(planned_units=100_000, units_per_day=8_000)

    report = analyze(experiment(BASE, UP), plan)

    assert report.decision.action is Action.KEEP_RUNNING
    assert report.decision.days_left == 10
    assert "20,000 of 100,000 planned units" in report.decision.sentence
    assert report.results[0].verdict is Verdict.UNDECIDED


def test_a_sample_ratio_mismatch_is_invalid():
    decision = analyze(experiment(BASE, UP, observed=(10_000, 9_000)), NOW).decision

    assert decision.action is Action.INVALID
    assert decision.broken == ("sample_ratio (1)",)


def test_users_in_an_arm_of_weight_zero_are_invalid():
    base = experiment(BASE, UP)
    version = AllocationVersion("1", {"a": 1, "b": 1, "c": 0}, {"a": 10_000, "b": 10_000, "c": 3})
    crossed = dataclasses.replace(base, arms=("a", "b", "c"), versions=(version,))

    decision = analyze(crossed, NOW).decision

    assert decision.action is Action.INVALID
    assert "3 units" in decision.sentence


def test_a_ramp_of_the_allocation_is_no_mismatch():
    ramp = AllocationVersion("1", {"a": 9, "b": 1}, {"a": 9000, "b": 1000})
    even = AllocationVersion("2", {"a": 1, "b": 1}, {"a": 5010, "b": 4990})
    report = analyze(dataclasses.replace(experiment(BASE, UP), versions=(ramp, even)), NOW)

    assert [check.passed for check in report.health] == [True, True, True]


def test_a_drift_that_each_version_hides_is_found_over_versions():
    versions = tuple(AllocationVersion(str(i), {"a": 1, "b": 1}, {"a": 5120, "b": 4880}) for i in range(9))
    report = analyze(dataclasses.replace(experiment(BASE, UP), versions=versions), NOW)

    assert [check.passed for check in report.health] == [True] * 9 + [False]


def test_a_sequential_plan_has_a_sample_ratio_check_that_may_be_watched():
    watched = Plan(inference=Inference.CONFIDENCE_SEQUENCE)

    fine, broken = (
        analyze(experiment(BASE, UP, observed=(10_000, n)), watched).health[0] for n in (9_900, 9_000)
    )

    assert fine.passed
    assert fine.value == 1
    assert not broken.passed
    assert broken.value < analyze(experiment(BASE, UP, observed=(10_000, 9_400)), watched).health[0].value


def test_watched_versions_are_checked_one_by_one_and_together():
    versions = tuple(AllocationVersion(str(i), {"a": 1, "b": 1}, {"a": 5150, "b": 4850}) for i in range(9))
    several = dataclasses.replace(experiment(BASE, UP), versions=versions)

    health = analyze(several, Plan(inference=Inference.CONFIDENCE_SEQUENCE)).health

    assert [check.passed for check in health] == [True] * 9 + [False]


def test_watched_versions_without_units_or_with_strays_say_so():
    empty = AllocationVersion("1", {"a": 1, "b": 1}, {})
    stray = AllocationVersion("2", {"a": 1, "b": 0}, {"a": 9, "b": 3})
    several = dataclasses.replace(experiment(BASE, UP), versions=(empty, stray))

    for plan in (Plan(inference=Inference.CONFIDENCE_SEQUENCE), NOW):
        health = analyze(several, plan).health

        assert [check.passed for check in health[:2]] == [True, False]
        assert "3 units are in arms whose weight is zero" in health[1].message


def test_intervals_agree_with_the_family_verdict():
    names = [f"m{i}" for i in range(5)]
    metrics = tuple(Metric(name, MetricKind.PROPORTION, Role.PRIMARY) for name in names)
    moments = {(name, "a"): BASE for name in names}
    moments |= {(name, "b"): Moments.proportion(1000 + 35 * i, 10_000) for i, name in enumerate(names)}

    results = analyze(Experiment("a", ("a", "b"), metrics, moments), NOW).results

    assert {result.verdict for result in results} == {Verdict.BETTER, Verdict.UNDECIDED}
    for result in results:
        assert result.comparison.significant == (result.verdict is Verdict.BETTER)


def test_units_met_in_several_arms_block_beyond_their_threshold():
    crossed = dataclasses.replace(experiment(BASE, UP), exposed=20_000, multiply_exposed=150)

    fine, broken = (
        analyze(dataclasses.replace(crossed, multiply_exposed=units), NOW).decision for units in (150, 300)
    )

    assert fine.action is Action.SHIP
    assert broken.broken == ("multiply_exposed",)
    assert "300 of 20,000 units (1.50 %)" in broken.sentence


@pytest.mark.parametrize(
    ("treatment", "days"),
    [(1060, pytest.approx(15.2, abs=0.1)), (1000, None), (1001, None)],
)
def test_without_a_planned_size_the_time_left_is_that_of_the_effect_seen(treatment, days):
    plan = Plan(inference=Inference.CONFIDENCE_SEQUENCE, units_per_day=5_000)

    decision = analyze(experiment(BASE, Moments.proportion(treatment, 10_000)), plan).decision

    assert decision.action is Action.KEEP_RUNNING
    assert decision.days_left == days
    assert "no verdict yet" in decision.sentence


def test_a_fixed_plan_without_a_size_can_not_say_how_long_it_takes():
    assert analyze(experiment(BASE, UP), Plan(units_per_day=10)).decision.days_left is None


def test_a_metric_without_a_test_gives_no_time():
    plan = Plan(inference=Inference.CONFIDENCE_SEQUENCE, units_per_day=10)

    assert analyze(experiment(NOBODY, NOBODY), plan).decision.days_left is None


def test_a_guardrail_without_a_margin_holds_until_it_is_worse():
    plain = dataclasses.replace(LATENCY, margin=None)

    def decided(mean):
        base = experiment(BASE, UP, guard=latency(mean))
        return analyze(dataclasses.replace(base, metrics=(PRIMARY, plain)), NOW).decision

    assert decided(100).action is Action.SHIP
    assert decided(101).action is Action.ROLL_BACK


def test_at_the_end_of_a_watched_plan_one_look_finds_what_e_values_do_not():
    bent = experiment(BASE, UP, observed=(10_000, 9_500))  # chi-square p = 0.0003

    running = analyze(bent, Plan(inference=Inference.CONFIDENCE_SEQUENCE))
    ended = analyze(bent, Plan(inference=Inference.CONFIDENCE_SEQUENCE, ended=True))

    assert [check.name for check in running.health if check.name.startswith("sample_ratio")] == [
        "sample_ratio (1)"
    ]
    assert running.decision.action is not Action.INVALID
    assert ended.decision.action is Action.INVALID
    assert ended.decision.broken == ("sample_ratio (at the end)",)


def test_a_difference_without_a_baseline_is_told_in_the_metric_s_unit():
    decision = analyze(experiment(Moments.proportion(0, 500), Moments.proportion(20, 500)), NOW).decision

    assert "conversion +4.00 pp (95 % interval +2.60 pp to +6.10 pp" in decision.sentence


@pytest.mark.parametrize(
    ("passed", "blocking", "told", "finding"),
    [
        (True, True, True, Finding.FINE),
        (True, False, True, Finding.FINE),
        (True, True, False, Finding.UNTOLD),
        (True, False, False, Finding.UNTOLD),
        (False, True, True, Finding.FAILED),
        (False, True, False, Finding.FAILED),
        (False, False, True, Finding.WARNED),
        (False, False, False, Finding.WARNED),
    ],
)
def test_a_check_that_could_not_tell_is_not_fine(passed, blocking, told, finding):
    assert finding_of(passed=passed, blocking=blocking, told=told) is finding


def test_a_sample_ratio_of_few_units_tells_nothing_and_says_so():
    for check in (
        sample_ratio_check(sample_ratio([1, 1], [1, 1]), "version 1"),
        sequential_sample_ratio_checks([[1, 1]], [[1, 1]], ["version 1"])[0],
    ):
        assert (check.passed, check.told) == (True, False)
        assert check.message == "Too few units to tell: 1, 1 per arm, at least 5 expected in each are needed."
    enough = sample_ratio_check(sample_ratio([50, 52], [1, 1]), "version 1")
    assert (enough.passed, enough.told) == (True, True)
    assert enough.message.startswith("Units per arm (50, 52) fit the allocation")
    # What is found is told, however few they are.
    broken = sample_ratio_check(sample_ratio([20, 0], [1, 9]), "version 1")
    assert (broken.passed, broken.told) == (False, True)


def test_a_sample_ratio_is_healthy_without_a_mismatch_and_without_strays():
    assert sample_ratio([50, 52], [1, 1]).healthy
    assert not sample_ratio([50, 52, 3], [1, 1, 0]).healthy
    assert not sample_ratio([50, 520], [1, 1]).healthy


def test_a_row_without_numbers_has_no_level_to_name():
    row = analyze(experiment(NOBODY, NOBODY), NOW).results[0].comparison

    assert row.at_level(0.9) == row
    assert row.significant is None


@pytest.mark.parametrize(
    "guard",
    [
        Metric("guard", MetricKind.PROPORTION, Role.GUARDRAIL, margin=1.5),
        Metric("guard", MetricKind.PROPORTION, Role.GUARDRAIL, margin=2.0, margin_relative=True),
        Metric("guard", MetricKind.MEAN, Role.GUARDRAIL, margin=1.0, margin_relative=True),
    ],
)
def test_a_margin_that_means_nothing_is_a_status_and_nobody_elses_trouble(guard):
    moments = {("guard", "a"): BASE, ("guard", "b"): DOWN}

    report = analyze(Experiment("a", ("a", "b"), (guard,), moments), NOW)

    assert report.results[0].guardrail.code is StatusCode.IMPOSSIBLE_REQUEST
    assert report.decision.action is Action.INCONCLUSIVE
