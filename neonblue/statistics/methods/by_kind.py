"""One metric, two arms: the test that fits what the metric measures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neonblue.statistics.methods.comparison import Comparison
from neonblue.statistics.methods.cuped import Theta, compare_cuped, usable_effect
from neonblue.statistics.methods.effect import Effect
from neonblue.statistics.methods.kind import Form, Kind, M
from neonblue.statistics.methods.lopsided import are_lopsided, with_raised_variance
from neonblue.statistics.methods.means import compare_means, mean_effect
from neonblue.statistics.methods.missing_covariate import (
    PartialCovariateMoments,
    compare_partial,
    usable_partial_effect,
)
from neonblue.statistics.methods.noninferiority import (
    Margin,
    NonInferiority,
    non_inferior,
    non_inferior_proportion_score,
)
from neonblue.statistics.methods.proportions import (
    fisher_exact_p,
    not_countable,
    proportion_effect,
    unpooled_lift,
    unpooled_test,
)
from neonblue.statistics.methods.quantiles import QuantileSummary, compare_quantiles, quantile_effect
from neonblue.statistics.methods.ratio import compare_ratios, ratio_effect
from neonblue.statistics.methods.score import score_lift, score_test
from neonblue.statistics.moments import CovariateMoments, Moments, RatioMoments
from neonblue.statistics.result import Alternative, Estimate
from neonblue.statistics.status import Status

AnyMoments: TypeAlias = Moments | RatioMoments | CovariateMoments | PartialCovariateMoments | QuantileSummary

Pair: TypeAlias = tuple[AnyMoments, AnyMoments]
"""Control's moments and a treatment's."""

_FEW_OUTCOMES = 20
_SMALL_ARM = 1000
_LOPSIDED = 0.1
_TINY_EXPECTED = 5


class MetricKind(StrEnum):
    """What is compared.

    The mean of a number per unit, the share of units that did something, a ratio of two sums over units, or a
    quantile of a number per unit.
    """

    MEAN = "mean"
    PROPORTION = "proportion"
    RATIO = "ratio"
    QUANTILE = "quantile"


def analyze_metric(
    kind: MetricKind,
    control: AnyMoments,
    treatment: AnyMoments,
    alpha: float = 0.05,
    alternative: Alternative = Alternative.TWO_SIDED,
    *,
    limits: bool = True,
) -> Comparison:
    """Compare two arms on one metric with the default test of its kind.

    MEAN: Welch's test, with CUPED when both arms are CovariateMoments or PartialCovariateMoments (falling back to the
    plain test where the covariate can't be used). PROPORTION: see `compare_proportions`; with a covariate as a mean.
    RATIO: the delta method. Of these, lopsided arms of a skewed metric have the variance of `with_raised_variance`. The
    lift's interval always agrees with the test on the difference. limits: False where only the p-value is asked for: a
    score test's intervals, which take a search, are then the whole line. Raises ValueError when the moments
    do not fit the kind, or alpha lies outside (0, 1).
    """
    comparison = _form(kind, control, treatment).test(control, treatment, alpha, alternative, limits)
    if not (isinstance(comparison.absolute, Estimate) and are_lopsided(control.n, treatment.n)):
        return comparison
    effect = metric_effect(kind, control, treatment)
    if isinstance(effect, Status) or not effect.raised:
        return comparison
    absolute, relative = effect.test(alpha, alternative), effect.lift(alpha, alternative)
    return replace(comparison, absolute=absolute, relative=relative)


def metric_effect(kind: MetricKind, control: AnyMoments, treatment: AnyMoments) -> Effect | Status:
    """The difference with its variances, in the metric's unit, by the same choices as `analyze_metric`.

    The plain effect where CUPED can't be used. Statuses of the test; ValueError when the moments do not fit the kind.
    """
    effect = own_effect(kind, control, treatment)
    return effect if isinstance(effect, Status) else with_raised_variance(effect)


def own_effect(kind: MetricKind, control: AnyMoments, treatment: AnyMoments) -> Effect | Status:
    """As `metric_effect`, with each arm's own variance however lopsided the arms are."""
    return _form(kind, control, treatment).effect(control, treatment)


