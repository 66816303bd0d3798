"""Cases that name a property: it is checked on the case's own arms, and nothing is compared."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from typing import Any

import numpy as np

from neonblue.statistics import (
    CovariateMoments,
    Design,
    Experiment,
    Metric,
    MetricKind,
    Moments,
    Plan,
    RatioMoments,
    Role,
    Status,
    StatusCode,
    analyze,
    compare_means,
    compare_proportions,
    compare_ratios,
    sample_ratio,
)
from neonblue.statistics.methods.means import welch_test
from neonblue.statistics.numerics import tails
from neonblue.statistics.result import Estimate
from neonblue.statistics.sequential.confidence_sequence import (
    DEFAULT_TUNING,
    SequentialEstimate,
    confidence_sequence,
)
from neonblue.statistics.sequential.running import running
from tests.unit.statistics import planning_properties, properties
from tests.unit.statistics.reference import Case, _fields

Check = Callable[[Moments, Moments], None]


def compute(case: Case) -> dict[str, Any]:
    check = _CHECKS[case.name]
    arms = [case.inputs.get(name) or {"n": 1000, "sum": 100 + 30 * i} for i, name in enumerate(_ARMS)]
    check(*(_fields.moments(arm) for arm in arms))
    return {}


_ARMS = ("control", "treatment")


def _swap(control: Moments, treatment: Moments) -> None:
    properties.swap_flips_the_sign(control, treatment)
    properties.swap_turns_the_posterior_round(control, treatment)


def _scale(control: Moments, treatment: Moments) -> None:
    for factor in (1e-9, 1e-3, -1.0, 1e6):
        properties.scale_scales(control, treatment, factor)


def _shift(control: Moments, treatment: Moments) -> None:
    for shift in (-1e6, -1.0, 1e-3, 1e3, 1e6):
        properties.shift_moves_only_the_means(control, treatment, shift, 1e-6)


def _merge(control: Moments, treatment: Moments) -> None:
    rng = random.Random(1)
    for arm in (control, treatment):
        values = [arm.mean + 0.01 * (i % 100 - 49.5) for i in range(arm.n)]
        for k in (2, 7, 50):
            shards = [Moments.from_values(values[i::k]) for i in range(k)]
            order = rng.sample(range(k), k)
            properties.merging_any_way_is_the_same(shards, order)


def _duality(control: Moments, treatment: Moments) -> None:
    for successes in range(60, 151):
        arm = Moments.proportion(successes, treatment.n)
        properties.one_decision(control, arm)
        properties.one_decision_on_one_side(control, arm)


def _affine(control: Moments, treatment: Moments) -> None:
    rng = np.random.default_rng(3)
    values = []
    for arm in (control, treatment):
        x = np.round(rng.normal(5, 2, arm.n), 2)
        values.append((np.round(arm.mean + x + rng.normal(0, 1, arm.n), 2), x))
    plain = [CovariateMoments.from_values(y, x) for y, x in values]
    moved = [CovariateMoments.from_values(y, 7 - 3.5 * x) for y, x in values]
    properties.affine_covariate_changes_nothing(plain[0], plain[1], moved)


def _order(control: Moments, treatment: Moments) -> None:
    rng = random.Random(2)
    for size in (1, 2, 5, 40):
        p_values = [round(rng.random() ** 3, 6) for _ in range(size)]
        properties.adjusted_p_values_behave(p_values, rng.sample(range(size), size))


def _tiny_p(control: Moments, treatment: Moments) -> None:
    for z in range(41):
        for p, log10_p in (tails.normal_two_sided(float(z)), tails.t_two_sided(float(z), 1e7)):
            assert p > 0 or log10_p < -300
            assert log10_p <= 0
            assert np.isfinite(log10_p)
    assert tails.normal_sf(37.0) > 0


def _deterministic(control: Moments, treatment: Moments) -> None:
    metrics = tuple(Metric(name, MetricKind.PROPORTION, Role.PRIMARY) for name in ("first", "second"))
    by_arm = {"a": control, "b": treatment, "c": control}
    moments = {(metric.name, arm): by_arm[arm] for metric in metrics for arm in by_arm}
    orders = (("a", "b", "c"), ("a", "b", "c"), ("c", "b", "a"))
    reports = [analyze(Experiment("a", arms, metrics, moments)) for arms in orders]
    assert reports[0] == reports[1]
    assert {(r.metric.name, r.arm): r for r in reports[0].results} == {
        (r.metric.name, r.arm): r for r in reports[2].results
    }


def _errors(control: Moments, treatment: Moments) -> None:
    empty, one, same = Moments(0, 0, 0), Moments(1, 4, 16), Moments(10, 20, 40)
    none, every = Moments.proportion(0, 50), Moments.proportion(50, 50)
    nothing = RatioMoments(10, 5, 0, 5, 0, 0)
    rows = [compare_means(a, b) for a in (empty, one, same) for b in (empty, one, same)]
    rows += [compare_proportions(a, b) for a in (empty, none) for b in (empty, none)]
    rows += [compare_proportions(every, every), compare_ratios(nothing, nothing)]
    for row in rows:
        assert isinstance(row.absolute, Status), row
        properties.no_number_beside_a_status(row)
    assert isinstance(sample_ratio([0, 0], [0.5, 0.5]), Status)


def _units(control: Moments, treatment: Moments) -> None:
    metric = Metric("clicks", MetricKind.PROPORTION, Role.PRIMARY, unit="event")
    moments = {("clicks", "a"): control, ("clicks", "b"): treatment}
    (result,) = analyze(Experiment("a", ("a", "b"), (metric,), moments), Plan(ended=True)).results
    assert isinstance(result.comparison.absolute, Status)
    assert result.comparison.absolute.code is StatusCode.UNIT_MISMATCH


def _power_roundtrip(control: Moments, treatment: Moments) -> None:
    for design in (Design(), Design(0.01, 0.95, 1, 1 / 9), Design(0.1, 0.5, 2, 3.0, 2, 1.3)):
        for sd, effect in ((1.0, 0.1), (20.0, -3.0), (1e-3, 1e-6)):
            planning_properties.mean_plan_round_trips(sd, effect, design)
            planning_properties.plan_is_monotone(sd, effect, design)
        for rates in ((0.1, 0.11), (0.3, 0.2), (1e-5, 1.2e-5)):
            planning_properties.proportion_plan_round_trips(*rates, design)


def _always_valid(control: Moments, treatment: Moments) -> None:
    """Paths with and without an effect: what is reported never takes back what an earlier look said."""
    rng = np.random.default_rng(4)
    for effect in (0.0, treatment.mean - control.mean, -0.2):
        steps = rng.normal(effect, 1.0, 400).reshape(40, 10)
        totals, sizes = steps.sum(axis=1).cumsum(), np.arange(10, 401, 10)
        looks = [
            confidence_sequence(float(t / n), float(n**-0.5), int(n))
            for t, n in zip(totals, sizes, strict=True)
        ]
        reported = running(looks)
        for look, result in zip(looks, reported, strict=True):
            assert isinstance(look, SequentialEstimate)
            assert result.p_value <= look.p_value
        for before, after in itertools.pairwise(reported):
            assert after.p_value <= before.p_value
            assert after.log10_p <= before.log10_p
            if after.interval is not None:
                assert before.interval is not None
                assert before.interval.lower <= after.interval.lower
                assert after.interval.upper <= before.interval.upper


def _wider_than_fixed(control: Moments, treatment: Moments) -> None:
    fixed = welch_test(control, treatment)
    assert isinstance(fixed, Estimate)
    for n in (10, 100, control.n + treatment.n, DEFAULT_TUNING, 10**6, 10**9):
        look = confidence_sequence(fixed.diff, fixed.se, n)
        assert isinstance(look, SequentialEstimate)
        ratio = (look.interval.upper - look.diff) / (fixed.interval.upper - fixed.diff)
        assert ratio > (1.5 if n == DEFAULT_TUNING else 1.0), (n, ratio)
        assert look.p_value >= fixed.p_value


_CHECKS: dict[str, Check] = {
    "always_valid_p_monotone": _always_valid,
    "sequential_wider_than_fixed": _wider_than_fixed,
    "swap_arms_flips_sign": _swap,
    "scale_by_c": _scale,
    "shift_by_c_absolute_only": _shift,
    "merge_partials": _merge,
    "binary_equals_mean": properties.proportion_differs_from_mean_by_the_divisor,
    "absolute_vs_relative_same_decision": properties.one_decision,
    "p_ci_duality": _duality,
    "fieller_dual_to_absolute_test": _duality,
    "ci_contains_point_estimate": properties.intervals_hold_the_estimate_and_nest,
    "duplicate_data_x4_halves_se": properties.four_times_the_data_halve_the_error,
    "constant_covariate_cuped_noop": properties.constant_covariate_changes_nothing,
    "affine_covariate_cuped_invariant": _affine,
    "ratio_with_unit_denominator": properties.unit_denominator_is_the_mean,
    "multiple_testing_order_invariant": _order,
    "tiny_p_never_zero": _tiny_p,
    "determinism": _deterministic,
    "error_never_looks_like_a_result": _errors,
    "user_vs_event_unit": _units,
    "power_roundtrip": _power_roundtrip,
}
