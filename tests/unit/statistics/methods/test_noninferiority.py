"""Non-inferiority far out in the tails, where 1 - p has no digits left."""

import math

import pytest
from scipy import stats

from neonblue.statistics import MetricKind, Moments
from neonblue.statistics.methods.by_kind import guard_metric
from neonblue.statistics.methods.effect import Effect
from neonblue.statistics.methods.noninferiority import Direction, Margin, non_inferior
from neonblue.statistics.methods.stratified import guard_strata
from neonblue.statistics.result import Method

EARLY = 1.56e-85  # a group-sequential test's one-sided error at a hundredth of its information


def loss(z, size=1.0):
    """An effect whose contrast with an absolute margin of `size` has this z (higher is better)."""
    return Effect.of_arms(Method.UNPOOLED_PROPORTIONS, (9, 9), (5.0, 5.0 - size + z), (0.5, 0.5), normal=True)


@pytest.mark.parametrize(
    ("z", "alpha", "inferior"),
    [
        (-11.5, EARLY, False),
        (-19.0, EARLY, False),
        (-20.0, EARLY, True),
        (-35.0, 1e-290, False),
        (-37.0, 1e-290, True),
        (-1.7, 0.05, True),
        (-1.6, 0.05, False),
    ],
)
def test_a_loss_is_shown_only_where_its_own_tail_is_below_alpha(z, alpha, inferior):
    guard = non_inferior(loss(z), Margin(1.0), alpha)

    assert guard.statistic == pytest.approx(z)
    assert (guard.inferior_at(guard.alpha), guard.non_inferior) == (inferior, False)


@pytest.mark.parametrize(
    ("z", "alpha", "held"),
    [(11.5, EARLY, False), (20.0, EARLY, True), (37.0, 1e-290, True), (36.0, 1e-290, False)],
)
def test_a_guardrail_holds_only_where_its_tail_is_below_alpha(z, alpha, held):
    guard = non_inferior(loss(z), Margin(1.0), alpha)

    assert (guard.non_inferior, guard.inferior_at(guard.alpha)) == (held, False)


def test_both_tails_are_told_by_their_logarithms():
    guard = non_inferior(loss(-30.0), Margin(1.0))

    assert guard.log10_p_inferior == pytest.approx(stats.norm.logsf(30) / math.log(10), rel=1e-12)
    assert guard.log10_p == 0 or guard.log10_p == pytest.approx(-stats.norm.sf(30) / math.log(10))
    near = non_inferior(loss(-2.0), Margin(1.0))
    assert 10**near.log10_p + 10**near.log10_p_inferior == pytest.approx(1, rel=1e-14)
    assert near.log10_p == pytest.approx(math.log10(near.p_value), rel=1e-12)


def test_a_loss_is_judged_by_the_tail_of_few_degrees_of_freedom():
    control, treatment = Moments(6, 60.0, 605.0), Moments(6, 6.0, 11.0)

    guard = guard_metric(MetricKind.MEAN, control, treatment, Margin(1.0), EARLY)

    assert guard.statistic < -11
    assert not guard.inferior_at(guard.alpha)
    assert guard.log10_p_inferior == pytest.approx(
        stats.t.logcdf(guard.statistic, guard.df) / math.log(10), rel=1e-9
    )


@pytest.mark.parametrize("direction", Direction)
def test_few_outcomes_far_beyond_the_margin_are_not_a_loss_at_an_early_look(direction):
    few, many = Moments.proportion(3, 900), Moments.proportion(300, 900)
    arms = (many, few) if direction is Direction.HIGHER_IS_BETTER else (few, many)
    margin = Margin(0.01, direction=direction)

    for guard in (
        guard_metric(MetricKind.PROPORTION, *arms, margin, EARLY),
        guard_strata(MetricKind.PROPORTION, [arms, arms], margin, 1e-200),
    ):
        assert abs(guard.statistic) > 11
        assert not guard.inferior_at(guard.alpha)


@pytest.mark.parametrize("relative", [True, False])
@pytest.mark.parametrize("sizes", [(30, 5), (5, 30), (200, 20)])
def test_the_bound_lies_on_the_margin_where_the_p_value_is_alpha(relative, sizes):
    """In small arms as well: bound and verdict are of one test, with the same degrees of freedom."""
    arms = [Moments(n, n * mean, n * (mean**2 + 9)) for n, mean in zip(sizes, (10.0, 11.0), strict=True)]
    margin = Margin(0.3 if relative else 3.0, relative, Direction.LOWER_IS_BETTER)

    p = guard_metric(MetricKind.MEAN, *arms, margin).p_value
    at_the_line = guard_metric(MetricKind.MEAN, *arms, margin, p)

    assert at_the_line.bound == pytest.approx(margin.size, rel=1e-9)
