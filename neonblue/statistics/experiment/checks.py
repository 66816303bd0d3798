"""The checks that come before any estimate of an experiment."""

from __future__ import annotations

from neonblue.statistics.experiment.adjusting import THRESHOLD, covariate_difference
from neonblue.statistics.experiment.experiment import Experiment, Inference, Plan
from neonblue.statistics.experiment.health import (
    HealthCheck,
    covariate_balance,
    multiply_exposed,
    sample_ratio,
    sample_ratio_check,
    sample_ratio_over_versions,
    sequential_sample_ratio_checks,
    stray_units,
)
from neonblue.statistics.experiment.missing import missing_checks
from neonblue.statistics.status import Status

_AT_THE_END = "at the end"
FINAL_RATIO = f"sample_ratio ({_AT_THE_END})"


def check_health(experiment: Experiment, plan: Plan) -> tuple[HealthCheck, ...]:
    """Every check of the experiment, those that block first.

    Sample ratio per allocation version and over versions (by chi-square at a fixed horizon, by e-values where the plan
    is sequential, and by chi-square too at its end), users in arms of weight zero, units met in several arms, units
    without a value or a covariate, and the balance of every covariate.
    """
    checks = _sample_ratio_checks(experiment, plan)
    if experiment.exposed:
        threshold = plan.multiply_exposed_threshold
        checks.append(multiply_exposed(experiment.multiply_exposed, experiment.exposed, threshold))
    watched = plan.inference is not Inference.FIXED
    return (*checks, *missing_checks(experiment, sequential=watched), *_balance_checks(experiment))


def _sample_ratio_checks(experiment: Experiment, plan: Plan) -> list[HealthCheck]:
    threshold = plan.sample_ratio_threshold
    names = [version.name for version in experiment.versions]
    observed = [[version.observed.get(arm, 0) for arm in experiment.arms] for version in experiment.versions]
    weights = [[version.weights.get(arm, 0.0) for arm in experiment.arms] for version in experiment.versions]
    if plan.inference is not Inference.FIXED:
        watched = sequential_sample_ratio_checks(observed, weights, names, threshold)
        reached = plan.inference is Inference.GROUP_SEQUENTIAL and plan.complete(experiment.units)
        if not names or not (plan.ended or reached):
            return watched
        # One look at the end finds more than e-values do, which hold at every look.
        final = sample_ratio_over_versions(observed, weights, threshold)
        if len(names) == 1:
            final = sample_ratio(observed[0], weights[0], threshold)
        return [*watched, sample_ratio_check(final, _AT_THE_END)]
    checks = [
        sample_ratio_check(sample_ratio(counts, shares, threshold), name, stray_units(counts, shares))
        for counts, shares, name in zip(observed, weights, names, strict=True)
    ]
    if len(names) > 1:
        overall = sample_ratio_over_versions(observed, weights, threshold)
        checks.append(sample_ratio_check(overall, "all versions"))
    return checks


def _balance_checks(experiment: Experiment) -> list[HealthCheck]:
    checks = []
    for metric in experiment.metrics:
        for arm in experiment.treatments:
            strata = experiment.compared(metric.name, arm)
            balance = None if isinstance(strata, Status) else covariate_difference(strata)
            if balance is not None:
                checks.append(covariate_balance(balance, f"{metric.name} of {arm}", THRESHOLD))
    return checks
