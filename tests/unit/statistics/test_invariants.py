"""The invariants on generated data, at 1e-9."""

import math

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from neonblue.statistics import CovariateMoments, Moments, RatioMoments, compare_means, compare_ratios
from tests.unit.statistics import properties

values = st.lists(st.integers(-100_000, 100_000).map(lambda v: v / 100), min_size=2, max_size=40)
# An arm whose values all but agree has a variance that rounding decides.
means = values.filter(lambda v: len(set(v)) > 1).map(Moments.from_values)
rates = st.integers(1, 5000).flatmap(lambda n: st.integers(0, n).map(lambda x: Moments.proportion(x, n)))
arms = st.one_of(st.tuples(means, means), st.tuples(rates, rates))
pairs = st.lists(st.tuples(st.integers(-999, 999), st.integers(1, 99)), min_size=3, max_size=30)


@given(arms)
@example((Moments.proportion(1, 1), Moments.proportion(1, 3564)))
def test_swapping_arms_flips_the_sign(pair):
    properties.swap_flips_the_sign(*pair)


@given(st.tuples(means, means), st.sampled_from([1e-9, 1e-3, -1.0, 7.3, 1e6]))
def test_scaling_values_scales_estimates(pair, factor):
    properties.scale_scales(*pair, factor)


@given(st.tuples(means, means), st.floats(-1e6, 1e6))
def test_shifting_values_moves_only_the_means(pair, shift):
    properties.shift_moves_only_the_means(*pair, shift)


@given(st.lists(values.map(Moments.from_values), min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_merging_shards_in_any_order_is_the_same(shards, rng):
    properties.merging_any_way_is_the_same(shards, rng.sample(range(len(shards)), len(shards)))


@given(values, st.integers(1, 39))
def test_merged_shards_are_the_whole(whole, cut):
    cut = min(cut, len(whole) - 1)

    merged = Moments.from_values(whole[:cut]).merge(Moments.from_values(whole[cut:]))

    direct = Moments.from_values(whole)
    assert merged.n == direct.n
    assert properties.close(merged.centred, direct.centred, direct.sum_of_squares * 1e-6)


@pytest.mark.parametrize("kind", [RatioMoments, CovariateMoments])
def test_merging_nothing_changes_nothing(kind):
    pairs_of_units = kind.from_values([1.0, 2.0, 5.0], [3.0, 1.0, 4.0])

    assert kind.from_values([], []).merge(pairs_of_units) == pairs_of_units


@pytest.mark.parametrize("kind", [RatioMoments, CovariateMoments])
@given(rows=pairs, cut=st.integers(1, 29))
def test_merged_pairs_are_the_whole(kind, rows, cut):
    first, second = rows[: min(cut, len(rows) - 1)], rows[min(cut, len(rows) - 1) :]

    merged = kind.from_values(*zip(*first, strict=True)).merge(kind.from_values(*zip(*second, strict=True)))

    direct = kind.from_values(*zip(*rows, strict=True))
    assert merged.n == direct.n
    assert properties.close(merged.cross, direct.cross, 1e3)


@given(arms)
def test_p_value_and_both_intervals_make_one_decision(pair):
    properties.one_decision(*pair)


@given(arms)
@settings(max_examples=40)
def test_a_one_sided_test_and_its_bounds_make_one_decision(pair):
    properties.one_decision_on_one_side(*pair)


@given(arms)
def test_swapping_arms_turns_the_posterior_round(pair):
    properties.swap_turns_the_posterior_round(*pair)


@given(arms)
@settings(max_examples=40)
def test_intervals_hold_the_estimate_and_nest(pair):
    properties.intervals_hold_the_estimate_and_nest(*pair)


@given(st.tuples(rates, rates))
def test_four_times_the_data_halve_the_error(pair):
    properties.four_times_the_data_halve_the_error(*pair)


@given(st.tuples(rates, rates))
def test_a_proportion_is_a_mean_but_for_the_divisor(pair):
    assume(all(arm.n > 1 for arm in pair))
    properties.proportion_differs_from_mean_by_the_divisor(*pair)


@given(arms)
def test_every_row_holds_a_status_or_numbers(pair):
    for compare in properties.comparisons(*pair):
        properties.no_number_beside_a_status(compare(*pair, 0.05))


@given(st.tuples(means, means))
def test_a_denominator_of_one_gives_the_mean(pair):
    properties.unit_denominator_is_the_mean(*pair)


@given(pairs)
def test_a_constant_denominator_scales_the_mean(rows):
    numerator = [float(m) for m, _ in rows]
    ratio = compare_ratios(*(RatioMoments.from_values(numerator, [c] * len(numerator)) for c in (4.0, 4.0)))
    mean = compare_means(*(Moments.from_values([m / 4 for m in numerator]) for _ in range(2)))

    assert ratio.mean_control == pytest.approx(mean.mean_control, rel=1e-12)


@given(st.tuples(means, means))
def test_a_constant_covariate_changes_nothing(pair):
    properties.constant_covariate_changes_nothing(*pair)


@given(pairs, pairs, st.floats(0.1, 10), st.floats(-100, 100))
def test_an_affine_covariate_changes_nothing(control, treatment, slope, offset):
    arms_of = [list(zip(*rows, strict=True)) for rows in (control, treatment)]
    # Residuals that vanish are a status whose boundary rounding decides.
    assume(
        all(
            len({y - 3 * x for y, x in rows}) > 2 and len({x for _, x in rows}) > 2
            for rows in (control, treatment)
        )
    )
    plain = [CovariateMoments.from_values(y, x) for y, x in arms_of]
    assume(all(abs(a.cross) < 0.999 * math.sqrt(a.outcome.centred * a.covariate.centred) for a in plain))
    moved = [CovariateMoments.from_values(y, [offset + slope * v for v in x]) for y, x in arms_of]

    properties.affine_covariate_changes_nothing(plain[0], plain[1], moved)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30, unique=True), st.randoms(use_true_random=False))
def test_adjusted_p_values_behave(p_values, rng):
    properties.adjusted_p_values_behave(p_values, rng.sample(range(len(p_values)), len(p_values)))
