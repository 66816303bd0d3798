"""Values that are missing: what they count as, and whether the arms differ in how many there are.

Units that are left out may be others in one arm than in the other: then those who are left no longer compare, however
large the experiment is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum

from neonblue.statistics.cuped import compare_cuped
from neonblue.statistics.experiment import Experiment, Metric, Role
from neonblue.statistics.health import HealthCheck, covariate_balance
from neonblue.statistics.metric import AnyMoments
from neonblue.statistics.missing_covariate import PartialCovariateMoments, compare_partial
from neonblue.statistics.moments import CovariateMoments, Moments
from neonblue.statistics.proportions import fisher_exact_p
from neonblue.statistics.result import Estimate
from neonblue.statistics.score import score_test
from neonblue.statistics.sequential.confidence_sequence import (
    DEFAULT_TUNING,
    evidence_p,
    log_evidence,
    mixture_precision,
)
from neonblue.statistics.status import Status, StatusCode
from neonblue.statistics.tails import deviate

THRESHOLD = 0.001
_SMALL_EXPECTED = 5


class Missing(StrEnum):
    """What a unit without a value of a metric counts as."""

    ZERO = "zero"  # 0: right for sums of events, where nothing happened
    EXCLUDE = "exclude"  # nothing: the metric is about the units that have a value


def missing_checks(experiment: Experiment, *, sequential: bool = False) -> list[HealthCheck]:
    """Whether the arms differ in their shares of units without a value, or without a covariate.

    One check per metric whose units without a value are counted: each arm against control by the score test (Fisher's
    where few are expected), its p times the number of arms below 0.001 fails. It blocks for primary metrics and
    guardrails, and warns for secondary ones. One check and the balance per arm where some units have no covariate:
    they warn, since the plain test then stands in (see `adjustable`). sequential: the experiment is watched, so
    that an always-valid p takes the place of each p.
    """
    checks = [
        _values_check(experiment, metric, sequential)
        for metric in experiment.metrics
        if any(experiment.missing.get((metric.name, arm)) for arm in experiment.arms)
    ]
    for name, control, treatment in _partial_pairs(experiment):
        checks.append(_covariate_check(control, treatment, name, sequential))
        balance = covariate_balance(control.observed.covariate, treatment.observed.covariate, name)
        checks += [balance] if isinstance(balance, HealthCheck) else []
    return checks


def adjustable(control: AnyMoments, treatment: AnyMoments) -> Status | None:
    """Why the arms must not be, or can't be, adjusted by their covariate; None where they can, or have none.

    COVARIATE_IMBALANCE where the covariate's mean, or the share of units without one, differs between the arms at
    p < 0.001: they differed before the treatment could have done anything, and what made them differ may have touched
    the covariate alone. Else the reason of `compare_cuped`. Where there is a reason, compare `plain` moments.
    """
    if isinstance(control, CovariateMoments) and isinstance(treatment, CovariateMoments):
        return _unbalanced(control, treatment) or compare_cuped(control, treatment).fallback
    if isinstance(control, PartialCovariateMoments) and isinstance(treatment, PartialCovariateMoments):
        p_value = _share_p(_without_covariate(control), _without_covariate(treatment), sequential=False)
        if p_value < THRESHOLD:
            shares = f"{_share(control.missing.n, control.n)} and {_share(treatment.missing.n, treatment.n)}"
            message = f"The arms differ in how many units have no covariate: {shares}, p = {p_value:.3g}."
            return Status(StatusCode.COVARIATE_IMBALANCE, message)
        balance = _unbalanced(control.observed, treatment.observed)
        return balance or compare_partial(control, treatment).fallback
    return None


def plain(moments: AnyMoments) -> AnyMoments:
    """The outcome's moments alone, without any covariate."""
    if isinstance(moments, CovariateMoments | PartialCovariateMoments):
        return moments.outcome
    return moments


