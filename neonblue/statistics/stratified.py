"""Units that entered under different shares, compared within their configuration version and then put together.

Pooled, they would mix the versions differently in each arm: an outcome that changes over time would look like an
effect of the treatment (Simpson's paradox).
"""

from __future__ import annotations

from collections.abc import Sequence

from neonblue.statistics.comparison import Comparison
from neonblue.statistics.effect import Effect
from neonblue.statistics.metric import AnyMoments, MetricKind, analyze_metric, metric_effect
from neonblue.statistics.pooling import stratified_effect
from neonblue.statistics.result import Method
from neonblue.statistics.status import Status, StatusCode

Pair = tuple[AnyMoments, AnyMoments]


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
