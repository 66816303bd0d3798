"""What must hold whatever the data: used on the reference inputs and on generated ones.

Each check takes the moments of two arms and raises AssertionError. `close` compares at 1e-9, against the
standard error where a difference may vanish.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Sequence

from neonblue.statistics import (
    Comparison,
    CovariateMoments,
    Estimate,
    Interval,
    Lift,
    LiftPrior,
    Moments,
    RatioMoments,
    Scale,
    Status,
    compare_cuped,
    compare_means,
    compare_proportions,
    compare_ratios,
    gaussian_posterior,
)
from neonblue.statistics.bayes.relative import log_ratio_interval
from neonblue.statistics.methods.cuped import Theta, adjust, cuped_test
from neonblue.statistics.methods.means import mean_effect, welch_test
from neonblue.statistics.methods.multiplicity import Procedure, judge
from neonblue.statistics.methods.proportions import agresti_caffo_interval, newcombe_interval, unpooled_test
from neonblue.statistics.methods.score import score_interval, score_test
from neonblue.statistics.result import Alternative

TOLERANCE = 1e-9
SEARCHED = 1e-6
ALPHAS = (0.2, 0.1, 0.05, 0.01, 0.001)
Compare = Callable[[Moments, Moments, float], Comparison]


def close(a: float, b: float, scale: float = 0.0, tolerance: float = TOLERANCE) -> bool:
    return math.isclose(a, b, rel_tol=tolerance, abs_tol=tolerance * scale)


def estimate(value: Estimate | Status) -> Estimate:
    assert isinstance(value, Estimate), value
    return value


def is_binary(*arms: Moments) -> bool:
    return all(arm.sum == arm.sum_of_squares and float(arm.sum).is_integer() for arm in arms)


def comparisons(control: Moments, treatment: Moments) -> list[Compare]:
    return [compare_means, *([compare_proportions] if is_binary(control, treatment) else [])]


def swap_flips_the_sign(control: Moments, treatment: Moments) -> None:
    for compare in comparisons(control, treatment):
        there = compare(control, treatment, 0.05).absolute
        back = compare(treatment, control, 0.05).absolute
        if isinstance(there, Status) or isinstance(back, Status):
            assert there == back or (isinstance(there, Status) and isinstance(back, Status))
            continue
        assert close(there.diff, -back.diff, there.se)
        assert close(there.statistic, -back.statistic, 1)
        assert close(there.p_value, back.p_value)
        assert close(there.p_greater, back.p_less)
        # The ends of a score interval are searched for, from either side.
        assert close(there.interval.lower, -back.interval.upper, there.se, SEARCHED)
        assert close(there.interval.upper, -back.interval.lower, there.se, SEARCHED)


def scale_scales(control: Moments, treatment: Moments, factor: float) -> None:
    plain, scaled = (
        compare_means(c, t)
        for c, t in ((control, treatment), (_scaled(control, factor), _scaled(treatment, factor)))
    )
    if isinstance(plain.absolute, Status):
        assert isinstance(scaled.absolute, Status)
        assert plain.absolute.code == scaled.absolute.code
        return
    a, b, sign = plain.absolute, estimate(scaled.absolute), math.copysign(1, factor)
    assert close(a.statistic, sign * b.statistic, 1)
    assert close(a.p_value, b.p_value)
    assert close(a.df, b.df)
    assert close(a.se * abs(factor), b.se)
    assert close(a.diff * factor, b.diff, b.se)
    ends = sorted((a.interval.lower * factor, a.interval.upper * factor))
    assert close(ends[0], b.interval.lower, b.se)
    assert close(ends[1], b.interval.upper, b.se)
    _lifts_agree(plain.relative, scaled.relative, sign)


def shift_moves_only_the_means(
    control: Moments, treatment: Moments, shift: float, tolerance: float = TOLERANCE
) -> None:
    a = compare_means(control, treatment).absolute
    b = compare_means(_shifted(control, shift), _shifted(treatment, shift)).absolute
    if isinstance(a, Status):
        assert isinstance(b, Status)
        return
    b = estimate(b)
    # The means themselves are rounded at the size of the shift.
    scale = a.se + abs(shift) * 1e-6
    assert close(a.diff, b.diff, scale, tolerance)
    assert close(a.se, b.se, 0, tolerance)
    assert close(a.interval.lower, b.interval.lower, scale, tolerance)
    assert close(a.interval.upper, b.interval.upper, scale, tolerance)


def merging_any_way_is_the_same(shards: Sequence[Moments], order: Sequence[int]) -> None:
    forward, backward = shards[0], shards[order[0]]
    for shard in shards[1:]:
        forward = forward.merge(shard)
    for index in order[1:]:
        backward = shards[index].merge(backward)
    assert forward.n == backward.n
    assert close(forward.sum, backward.sum, math.sqrt(forward.sum_of_squares * forward.n))
    assert close(forward.sum_of_squares, backward.sum_of_squares)
    assert close(forward.centred, backward.centred, forward.sum_of_squares * 1e-6)


def proportion_differs_from_mean_by_the_divisor(control: Moments, treatment: Moments) -> None:
    for arm in (control, treatment):
        rate = arm.mean * (1 - arm.mean)
        assert close(arm.variance * (arm.n - 1) / arm.n, rate, 1e-6)


def one_decision(control: Moments, treatment: Moments) -> None:
    """p, the interval of the difference and the interval of the lift say the same."""
    for compare in comparisons(control, treatment):
        for alpha in ALPHAS:
            row = compare(control, treatment, alpha)
            if isinstance(row.absolute, Status):
                continue
            if math.isclose(row.absolute.p_value, alpha, rel_tol=1e-7):
                continue  # on the boundary rounding decides
            rejects = row.absolute.p_value < alpha
            assert row.absolute.significant == rejects
            if isinstance(row.relative, Lift):
                assert (not row.relative.interval.contains(0.0)) == rejects


def one_decision_on_one_side(control: Moments, treatment: Moments) -> None:
    """A one-sided p, the bound of the difference and the bound of the lift say the same."""
    for alternative in (Alternative.GREATER, Alternative.LESS):
        for compare in (compare_means, *([compare_proportions] if is_binary(control, treatment) else [])):
            row = compare(control, treatment, 0.05, alternative)
            if isinstance(row.absolute, Status):
                continue
            p = row.absolute.p_greater if alternative is Alternative.GREATER else row.absolute.p_less
            if math.isclose(p, 0.05, rel_tol=1e-7):
                continue  # on the boundary rounding decides
            assert row.absolute.significant == (p < 0.05)
            if isinstance(row.relative, Lift):
                assert (not row.relative.interval.contains(0.0)) == (p < 0.05)


def swap_turns_the_posterior_round(control: Moments, treatment: Moments) -> None:
    """The chance to win becomes its complement, the losses change places, a ratio's interval its reciprocal."""
    there, back = (
        gaussian_posterior(effect, LiftPrior(0.0, math.inf), scale=Scale.ABSOLUTE)
        for effect in (mean_effect(control, treatment), mean_effect(treatment, control))
    )
    if isinstance(there, Status) or isinstance(back, Status):
        assert isinstance(there, Status) == isinstance(back, Status)
        return
    assert close(there.chance_to_win, 1 - back.chance_to_win, 1)
    assert close(there.loss_treatment, back.loss_control, there.sd)
    assert close(there.loss_control, back.loss_treatment, there.sd)
    variances = [arm.variance / arm.n for arm in (control, treatment)]
    ratio = log_ratio_interval(control.mean, variances[0], treatment.mean, variances[1])
    inverse = log_ratio_interval(treatment.mean, variances[1], control.mean, variances[0])
    if not isinstance(ratio, Status) and not isinstance(inverse, Status):
        assert close(ratio[0].lower, 1 / (1 + inverse[0].upper) - 1, 1)
        assert close(inverse[0].lower, 1 / (1 + ratio[0].upper) - 1, 1)


