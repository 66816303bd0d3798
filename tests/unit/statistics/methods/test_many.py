"""The array forms give what the single tests give."""

import math

import numpy as np
import pytest

from neonblue.statistics import (
    Comparison,
    CovariateMoments,
    Estimate,
    Lift,
    Moments,
    RatioMoments,
    Status,
    compare_means,
    compare_proportions,
    compare_ratios,
)
from neonblue.statistics.methods.cuped import cuped_effect, cuped_lift, cuped_test
from neonblue.statistics.methods.effect import Effect
from neonblue.statistics.methods.fieller import fieller_limits
from neonblue.statistics.methods.lopsided import with_raised_variance
from neonblue.statistics.methods.many import (
    ComparisonArrays,
    compare_cuped_arrays,
    compare_mean_arrays,
    compare_proportion_arrays,
    compare_ratio_arrays,
)
from neonblue.statistics.methods.means import mean_effect
from neonblue.statistics.methods.ratio import ratio_effect


def same(left: float, right: float) -> None:
    assert left == pytest.approx(right, rel=1e-9, abs=1e-12)


def agree(arrays: ComparisonArrays, index: int, row: Comparison) -> None:
    many, one, lift = arrays.absolute, row.absolute, row.relative
    if isinstance(one, Estimate):
        assert arrays.status[index] == ""
        for field in ("diff", "se", "statistic", "df", "p_value", "p_greater", "p_less"):
            same(getattr(many, field)[index], getattr(one, field))
        same(many.lower[index], one.interval.lower)
        same(many.upper[index], one.interval.upper)
    else:
        assert arrays.status[index] == one.code
        assert np.isnan(many.p_value[index])
    if isinstance(lift, Lift):
        assert arrays.lift_status[index] == ""
        same(arrays.lift[index], lift.value)
        same(arrays.lift_lower[index], lift.interval.lower)
        same(arrays.lift_upper[index], lift.interval.upper)
    else:
        assert arrays.lift_status[index] != ""
        assert np.isnan(arrays.lift_lower[index])


def test_means_agree():
    control = [(1000, 2500.0, 9000.0), (50, 3.0, 800.0), (1, 4.0, 16.0), (10, 20.0, 40.0), (40, 0.0, 30.0)]
    treatment = [(1200, 3120.0, 11800.0), (60, 5.0, 900.0), (9, 4.0, 16.0), (10, 30.0, 90.0), (40, 4.0, 30.0)]

    arrays = compare_mean_arrays(*np.array(control).T, *np.array(treatment).T)

    for index, (c, t) in enumerate(zip(control, treatment, strict=True)):
        agree(arrays, index, compare_means(Moments(*c), Moments(*t)))


def test_proportions_agree_with_the_score_test_where_it_is_needed():
    cells = [
        (1000, 100, 1000, 130),
        (200, 0, 200, 7),
        (20, 3, 20, 9),
        (50, 0, 60, 0),
        (9, 9, 8, 8),
        (0, 0, 5, 1),
    ]
    cells += [(9500, 950, 500, 60), (300, 280, 300, 300), (40, 5, 40, 0)]

    arrays = compare_proportion_arrays(*np.array(cells).T)

    for index, (n_c, x_c, n_t, x_t) in enumerate(cells):
        row = compare_proportions(Moments.proportion(x_c, n_c), Moments.proportion(x_t, n_t))
        agree(arrays, index, row)
    assert arrays.score.tolist() == [False, True, True, False, False, False, True, True, True]


def test_large_proportions_need_no_score_test():
    arrays = compare_proportion_arrays(1000, 100, 1000, [130, 90])

    assert not arrays.score.any()
    assert (arrays.status == "").all()


@pytest.mark.parametrize("successes", [0, 1])
@pytest.mark.filterwarnings("error")
def test_proportions_that_are_all_alike_have_no_variance(successes):
    arrays = compare_proportion_arrays([9, 20], [9 * successes, 20 * successes], 8, 8 * successes)

    assert arrays.status.tolist() == ["zero_variance", "zero_variance"]
    assert not arrays.score.any()


