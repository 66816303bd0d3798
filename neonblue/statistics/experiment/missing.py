"""Values that are missing: what they count as, and whether the arms differ in how many there are.

Units that are left out may be others in one arm than in the other: then those who are left no longer compare, however
large the experiment is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum

from neonblue.statistics import numbers
from neonblue.statistics.experiment.adjusting import THRESHOLD, without_covariate
from neonblue.statistics.experiment.association import Counts, always_valid_p, equal_shares_p
from neonblue.statistics.experiment.experiment import AllocationVersion, Experiment, Metric, Role
from neonblue.statistics.experiment.health import HealthCheck
from neonblue.statistics.status import Status


class Missing(StrEnum):
    """What a unit without a value of a metric counts as."""

    ZERO = "zero"  # 0: right for sums of events, where nothing happened
    EXCLUDE = "exclude"  # nothing: the metric is about the units that have a value


def missing_checks(experiment: Experiment, *, sequential: bool = False) -> list[HealthCheck]:
    """Whether the arms differ in their shares of units without a value, or without a covariate.

    One check per metric of which units are left out: each arm against control by `equal_shares_p`, whose smallest p
    times the number of arms fails below 0.001. It blocks for primary metrics and guardrails, and warns for secondary
    ones. Where some units have no covariate, one check per arm, of how many: it warns, since the plain test then stands
    in (see `adjustable_strata`). Units are compared within their configuration version where not all may be compared
    with all. sequential: the experiment is watched, so an always-valid p takes the place of each p.
    """
    checks = [
        _values_check(experiment, metric, sequential)
        for metric in experiment.metrics
        if any(experiment.missing.get((metric.name, arm)) for arm in experiment.arms)
    ]
    covariates = [
        _covariate_check(experiment, metric.name, arm, sequential)
        for metric in experiment.metrics
        for arm in experiment.treatments
    ]
    return [*checks, *(check for check in covariates if check is not None)]


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
            return HealthCheck(name, True, math.nan, THRESHOLD, message, blocking=False, told=False)
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


def _covariate_check(experiment: Experiment, metric: str, arm: str, sequential: bool) -> HealthCheck | None:
    strata = experiment.compared(metric, arm)
    counts = [] if isinstance(strata, Status) else without_covariate(strata)
    if not counts:
        return None
    label, p_value = f"{metric} of {arm}", _p(counts, sequential)
    passed = p_value >= THRESHOLD
    control = _share(sum(c.control for c in counts), sum(c.n_control for c in counts))
    treatment = _share(sum(c.treatment for c in counts), sum(c.n_treatment for c in counts))
    message = (
        f"{label}: the arms {'agree' if passed else 'differ'} in how many units have no covariate: "
        f"{experiment.control} {control}, {arm} {treatment}; {_words(p_value, sequential)}."
    )
    return HealthCheck(f"covariate missing ({label})", passed, p_value, THRESHOLD, message, blocking=False)


def _without_value(experiment: Experiment, metric: str, arm: str) -> list[Counts] | None:
    """Units without a value by stratum, as values are compared: all, or by version in which both arms were live.

    None where it must be by version and is not known of which.
    """
    cells = [(metric, name) for name in (experiment.control, arm)]
    sums = tuple(experiment.moments.get(cell) for cell in cells)
    missing = [experiment.missing.get(cell, 0) for cell in cells]
    if None in sums or experiment.compared(metric, arm) == [sums]:
        control, treatment = (
            (count, _n(experiment, *cell)) for count, cell in zip(missing, cells, strict=True)
        )
        return [Counts(*control, *treatment)]
    found = [(version, [_of_version(version, cell) for cell in cells]) for version in experiment.versions]
    if any(sum(counts[at][0] for _, counts in found) != missing[at] for at in (0, 1)):
        return None
    return [
        Counts(*control, *treatment)
        for version, (control, treatment) in found
        if version.weights.get(experiment.control) and version.weights.get(arm)
    ]


def _of_version(version: AllocationVersion, cell: tuple[str, str]) -> tuple[int, int]:
    """Of the version's judged units of a metric and arm: those without a value, and all."""
    moments, missing = version.moments.get(cell), version.missing.get(cell, 0)
    return missing, missing + (moments.n if moments is not None else 0)


def _n(experiment: Experiment, metric: str, arm: str) -> int:
    moments = experiment.moments.get((metric, arm))
    return experiment.missing.get((metric, arm), 0) + (moments.n if moments is not None else 0)


def _p(strata: Sequence[Counts], sequential: bool) -> float:
    return always_valid_p(strata, THRESHOLD) if sequential else equal_shares_p(strata)


def _share(count: int, n: int) -> str:
    return f"{count:,} of {n:,}" + (f" ({100 * count / n:.1f} %)" if n else "")


def _words(p_value: float, sequential: bool) -> str:
    return f"{'always-valid ' if sequential else ''}{numbers.p_is(p_value)}"