def _values_check(experiment: Experiment, metric: Metric, sequential: bool) -> HealthCheck:
    arms = {arm: _without_value(experiment, metric.name, arm) for arm in experiment.control_first}
    control = arms[experiment.control]
    treatments = [arms[arm] for arm in experiment.treatments]
    least = min((_share_p(control, arm, sequential) for arm in treatments), default=1.0)
    p_value = min(1.0, least * max(len(treatments), 1))
    passed = p_value >= THRESHOLD
    found = (
        "agree in how many units have no value"
        if passed
        else "differ in how many units have no value, so that those who are left do not compare"
    )
    return HealthCheck(
        name=f"missing values ({metric.name})",
        passed=passed,
        value=p_value,
        threshold=THRESHOLD,
        message=f"{metric.name}: the arms {found}: {_shares(arms)}; {_p(p_value, sequential)}.",
        blocking=metric.role is not Role.SECONDARY,
    )


def _covariate_check(
    control: PartialCovariateMoments, treatment: PartialCovariateMoments, name: str, sequential: bool
) -> HealthCheck:
    arms = {"control": _without_covariate(control), "treatment": _without_covariate(treatment)}
    p_value = _share_p(arms["control"], arms["treatment"], sequential)
    passed = p_value >= THRESHOLD
    found = "agree" if passed else "differ"
    return HealthCheck(
        name=f"covariate missing ({name})",
        passed=passed,
        value=p_value,
        threshold=THRESHOLD,
        message=f"{name}: the arms {found} in how many units have no covariate: {_shares(arms)}; "
        f"{_p(p_value, sequential)}.",
        blocking=False,
    )


def _partial_pairs(
    experiment: Experiment,
) -> Iterator[tuple[str, PartialCovariateMoments, PartialCovariateMoments]]:
    for metric in experiment.metrics:
        control = experiment.moments.get((metric.name, experiment.control))
        for arm in experiment.treatments:
            treatment = experiment.moments.get((metric.name, arm))
            if isinstance(control, PartialCovariateMoments) and isinstance(
                treatment, PartialCovariateMoments
            ):
                yield f"{metric.name} of {arm}", control, treatment


def _without_value(experiment: Experiment, metric: str, arm: str) -> Moments:
    missing = experiment.missing.get((metric, arm), 0)
    moments = experiment.moments.get((metric, arm))
    return Moments.proportion(missing, missing + (moments.n if moments else 0))


def _without_covariate(arm: PartialCovariateMoments) -> Moments:
    return Moments.proportion(arm.missing.n, arm.n)


def _unbalanced(control: CovariateMoments, treatment: CovariateMoments) -> Status | None:
    check = covariate_balance(control.covariate, treatment.covariate, "The covariate", THRESHOLD)
    if isinstance(check, Status) or check.passed:
        return None
    return Status(StatusCode.COVARIATE_IMBALANCE, check.message)


def _share_p(control: Moments, treatment: Moments, sequential: bool) -> float:
    """Two-sided p of equal shares; 1 where nothing can be told."""
    if not sequential and _few_expected(control, treatment):
        exact = fisher_exact_p(control, treatment)
        return 1.0 if isinstance(exact, Status) else exact
    test = score_test(control, treatment)
    if not isinstance(test, Estimate):
        return 1.0
    if not sequential:
        return test.p_value
    precision = mixture_precision(THRESHOLD, DEFAULT_TUNING)
    return evidence_p(log_evidence(deviate(test.log10_p), control.n + treatment.n, precision))[0]


def _few_expected(control: Moments, treatment: Moments) -> bool:
    total, count = control.n + treatment.n, control.sum + treatment.sum
    rarer = min(count, total - count)
    return min(control.n, treatment.n) * rarer < _SMALL_EXPECTED * total


def _shares(arms: Mapping[str, Moments]) -> str:
    return ", ".join(f"{name} {_share(int(arm.sum), arm.n)}" for name, arm in arms.items())


def _share(count: int, n: int) -> str:
    return f"{count:,} of {n:,}" + (f" ({100 * count / n:.1f} %)" if n else "")


def _p(p_value: float, sequential: bool) -> str:
    return f"{'always-valid ' if sequential else ''}p = {p_value:.3g}"