def test_score_test_without_control_successes_has_no_lift():
    arrays = compare_proportion_arrays([200], [0], [200], [7])

    assert arrays.lift_status.tolist() == ["zero_baseline"]


def test_ratios_agree():
    control = [
        (500, 278.0, 2951.0, 512.0, 19543.0, 1806.0),
        (9, 3.0, 0.0, 3.0, 0.0, 0.0),
        (1, 1.0, 1.0, 1.0, 1.0, 1.0),
    ]
    treatment = [(500, 322.0, 2941.0, 652.0, 19971.0, 2189.0), control[0], control[0]]

    arrays = compare_ratio_arrays(np.array(control).T, np.array(treatment).T)

    for index, (c, t) in enumerate(zip(control, treatment, strict=True)):
        agree(arrays, index, compare_ratios(RatioMoments(*c), RatioMoments(*t)))


def test_adjusted_means_agree():
    control = (80, 810.88, 645.38, 9867.014, 5953.102, 7485.807)
    treatment = (90, 957.66, 702.74, 11580.44, 6189.642, 8302.39)
    arms = CovariateMoments(*control), CovariateMoments(*treatment)
    test, lift = cuped_test(*arms), cuped_lift(*arms)

    arrays = compare_cuped_arrays(np.array([control]).T, np.array([treatment]).T)

    assert isinstance(test, Estimate)
    assert isinstance(lift, Lift)
    assert arrays.absolute.p_value[0] == pytest.approx(test.p_value, rel=1e-9)
    assert arrays.lift_upper[0] == pytest.approx(lift.interval.upper, rel=1e-9)


def test_difference_and_error_are_those_of_the_single_tests_to_the_last_digit():
    rng = np.random.default_rng(5)
    n = rng.integers(2, 60, (2, 40)).astype(float)
    y, x = rng.normal(3, 20, (2, 40, 2)), rng.normal(9, 2, (2, 40, 2))
    sums = [
        n,
        *(n * v.mean(-1) for v in (y, x)),
        *(n * (v**2).mean(-1) for v in (y, x)),
        n * (y * x).mean(-1),
    ]
    arms = np.stack(sums, axis=1)  # arm, column, comparison
    successes = rng.binomial(n.astype(int), 0.4).astype(float)
    plain = [CovariateMoments(int(c[0]), *c[1:]).outcome for c in np.concatenate([*arms.transpose(0, 2, 1)])]

    means = compare_mean_arrays(*(arms[arm, column] for arm in (0, 1) for column in (0, 1, 3)))
    ratios, adjusted = compare_ratio_arrays(*arms), compare_cuped_arrays(*arms)
    rates = compare_proportion_arrays(n[0], successes[0], n[1], successes[1])

    for index in range(40):
        c, t = (arms[arm, :, index] for arm in (0, 1))
        exactly(means, index, mean_effect(plain[index], plain[40 + index]))
        exactly(ratios, index, ratio_effect(RatioMoments(int(c[0]), *c[1:]), RatioMoments(int(t[0]), *t[1:])))
        pair = CovariateMoments(int(c[0]), *c[1:]), CovariateMoments(int(t[0]), *t[1:])
        exactly(adjusted, index, cuped_effect(*pair))
        counts = [Moments.proportion(int(successes[arm, index]), int(n[arm, index])) for arm in (0, 1)]
        row = compare_proportions(*counts)
        if isinstance(row.absolute, Estimate):
            assert rates.absolute.diff[index] == row.absolute.diff
            assert rates.absolute.se[index] == pytest.approx(row.absolute.se, rel=1e-15)


