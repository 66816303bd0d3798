"""Whether two arms can be adjusted by a covariate, and what to compare where they can't."""

from __future__ import annotations

from collections.abc import Sequence

from neonblue.statistics import numbers
from neonblue.statistics.experiment.association import Counts, equal_shares_p
from neonblue.statistics.methods.by_kind import AnyMoments, Pair
from neonblue.statistics.methods.cuped import usable_effect
from neonblue.statistics.methods.effect import Effect
from neonblue.statistics.methods.means import mean_effect
from neonblue.statistics.methods.missing_covariate import PartialCovariateMoments, usable_partial_effect
from neonblue.statistics.methods.pooling import stratified_effect
from neonblue.statistics.moments import CovariateMoments
from neonblue.statistics.result import Estimate
from neonblue.statistics.status import Status, StatusCode

THRESHOLD = 0.001


def as_adjusted(strata: Sequence[Pair]) -> tuple[Sequence[Pair], Status | None]:
    """The strata to compare, and why their covariate is left out; None where it is used, or there is none."""
    reason = adjustable_strata(strata)
    if reason is None:
        return strata, None
    return [(plain(control), plain(treatment)) for control, treatment in strata], reason


def adjustable_strata(strata: Sequence[Pair]) -> Status | None:
    """Why the arms must not be, or can't be, adjusted by their covariate; None where they can, or have none.

    COVARIATE_IMBALANCE where the covariate's mean, or the share of units without one, differs between the arms at
    p < 0.001 within the strata: they differed before the treatment could have done anything, and what made them differ
    may have touched the covariate alone. Else the reason of `compare_cuped`, where no stratum can be adjusted. Where
    there is a reason, compare `plain` moments, as `as_adjusted` gives them.
    """
    shares_p = equal_shares_p(without_covariate(strata))
    if shares_p < THRESHOLD:
        message = f"The arms differ in how many units have no covariate: {numbers.p_is(shares_p)}."
        return Status(StatusCode.COVARIATE_IMBALANCE, message)
    balance = covariate_difference(strata)
    if balance is not None and balance.p_value < THRESHOLD:
        message = (
            "The covariate differs between the arms before the exposure: "
            f"difference {numbers.number(balance.diff, sign=True)}, {numbers.p_is(balance.p_value)}."
        )
        return Status(StatusCode.COVARIATE_IMBALANCE, message)
    reasons = [_reason(*pair) for pair in strata]
    return next(iter(reasons), None) if all(reasons) else None


def covariate_difference(strata: Sequence[Pair]) -> Estimate | None:
    """The covariate's difference between the arms within the strata, among units that have one.

    Welch's test on `stratified_effect`.
    """
    found = [
        mean_effect(control.covariate, treatment.covariate)
        for control, treatment in ((_observed(c), _observed(t)) for c, t in strata)
        if control is not None and treatment is not None
    ]
    effects = [effect for effect in found if isinstance(effect, Effect)]
    return stratified_effect(effects).test(0.05) if effects else None


def without_covariate(strata: Sequence[Pair]) -> list[Counts]:
    """How many units of each arm have no covariate, in the strata where some may have none."""
    return [
        Counts(control.missing.n, control.n, treatment.missing.n, treatment.n)
        for control, treatment in strata
        if isinstance(control, PartialCovariateMoments) and isinstance(treatment, PartialCovariateMoments)
    ]


def plain(moments: AnyMoments) -> AnyMoments:
    """The outcome's moments alone, without any covariate."""
    if isinstance(moments, CovariateMoments | PartialCovariateMoments):
        return moments.outcome
    return moments


def _reason(control: AnyMoments, treatment: AnyMoments) -> Status | None:
    if isinstance(control, CovariateMoments) and isinstance(treatment, CovariateMoments):
        return _problem(usable_effect(control, treatment))
    if isinstance(control, PartialCovariateMoments) and isinstance(treatment, PartialCovariateMoments):
        return _problem(usable_partial_effect(control, treatment))
    return None


def _problem(effect: Effect | Status) -> Status | None:
    return effect if isinstance(effect, Status) else None


def _observed(arm: AnyMoments) -> CovariateMoments | None:
    if isinstance(arm, PartialCovariateMoments):
        return arm.observed
    return arm if isinstance(arm, CovariateMoments) else None