def added(one: AnyMoments, other: AnyMoments) -> AnyMoments:
    """Moments of both sets of units together. ValueError for two kinds of moments, and for quantiles."""
    merge = _MERGES.get(type(one)) if type(one) is type(other) else None
    if merge is None:
        raise ValueError(f"moments: {type(one).__name__} and {type(other).__name__} can't be added up")
    return merge(one, other)


def can_be_added(moments: AnyMoments) -> bool:
    """Whether `added` takes them, with others of their class."""
    return type(moments) in _MERGES


def guard_metric(
    kind: MetricKind, control: AnyMoments, treatment: AnyMoments, margin: Margin, alpha: float = 0.05
) -> NonInferiority | Status:
    """One-sided test that a metric is not worse than control by the margin, with the test that fits its kind.

    Proportions take the score test where `needs_score_test`. Statuses and errors as `analyze_metric`.
    """
    guard = _form(kind, control, treatment).guard
    own = None if guard is None else guard(control, treatment, margin, alpha)
    if own is not None:
        return own
    effect = metric_effect(kind, control, treatment)
    return effect if isinstance(effect, Status) else non_inferior(effect, margin, alpha)


def compare_proportions(
    control: Moments,
    treatment: Moments,
    alpha: float = 0.05,
    alternative: Alternative = Alternative.TWO_SIDED,
    *,
    limits: bool = True,
) -> Comparison:
    """Compare two proportions: the unpooled z test, or the score test where `needs_score_test`.

    `exact_p` holds Fisher's p-value when an expected count is below 5. limits: as in `analyze_metric`.
    ValueError unless values are 0 or 1.
    """
    problem = not_countable(control, treatment)
    if problem:
        return Comparison.of(control, treatment, problem, problem)
    exact = fisher_exact_p(control, treatment) if _is_tiny(control, treatment) else None
    if needs_score_test(control, treatment):
        test = score_test(control, treatment, alpha, alternative, limits=limits)
        lift = score_lift(control, treatment, alpha, alternative, limits=limits)
    else:
        test = unpooled_test(control, treatment, alpha, alternative)
        lift = unpooled_lift(control, treatment, alpha, alternative)
    return Comparison.of(control, treatment, test, lift, exact if isinstance(exact, float) else None)


def needs_score_test(control: Moments, treatment: Moments) -> bool:
    """Whether plain z intervals of two proportions lose their coverage; see `needs_score_array`."""
    return bool(needs_score_array(control.n, control.sum, treatment.n, treatment.sum))


def needs_score_array(
    n_control: ArrayLike, successes_control: ArrayLike, n_treatment: ArrayLike, successes_treatment: ArrayLike
) -> NDArray[np.bool_]:
    """Where plain z intervals of two proportions lose their coverage. Arrays broadcast.

    So it is with fewer than 20 successes or failures in an arm, or with the smaller arm under 1,000 units and
    at most a tenth of all.
    """
    n_c, x_c, n_t, x_t = (
        np.asarray(v) for v in (n_control, successes_control, n_treatment, successes_treatment)
    )
    fewest = np.minimum(np.minimum(x_c, n_c - x_c), np.minimum(x_t, n_t - x_t))
    smaller, total = np.minimum(n_c, n_t), n_c + n_t
    return np.asarray((fewest < _FEW_OUTCOMES) | ((smaller < _SMALL_ARM) & (smaller <= _LOPSIDED * total)))


def _is_tiny(control: Moments, treatment: Moments) -> bool:
    total, successes = control.n + treatment.n, control.sum + treatment.sum
    rarer = min(successes, total - successes)
    return min(control.n, treatment.n) * rarer < _TINY_EXPECTED * total


def _form(kind: MetricKind, control: AnyMoments, treatment: AnyMoments) -> Form[Any]:
    form = KINDS[kind].form(control, treatment)
    if form is None:
        given = f"{type(control).__name__} and {type(treatment).__name__}"
        raise ValueError(f"kind: a {kind} metric can't be computed from {given}")
    return form