def exactly(arrays: ComparisonArrays, index: int, effect: Effect | Status) -> None:
    if isinstance(effect, Status):
        assert arrays.status[index] == effect.code
        return
    raised = with_raised_variance(effect)
    assert arrays.absolute.diff[index] == raised.diff
    assert arrays.absolute.se[index] == math.sqrt(raised.variance)
    assert arrays.raised[index] == raised.raised


NOTHING, ONE, FLAT = (0, 0.0, 0.0, 0.0, 0.0, 0.0), (1, 1.0, 1.0, 1.0, 1.0, 1.0), (9, 0.0, 0.0, 0.0, 0.0, 0.0)
NO_DENOMINATOR, LINE = (9, 3.0, 0.0, 3.0, 0.0, 0.0), (9, 9.0, 18.0, 18.0, 72.0, 36.0)
ARMS = [NOTHING, ONE, FLAT, NO_DENOMINATOR, LINE, (9, 5.0, 8.0, 17.0, 20.0, 7.0)]


@pytest.mark.parametrize("control", ARMS)
@pytest.mark.parametrize("treatment", ARMS)
@pytest.mark.filterwarnings("error")
def test_what_keeps_from_a_comparison_is_the_same(control, treatment):
    columns = np.array(control)[:, None], np.array(treatment)[:, None]
    plain = [Moments(arm[0], arm[1], arm[3]) for arm in (control, treatment)]
    pair = [CovariateMoments(*arm) for arm in (control, treatment)]

    means = compare_mean_arrays(*(column[i] for column in columns for i in (0, 1, 3)))
    ratios, adjusted = compare_ratio_arrays(*columns), compare_cuped_arrays(*columns)

    assert means.status[0] == code(mean_effect(*plain))
    assert ratios.status[0] == code(ratio_effect(RatioMoments(*control), RatioMoments(*treatment)))
    assert adjusted.status[0] == code(cuped_effect(*pair))


def code(found: Effect | Status) -> str:
    return found.code if isinstance(found, Status) else ""


BAD_COUNTS = [(100, 101), (100, -1), (-5, 0), (np.nan, 1), (100, np.nan), (np.inf, 5), (100, 0.5), (10.5, 5)]


@pytest.mark.parametrize("bad", BAD_COUNTS)
@pytest.mark.parametrize("arm", [0, 1])
@pytest.mark.filterwarnings("error")
def test_impossible_counts_have_a_status_and_harm_no_other_element(bad, arm):
    good = (1_000, 100, 1_000, 130)
    arms = [*good[:2], *good[2:]]
    arms[2 * arm : 2 * arm + 2] = bad
    found = compare_proportion_arrays(*np.array([good, arms], dtype=float).T)

    assert list(found.status) == ["", "invalid_input"]
    assert np.isnan(found.absolute.p_value[1])
    assert np.isnan(found.lift[1])
    assert found.absolute.p_value[0] == compare_proportion_arrays(*good).absolute.p_value


@pytest.mark.parametrize(
    "bad",
    [
        (np.nan, 1, 1), (100, np.nan, 1), (100, 1, np.nan), (100, np.inf, np.inf), (100, 1e200, np.inf),
        (-3, 1, 1), (100, 1e160, 1e308), (100, 50, 24), (100, 5, -1),
    ],
)  # fmt: skip
def test_numbers_that_are_none_have_a_status(bad):
    good = (100, 50, 80)
    with np.errstate(all="ignore"):
        found = compare_mean_arrays(*np.array([(*good, *good), (*bad, *good), (*good, *bad)], dtype=float).T)

    assert list(found.status) == ["", "invalid_input", "invalid_input"]
    assert np.isnan(found.absolute.p_value[1:]).all()


@pytest.mark.filterwarnings("error")
def test_a_critical_value_whose_square_is_too_large_gives_no_limits_and_no_warning() -> None:
    lower, upper = fieller_limits(1.0, 0.1, 0.2, 0.1, -0.1, 1e200)
    assert np.isnan([lower, upper]).all()
