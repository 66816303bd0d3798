"""Values that are missing: what they count as, and whether the arms differ in how many there are.

Units that are left out may be others in one arm than in the other: then those who are left no longer compare, however
large the experiment is.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from neonblue.statistics.adjusting import THRESHOLD, covariate_difference, without_covariate
from neonblue.statistics.association import Counts, always_valid_p, equal_shares_p
from neonblue.statistics.experiment import AllocationVersion, Experiment, Metric, Role
from neonblue.statistics.health import HealthCheck, balance_check
from neonblue.statistics.status import Status


class Missing(StrEnum):
    """What a unit without a value of a metric counts as."""

    ZERO = "zero"  # 0: right for sums of events, where nothing happened
    EXCLUDE = "exclude"  # nothing: the metric is about the units that have a value


def missing_checks(experiment: Experiment, *, sequential: bool = False) -> list[HealthCheck]:
    """Whether the arms differ in their shares of units without a value, or without a covariate.

    One check per metric of which units are left out: each arm against control by `equal_shares_p`, whose smallest p
    times the number of arms fails below 0.001. It blocks for primary metrics and guardrails, and warns for secondary
    ones. Where some units have no covariate, two checks per arm, of how many and of the covariate's balance: they warn,
    since the plain test then stands in (see `adjustable`). Units are compared within their configuration version where
    the arms' shares changed. sequential: the experiment is watched, so an always-valid p takes the place of each p.
    """
    checks = [
        _values_check(experiment, metric, sequential)
        for metric in experiment.metrics
        if any(experiment.missing.get((metric.name, arm)) for arm in experiment.arms)
    ]
    for metric in experiment.metrics:
        for arm in experiment.treatments:
            checks += _covariate_checks(experiment, metric.name, arm, sequential)
    return checks


def _values_check(experiment: Experiment, metric: Metric, sequential: bool) -> HealthCheck:
    name = f"missing values ({metric.name})"
    p_values = []
    for arm in experiment.treatments:
        strata = _without_value(experiment, metric.name, arm)
        if strata is None:
            message = (
                f"{metric.name}: units have no value, and the arms' shares changed; how many of which version is not "
                "known, so the arms can't be compared in it."
            )
            return HealthCheck(name, True, 1.0, THRESHOLD, message, blocking=False)
        p_values.append(_p(strata, sequential))
    p_value = min(1.0, min(p_values, default=1.0) * len(p_values))
    passed = p_value >= THRESHOLD
    found = (
        "agree in how many units have no value"
        if passed
        else "differ in how many units have no value, so that those who are left do not compare"
    )
    counts = ", ".join(
        f"{arm} {_share(experiment.missing.get((metric.name, arm), 0), _n(experiment, metric.name, arm))}"
        for arm in experiment.control_first
    )
    message = f"{metric.name}: the arms {found}: {counts}; {_words(p_value, sequential)}."
    return HealthCheck(name, passed, p_value, THRESHOLD, message, blocking=metric.role is not Role.SECONDARY)


def _covariate_checks(experiment: Experiment, metric: str, arm: str, sequential: bool) -> list[HealthCheck]:
    strata = experiment.compared(metric, arm)
    counts = [] if isinstance(strata, Status) else without_covariate(strata)
    if isinstance(strata, Status) or not counts:
        return []
    label, p_value = f"{metric} of {arm}", _p(counts, sequential)
    passed = p_value >= THRESHOLD
    control = _share(sum(c.control for c in counts), sum(c.n_control for c in counts))
    treatment = _share(sum(c.treatment for c in counts), sum(c.n_treatment for c in counts))
    message = (
        f"{label}: the arms {'agree' if passed else 'differ'} in how many units have no covariate: "
        f"{experiment.control} {control}, {arm} {treatment}; {_words(p_value, sequential)}."
    )
    checks = [
        HealthCheck(f"covariate missing ({label})", passed, p_value, THRESHOLD, message, blocking=False)
    ]
    balance = covariate_difference(strata)
    if balance is not None:
        checks.append(balance_check(balance, label, THRESHOLD))
    return checks


def _without_value(experiment: Experiment, metric: str, arm: str) -> list[Counts] | None:
    """Units without a value by stratum; None where they must be compared within versions and can't be told apart."""
    arms = (experiment.control, arm)
    total = [experiment.missing.get((metric, name), 0) for name in arms]
    pooled = [Counts(total[0], _n(experiment, metric, arms[0]), total[1], _n(experiment, metric, arms[1]))]
    compared = experiment.compared(metric, arm)
    if isinstance(compared, Status) or len(compared) < 2:
        return pooled
    found = [[_of_version(version, metric, name) for name in arms] for version in experiment.versions]
    if any(sum(version[at][0] for version in found) != total[at] for at in (0, 1)):
        return None
    return [Counts(*control, *treatment) for control, treatment in found]


def _of_version(version: AllocationVersion, metric: str, arm: str) -> tuple[int, int]:
    """Of the version's judged units of the arm: those without a value, and all."""
    moments, missing = version.moments.get((metric, arm)), version.missing.get((metric, arm), 0)
    return missing, missing + (moments.n if moments is not None else 0)


def _n(experiment: Experiment, metric: str, arm: str) -> int:
    moments = experiment.moments.get((metric, arm))
    return experiment.missing.get((metric, arm), 0) + (moments.n if moments is not None else 0)


def _p(strata: Sequence[Counts], sequential: bool) -> float:
    return always_valid_p(strata, THRESHOLD) if sequential else equal_shares_p(strata)


def _share(count: int, n: int) -> str:
    return f"{count:,} of {n:,}" + (f" ({100 * count / n:.1f} %)" if n else "")


def _words(p_value: float, sequential: bool) -> str:
    return f"{'always-valid ' if sequential else ''}p = {p_value:.3g}"