def _without_search(
    compare: Callable[[M, M, float, Alternative], Comparison],
) -> Callable[[M, M, float, Alternative, bool], Comparison]:
    """A test whose limits take no search: they are given whether asked for or not."""
    return lambda control, treatment, alpha, alternative, _: compare(control, treatment, alpha, alternative)


def _proportion_test(
    control: Moments, treatment: Moments, alpha: float, alternative: Alternative, limits: bool
) -> Comparison:
    return compare_proportions(control, treatment, alpha, alternative, limits=limits)


def _proportion_guard(
    control: Moments, treatment: Moments, margin: Margin, alpha: float
) -> NonInferiority | Status | None:
    if not_countable(control, treatment) is None and needs_score_test(control, treatment):
        return non_inferior_proportion_score(control, treatment, margin, alpha)
    return None


def _cuped(
    control: CovariateMoments, treatment: CovariateMoments, alpha: float, alternative: Alternative
) -> Comparison:
    return compare_cuped(control, treatment, alpha, alternative, Theta.WITHIN).comparison


def _cuped_effect(control: CovariateMoments, treatment: CovariateMoments) -> Effect | Status:
    effect = usable_effect(control, treatment)
    return mean_effect(control.outcome, treatment.outcome) if isinstance(effect, Status) else effect


def _partial(
    control: PartialCovariateMoments,
    treatment: PartialCovariateMoments,
    alpha: float,
    alternative: Alternative,
) -> Comparison:
    return compare_partial(control, treatment, alpha, alternative).comparison


def _partial_effect(control: PartialCovariateMoments, treatment: PartialCovariateMoments) -> Effect | Status:
    effect = usable_partial_effect(control, treatment)
    return mean_effect(control.outcome, treatment.outcome) if isinstance(effect, Status) else effect


_SUMS = ("sum", "sum_of_squares")
_ADJUSTED: tuple[Form[Any], ...] = (
    Form(
        moments=CovariateMoments,
        columns=("sum_y", "sum_x", "sum_yy", "sum_xx", "sum_xy"),
        covariate=True,
        test=_without_search(_cuped),
        effect=_cuped_effect,
        merge=CovariateMoments.merge,
    ),
    Form(
        moments=PartialCovariateMoments,
        covariate=True,
        test=_without_search(_partial),
        effect=_partial_effect,
        merge=PartialCovariateMoments.merge,
    ),
)
KINDS: Mapping[MetricKind, Kind] = MappingProxyType(
    {
        MetricKind.MEAN: Kind(
            forms=(
                Form(
                    moments=Moments,
                    columns=_SUMS,
                    test=_without_search(compare_means),
                    effect=mean_effect,
                    merge=Moments.merge,
                ),
                *_ADJUSTED,
            ),
            can_be_capped=True,
        ),
        MetricKind.PROPORTION: Kind(
            forms=(
                Form(
                    moments=Moments,
                    columns=_SUMS,
                    test=_proportion_test,
                    effect=proportion_effect,
                    merge=Moments.merge,
                    guard=_proportion_guard,
                ),
                *_ADJUSTED,
            ),
            is_share=True,
        ),
        MetricKind.RATIO: Kind(
            forms=(
                Form(
                    moments=RatioMoments,
                    columns=("sum_m", "sum_d", "sum_mm", "sum_dd", "sum_md"),
                    test=_without_search(compare_ratios),
                    effect=ratio_effect,
                    merge=RatioMoments.merge,
                ),
            )
        ),
        MetricKind.QUANTILE: Kind(
            forms=(
                Form(
                    moments=QuantileSummary, test=_without_search(compare_quantiles), effect=quantile_effect
                ),
            )
        ),
    }
)
"""What each kind declares: a new one is a word of `MetricKind` and its line here."""

_MERGES: Mapping[type[Any], Callable[[Any, Any], AnyMoments]] = {
    form.moments: form.merge for kind in KINDS.values() for form in kind.forms if form.merge is not None
}