def intervals_hold_the_estimate_and_nest(control: Moments, treatment: Moments) -> None:
    for interval in _interval_methods(control, treatment):
        wider: Interval | None = None
        for alpha in sorted(ALPHAS):
            value, point, slack = interval(alpha)
            if value is None:
                wider = None
                continue
            assert value.lower - slack <= point <= value.upper + slack
            if wider is not None:
                assert wider.lower - slack <= value.lower
                assert value.upper <= wider.upper + slack
            wider = value


def four_times_the_data_halve_the_error(control: Moments, treatment: Moments) -> None:
    if not is_binary(control, treatment):
        return
    once, more = (
        unpooled_test(*(Moments.proportion(k * int(a.sum), k * a.n) for a in (control, treatment)))
        for k in (1, 4)
    )
    if isinstance(once, Estimate):
        assert close(once.se, 2 * estimate(more).se)


def unit_denominator_is_the_mean(control: Moments, treatment: Moments) -> None:
    mean = compare_means(control, treatment).absolute
    ratio = compare_ratios(*(_over_one(arm) for arm in (control, treatment))).absolute
    if isinstance(mean, Status):
        assert isinstance(ratio, Status)
        return
    ratio = estimate(ratio)
    for field in ("diff", "se", "df", "statistic", "p_value"):
        assert close(getattr(mean, field), getattr(ratio, field), 1e-6), field


def constant_covariate_changes_nothing(control: Moments, treatment: Moments, constant: float = 3.0) -> None:
    arms = [_with_covariate(arm, constant) for arm in (control, treatment)]
    adjustment = adjust(*arms)
    plain = compare_means(control, treatment)
    if isinstance(plain.absolute, Status):
        return
    assert not isinstance(adjustment, Status)
    assert adjustment.variance_reduction == 0
    assert close(adjustment.diff, plain.absolute.diff, plain.absolute.se)
    assert compare_cuped(*arms).fallback is not None


def affine_covariate_changes_nothing(
    control: CovariateMoments, treatment: CovariateMoments, moved: Sequence[CovariateMoments]
) -> None:
    for theta in Theta:
        a, b = cuped_test(control, treatment, theta=theta), cuped_test(*moved, theta=theta)
        if isinstance(a, Status) or isinstance(b, Status):
            assert isinstance(a, Status)
            assert isinstance(b, Status)
            continue
        assert close(a.diff, b.diff, a.se)
        assert close(a.se, b.se)


