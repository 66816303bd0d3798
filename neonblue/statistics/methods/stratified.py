"""Units that entered under different shares, compared within their configuration version and then put together.

Pooled, they would mix the versions differently in each arm: an outcome that changes over time would look like an
effect of the treatment (Simpson's paradox). What is estimated is the mean of the versions' effects at Cochran, Mantel
and Haenszel's weights n_c n_t / (n_c + n_t).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from neonblue.statistics.methods.by_kind import (
    KINDS,
    MetricKind,
    Pair,
    analyze_metric,
    guard_metric,
    needs_score_test,
    own_effect,
)
from neonblue.statistics.methods.comparison import Comparison
from neonblue.statistics.methods.effect import Effect
from neonblue.statistics.methods.noninferiority import (
    Margin,
    NonInferiority,
    non_inferior,
    non_inferior_stratified_score,
)
from neonblue.statistics.methods.pooling import cmh_weight, stratified_effect
from neonblue.statistics.methods.proportions import not_countable
from neonblue.statistics.methods.score_strata import (
    StratifiedCounts,
    stratified_score_lift,
    stratified_score_test,
)
from neonblue.statistics.moments import Moments
from neonblue.statistics.result import Method
from neonblue.statistics.status import Status, StatusCode

CountPair = tuple[Moments, Moments]


def information(strata: Sequence[Pair]) -> float:
    """The sum over strata of n_c n_t / (n_c + n_t), in units; a stratum with an empty arm has none.

    The variance of the stratified difference is that of a unit over it, where units vary alike everywhere. At equal
    arms it is a quarter of the units.
    """
    return math.fsum(cmh_weight(control.n, treatment.n) for control, treatment in strata)


def compare_strata(
    kind: MetricKind, strata: Sequence[Pair], alpha: float = 0.05, *, limits: bool = True
) -> Comparison:
    """One metric in two arms over several strata: the row `analyze_metric` gives for one, and exactly that for one.

    Strata with an empty arm are left out. PROPORTION: the Mantel-Haenszel risk difference, by the stratified score
    test where `needs_score_test` in some stratum. Else see `combine`. QUANTILE: SHARES_CHANGED for several strata.
    Values per arm are those of the strata at the same weights, so that their difference is `diff`; n_*: the units that
    are compared. limits: as in `analyze_metric`. Raises ValueError for an alpha outside (0, 1) or moments
    that do not fit the kind.
    """
    live = _live(strata)
    if len(live) == 1:
        return analyze_metric(kind, *live[0], alpha, limits=limits)
    if counts := _few_outcomes(kind, live):
        return _compare_counts(counts, alpha, limits)
    effect = combine(kind, live)
    if isinstance(effect, Status):
        return _without_effect(kind, live or strata, effect)
    return Comparison(
        n_control=effect.n_control,
        n_treatment=effect.n_treatment,
        mean_control=effect.control,
        mean_treatment=effect.control + effect.diff,
        diff=effect.diff,
        absolute=effect.test(alpha),
        relative=effect.lift(alpha),
    )


def guard_strata(
    kind: MetricKind, strata: Sequence[Pair], margin: Margin, alpha: float = 0.05
) -> NonInferiority | Status:
    """One-sided test that a metric is not worse than control by the margin, over several strata.

    The test that `compare_strata` takes, against the margin; `guard_metric`'s for one stratum. Statuses and errors
    as there.
    """
    live = _live(strata)
    if len(live) == 1:
        return guard_metric(kind, *live[0], margin, alpha)
    if counts := _few_outcomes(kind, live):
        return non_inferior_stratified_score(StratifiedCounts.of_pairs(counts), margin, alpha)
    effect = combine(kind, live)
    return effect if isinstance(effect, Status) else non_inferior(effect, margin, alpha)


def combine(kind: MetricKind, strata: Sequence[Pair]) -> Effect | Status:
    """The stratified effect of a metric, each stratum with the effect of its kind (see `stratified_effect`).

    A stratum in which an arm has fewer units than a variance needs is left out: that depends on how many units there
    are and not on their values, so it does not bias the difference over the strata that remain. One whose values are
    all alike counts with its difference. Statuses of the metric where no stratum has an estimate or none varies.
    """
    if not KINDS[kind].adds_up and len(strata) > 1:
        return _QUANTILES
    found = [own_effect(kind, *pair) for pair in strata]
    if not any(isinstance(effect, Effect) for effect in found):
        return next((effect for effect in found if isinstance(effect, Status)), _NO_DATA)
    effects = [
        effect if isinstance(effect, Effect) else _constant(kind, pair, effect)
        for pair, effect in zip(strata, found, strict=True)
    ]
    whole = stratified_effect([effect for effect in effects if isinstance(effect, Effect)])
    several = whole.method is Method.UNPOOLED_PROPORTIONS and len(strata) > 1
    return replace(whole, method=Method.MANTEL_HAENSZEL) if several else whole


def _live(strata: Sequence[Pair]) -> list[Pair]:
    """The strata with units in both arms; the only stratum in any case, for its own status."""
    return list(strata) if len(strata) == 1 else [pair for pair in strata if pair[0].n and pair[1].n]


def _few_outcomes(kind: MetricKind, strata: Sequence[Pair]) -> list[CountPair]:
    """The strata as counts where a proportion needs the score test, else none."""
    if not KINDS[kind].is_share:
        return []
    counts = [(c, t) for c, t in strata if isinstance(c, Moments) and isinstance(t, Moments)]
    if len(counts) < len(strata):
        return []
    # The check of every stratum comes first: it refuses values that are not zeros and ones.
    countable = [not_countable(*pair) is None for pair in counts]
    return counts if all(countable) and any(needs_score_test(*pair) for pair in counts) else []


def _compare_counts(strata: Sequence[CountPair], alpha: float, limits: bool) -> Comparison:
    counts = StratifiedCounts.of_pairs(strata)
    control, diff = float(counts.control), float(counts.weighted_diff)
    return Comparison(
        n_control=sum(control.n for control, _ in strata),
        n_treatment=sum(treatment.n for _, treatment in strata),
        mean_control=control,
        mean_treatment=control + diff,
        diff=diff,
        absolute=stratified_score_test(counts, alpha, limits=limits),
        relative=stratified_score_lift(counts, alpha, limits=limits),
    )


def _without_effect(kind: MetricKind, strata: Sequence[Pair], reason: Status) -> Comparison:
    """The row beside a status: the units, and the weighted values where every stratum has them."""
    n = [sum(pair[arm].n for pair in strata) for arm in (0, 1)]
    total = information(strata)
    if not KINDS[kind].adds_up or not total:
        return Comparison(n[0], n[1], None, None, None, reason, reason)
    control, treatment = 0.0, 0.0
    for pair in strata:
        row, share = analyze_metric(kind, *pair), information([pair]) / total
        if row.mean_control is None or row.mean_treatment is None:
            return Comparison(n[0], n[1], None, None, None, reason, reason)
        control += share * row.mean_control
        treatment += share * row.mean_treatment
    return Comparison(n[0], n[1], control, treatment, treatment - control, reason, reason)


def _constant(kind: MetricKind, pair: Pair, reason: Status) -> Effect | Status:
    """The difference of arms whose values are all alike, as an effect without variance."""
    row = analyze_metric(kind, *pair)
    if reason.code is not StatusCode.ZERO_VARIANCE or row.mean_control is None or row.mean_treatment is None:
        return reason
    values = row.mean_control, row.mean_treatment
    return Effect.of_arms(Method.WELCH, (pair[0].n, pair[1].n), values, (0.0, 0.0))


_NO_DATA = Status(StatusCode.MISSING_ARM, "No configuration version has units of both arms.")
_QUANTILES = Status(
    StatusCode.SHARES_CHANGED,
    "The arms' shares differed between configuration versions: their units have no common distribution to take a "
    "quantile of. Compare the quantile within one version, or take a mean or a share of units.",
)
