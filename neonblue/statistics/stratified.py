"""Units that entered under different shares, compared within their configuration version and then put together.

Pooled, they would mix the versions differently in each arm: an outcome that changes over time would look like an
effect of the treatment (Simpson's paradox).
"""

from __future__ import annotations

from collections.abc import Sequence

from neonblue.statistics.comparison import Comparison
from neonblue.statistics.effect import Effect
from neonblue.statistics.metric import AnyMoments, MetricKind, analyze_metric, metric_effect
from neonblue.statistics.result import Method
from neonblue.statistics.status import Status, StatusCode

Pair = tuple[AnyMoments, AnyMoments]


def stratified_effect(strata: Sequence[Effect]) -> Effect:
    """The mean of the strata's differences, weighted by their units, with the variance that follows.

    d = sum of w d_s and Var(d) = sum of w^2 Var(d_s) with w = units of the stratum over all units; control values and
    covariances likewise. Degrees of freedom by Satterthwaite over every arm of every stratum. Raises ValueError
    where no stratum varies. Source: Cochran (1977), Sampling Techniques, chapter 5.
    """
    if not any(effect.variance > 0 for effect in strata):
        raise ValueError("strata: at least one must vary")
    units = [effect.n_control + effect.n_treatment for effect in strata]
    shares = [n / sum(units) for n in units]
    weighted = list(zip(shares, strata, strict=True))
    parts = [(w * w * e.var_from_control, e.n_control) for w, e in weighted]
    parts += [(w * w * e.var_from_treatment, e.n_treatment) for w, e in weighted]
    total = sum(variance for variance, _ in parts)
    error = sum((variance / total) ** 2 / (n - 1) for variance, n in parts if variance > 0)
    return Effect(
        method=next(e.method for e in strata if e.variance > 0),
        n_control=sum(e.n_control for e in strata),
        n_treatment=sum(e.n_treatment for e in strata),
        control=sum(w * e.control for w, e in weighted),
        diff=sum(w * e.diff for w, e in weighted),
        var_control=sum(w * w * e.var_control for w, e in weighted),
        var_from_control=sum(w * w * e.var_from_control for w, e in weighted),
        var_from_treatment=sum(w * w * e.var_from_treatment for w, e in weighted),
        covariance=sum(w * w * e.covariance for w, e in weighted),
        normal=all(e.normal for e in strata if e.variance > 0),
        freedom=1 / error,
    )


def combine(kind: MetricKind, strata: Sequence[Pair]) -> Effect | Status:
    """The stratified effect of a metric, each stratum with the test of its kind.

    A stratum in which an arm is too small to be compared is left out; one whose values are all alike counts with its
    difference. Statuses of the metric where no stratum has an estimate or none varies.
    """
    found = [metric_effect(kind, *pair) for pair in strata]
    if not any(isinstance(effect, Effect) for effect in found):
        return next((effect for effect in found if isinstance(effect, Status)), _NO_DATA)
    effects = [
        effect if isinstance(effect, Effect) else _constant(kind, pair, effect)
        for pair, effect in zip(strata, found, strict=True)
    ]
    return stratified_effect([effect for effect in effects if isinstance(effect, Effect)])


def compare_strata(kind: MetricKind, strata: Sequence[Pair], alpha: float = 0.05) -> Comparison:
    """One metric in two arms over several strata: the row `analyze_metric` gives for one.

    Values per arm are those of the strata at the same weights, so that their difference is `diff`. Raises ValueError
    for an alpha outside (0, 1) or moments that do not fit the kind.
    """
    effect = combine(kind, strata)
    if isinstance(effect, Status):
        n = [sum(pair[arm].n for pair in strata) for arm in (0, 1)]
        return Comparison(n[0], n[1], None, None, None, effect, effect)
    return Comparison(
        n_control=effect.n_control,
        n_treatment=effect.n_treatment,
        mean_control=effect.control,
        mean_treatment=effect.control + effect.diff,
        diff=effect.diff,
        absolute=effect.test(alpha),
        relative=effect.lift(alpha),
    )


def _constant(kind: MetricKind, pair: Pair, reason: Status) -> Effect | Status:
    """The difference of arms whose values are all alike: it is known, and its variance is 0."""
    row = analyze_metric(kind, *pair)
    known = reason.code is StatusCode.ZERO_VARIANCE
    if not known or row.mean_control is None or row.mean_treatment is None:
        return reason
    values = row.mean_control, row.mean_treatment
    return Effect.of_arms(Method.WELCH, (pair[0].n, pair[1].n), values, (0.0, 0.0))


_NO_DATA = Status(StatusCode.MISSING_ARM, "There are no data in any configuration version.")
