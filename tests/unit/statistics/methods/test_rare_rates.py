"""Rates far below 1, and arms without a success: the score test keeps its digits and its interval."""

from __future__ import annotations

import math

import numpy as np
import pytest

from neonblue.statistics import Estimate, Moments, Status, StatusCode, compare_proportions
from neonblue.statistics.bayes.beta import beta_posterior
from neonblue.statistics.methods.score import (
    difference_limits,
    difference_variance,
    score_interval,
    score_test,
)
from tests.unit.statistics import reference


def test_rates_below_1e_8_have_their_interval():
    for case in reference.edge_cases("two_proportion_z_rare"):
        control, treatment = (
            Moments.proportion(case.inputs[arm]["sum"], case.inputs[arm]["n"])
            for arm in ("control", "treatment")
        )
        test = score_test(control, treatment)
        expected = case.expected
        assert test.statistic == pytest.approx(expected["score_mn"]["z"], rel=1e-8)
        assert test.p_value == pytest.approx(expected["score_mn"]["p_two_sided"], rel=1e-6)
        ends = expected["ci95_diff_robust"]["miettinen_nurminen_score"]
        assert (test.interval.lower, test.interval.upper) == pytest.approx(tuple(ends), rel=1e-8)


@pytest.mark.parametrize(
    ("control", "treatment"),
    [
        ((3, 10**9), (15, 10**9)),
        ((3, 10**10), (15, 10**10)),
        ((5, 10**11), (2, 10**9)),
        ((1, 10**13), (30, 10**12)),
    ],
)
def test_z_is_the_root_of_chi_square_at_any_rate(control, treatment):
    (x_c, n_c), (x_t, n_t) = control, treatment
    pooled = (x_c + x_t) / (n_c + n_t)
    total = n_c + n_t
    expected = (x_t / n_t - x_c / n_c) / math.sqrt(
        pooled * (1 - pooled) * (1 / n_c + 1 / n_t) * total / (total - 1)
    )

    test = score_test(Moments.proportion(x_c, n_c), Moments.proportion(x_t, n_t))
    variance = difference_variance(*np.array([[x_c, n_c, x_t, n_t]] * 2, dtype=float).T, 0.0)

    assert test.statistic == pytest.approx(expected, rel=1e-9)
    assert (x_t / n_t - x_c / n_c) / np.sqrt(variance) == pytest.approx(expected, rel=1e-9)


def test_the_limits_of_rare_rates_scale_with_the_units():
    wide = difference_limits(3, 1e7, 15, 1e7, 1.96)
    rare = difference_limits(3, 1e10, 15, 1e10, 1.96)

    assert np.array(rare) * 1e3 == pytest.approx(np.array(wide), rel=1e-5)


@pytest.mark.parametrize("successes", [0, 300])
def test_arms_that_are_all_alike_show_the_interval_that_there_is(successes):
    arm = Moments.proportion(successes, 300)
    found = compare_proportions(arm, arm).absolute
    interval = score_interval(arm, arm)

    assert isinstance(found, Status)
    assert found.code is StatusCode.ZERO_VARIANCE
    assert interval.upper == pytest.approx(0.01265, abs=5e-5)
    assert (
        "The difference lies between −1.27 pp and +1.27 pp (95 % score interval of one look)."
        in found.message
    )


@pytest.mark.parametrize("prior", [1e-6, 0.01])
def test_a_prior_too_weak_for_an_arm_without_success_is_told(prior):
    found = beta_posterior(Moments.proportion(0, 100), Moments.proportion(3, 100), (prior, prior))

    assert isinstance(found, Status)
    assert found.code is StatusCode.IMPROPER_PRIOR
    assert "take at least 0.03" in found.message


def test_a_weak_prior_is_fine_where_there_are_successes_and_failures():
    weak = beta_posterior(Moments.proportion(20, 100), Moments.proportion(30, 100), (1e-6, 1e-6))

    assert weak.prob_treatment == pytest.approx(0.95, abs=0.02)
    assert isinstance(score_test(Moments.proportion(20, 100), Moments.proportion(30, 100)), Estimate)