def adjusted_p_values_behave(p_values: Sequence[float], order: Sequence[int]) -> None:
    adjusted = {p: judge(p_values, p).adjusted for p in Procedure}
    for procedure, values in adjusted.items():
        shuffled = judge([p_values[i] for i in order], procedure).adjusted
        assert [values[i] for i in order] == list(shuffled)
        ranked = sorted(zip(p_values, values, strict=True))
        assert all(low[1] <= high[1] for low, high in itertools.pairwise(ranked))
        assert all(a >= p * (1 - 1e-15) for p, a in zip(p_values, values, strict=True))
    for holm, bonferroni, bh in zip(
        adjusted[Procedure.HOLM],
        adjusted[Procedure.BONFERRONI],
        adjusted[Procedure.BENJAMINI_HOCHBERG],
        strict=True,
    ):
        assert bonferroni >= holm >= bh * (1 - 1e-12)
    assert all(judge([p], procedure).adjusted == (p,) for p in p_values for procedure in Procedure)


def no_number_beside_a_status(row: Comparison) -> None:
    """A status or finite numbers: never nan, p = 1 for "unknown", or an interval without width."""
    if isinstance(row.absolute, Status):
        assert not isinstance(row.relative, Lift)
        assert row.absolute.message
    else:
        finite = dataclasses.asdict(row.absolute)
        assert all(math.isfinite(finite[name]) for name in ("diff", "se", "statistic", "p_value", "log10_p"))
        assert row.absolute.interval.lower < row.absolute.interval.upper
        assert row.absolute.se > 0


def _lifts_agree(a: Lift | Status, b: Lift | Status, sign: float) -> None:
    if isinstance(a, Status) or isinstance(b, Status):
        assert isinstance(a, Status) == isinstance(b, Status)
        return
    scale = a.interval.upper - a.interval.lower
    ends = sorted((sign * a.interval.lower, sign * a.interval.upper))
    assert close(sign * a.value, b.value, scale)
    assert close(ends[0], b.interval.lower, scale)
    assert close(ends[1], b.interval.upper, scale)


def _scaled(arm: Moments, factor: float) -> Moments:
    return Moments(arm.n, arm.sum * factor, arm.sum_of_squares * factor**2, arm.centred * factor**2)


def _shifted(arm: Moments, shift: float) -> Moments:
    squares = arm.sum_of_squares + 2 * shift * arm.sum + arm.n * shift**2
    return Moments(arm.n, arm.sum + arm.n * shift, max(squares, 0.0), arm.centred)


def _over_one(arm: Moments) -> RatioMoments:
    return RatioMoments(arm.n, arm.sum, arm.n, arm.sum_of_squares, arm.n, arm.sum)


def _with_covariate(arm: Moments, constant: float) -> CovariateMoments:
    n = arm.n
    return CovariateMoments(n, arm.sum, n * constant, arm.sum_of_squares, n * constant**2, arm.sum * constant)


def _interval_methods(
    control: Moments, treatment: Moments
) -> list[Callable[[float], tuple[Interval | None, float, float]]]:
    diff = treatment.mean - control.mean

    def of_test(test: Estimate | Status) -> tuple[Interval | None, float, float]:
        if isinstance(test, Status):
            return None, diff, 0.0
        return test.interval, test.diff, 1e-9 * test.se

    def of_lift(row: Comparison) -> tuple[Interval | None, float, float]:
        if isinstance(row.relative, Status):
            return None, diff, 0.0
        return row.relative.interval, row.relative.value, 1e-9 * abs(row.relative.value)

    methods: list[Callable[[float], tuple[Interval | None, float, float]]] = [
        lambda alpha: of_test(welch_test(control, treatment, alpha)),
        lambda alpha: of_lift(compare_means(control, treatment, alpha)),
    ]
    if not is_binary(control, treatment):
        return methods

    def plain(value: Interval | Status) -> tuple[Interval | None, float, float]:
        return (None if isinstance(value, Status) else value), diff, 1e-12

    return [
        *methods,
        lambda alpha: of_test(unpooled_test(control, treatment, alpha)),
        lambda alpha: of_test(score_test(control, treatment, alpha)),
        lambda alpha: of_lift(compare_proportions(control, treatment, alpha)),
        lambda alpha: plain(score_interval(control, treatment, alpha)),
        lambda alpha: plain(newcombe_interval(control, treatment, alpha)),
        lambda alpha: plain(_nesting_caffo(control, treatment, alpha)),
    ]


def _nesting_caffo(control: Moments, treatment: Moments, alpha: float) -> Interval | Status:
    """Agresti and Caffo's interval is centred off the estimate; it is only required to nest."""
    interval = agresti_caffo_interval(control, treatment, alpha)
    diff = treatment.mean - control.mean
    if isinstance(interval, Status) or interval.contains(diff):
        return interval
    return Interval(min(interval.lower, diff), max(interval.upper, diff), interval.level)
