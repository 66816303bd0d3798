"""The analysis of an experiment: health, every metric in every arm, and the decision."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from neonblue.statistics.comparison import Comparison
from neonblue.statistics.cuped import compare_cuped
from neonblue.statistics.deciding import DecidingRule
from neonblue.statistics.experiment import Deciding, Experiment, Metric, Plan, Role
from neonblue.statistics.health import (
    HealthCheck,
    covariate_balance,
    multiply_exposed,
    sample_ratio,
    sample_ratio_check,
    sample_ratio_over_versions,
    sequential_sample_ratio_checks,
    stray_units,
)
from neonblue.statistics.metric import AnyMoments, MetricKind, analyze_metric, guard_metric
from neonblue.statistics.moments import CovariateMoments
from neonblue.statistics.multiplicity import Family, Procedure, judge
from neonblue.statistics.noninferiority import Direction, NonInferiority, non_inferior
from neonblue.statistics.result import Estimate
from neonblue.statistics.status import Status, StatusCode
from neonblue.statistics.stratified import combine, compare_strata


class Verdict(StrEnum):
    """What a metric's test says about an arm, in the metric's own direction."""

    BETTER = "better"
    WORSE = "worse"
    UNDECIDED = "undecided"
    UNKNOWN = "unknown"  # there is no test


@dataclass(frozen=True, slots=True)
class MetricResult:
    """One metric in one treatment arm.

    comparison: its interval stands at the level at which it agrees with `verdict`. p_value: valid under the
    plan; adjusted_p: within the metric's family; both None where there is no test or the plan allows no verdict yet.
    guardrail: the non-inferiority test of a guardrail with a margin. fallback: why the covariate was not used, where
    there was one. fixed_p: the p-value of a single look, given at the planned end only, None before it: whoever watches
    it beforehand would be misled.
    """

    metric: Metric
    arm: str
    comparison: Comparison
    p_value: float | None
    adjusted_p: float | None
    verdict: Verdict
    guardrail: NonInferiority | Status | None = None
    fallback: Status | None = None
    fixed_p: float | None = None


def analyze_metrics(experiment: Experiment, plan: Plan, rule: DecidingRule) -> tuple[MetricResult, ...]:
    """Every metric of every treatment arm, in the experiment's order of metrics, then arms.

    Primary metrics x arms are one family under Holm at `plan.alpha`; secondary ones one under
    Benjamini-Hochberg at `plan.false_discovery_rate`; guardrails stand alone. Each interval is then
    computed at the level that matches the family's verdict.
    """
    results: dict[tuple[str, str], MetricResult] = {}
    for role in Role:
        cells = [(m, arm) for m in experiment.metrics if m.role is role for arm in experiment.treatments]
        results |= _family(experiment, plan, rule, role, cells)
    order = [(metric.name, arm) for metric in experiment.metrics for arm in experiment.treatments]
    return tuple(results[key] for key in order)


def check_health(experiment: Experiment, plan: Plan) -> tuple[HealthCheck, ...]:
    """The checks that come before any estimate.

    Sample ratio per allocation version and over versions (by chi-square at a fixed horizon, by e-values where the plan
    is sequential), users in arms of weight zero, units met in several arms, and the balance of every covariate.
    """
    checks = _sample_ratio_checks(experiment, plan)
    if experiment.exposed:
        threshold = plan.multiply_exposed_threshold
        checks.append(multiply_exposed(experiment.multiply_exposed, experiment.exposed, threshold))
    return (*checks, *_covariate_checks(experiment))


def _sample_ratio_checks(experiment: Experiment, plan: Plan) -> list[HealthCheck]:
    threshold = plan.sample_ratio_threshold
    names = [version.name for version in experiment.versions]
    observed = [[version.observed.get(arm, 0) for arm in experiment.arms] for version in experiment.versions]
    weights = [[version.weights.get(arm, 0.0) for arm in experiment.arms] for version in experiment.versions]
    if plan.deciding is not Deciding.FIXED:
        return sequential_sample_ratio_checks(observed, weights, names, threshold)
    checks = [
        sample_ratio_check(sample_ratio(counts, shares, threshold), name, stray_units(counts, shares))
        for counts, shares, name in zip(observed, weights, names, strict=True)
    ]
    if len(names) > 1:
        overall = sample_ratio_over_versions(observed, weights, threshold)
        checks.append(sample_ratio_check(overall, "all versions"))
    return checks


def _family(
    experiment: Experiment, plan: Plan, rule: DecidingRule, role: Role, cells: list[tuple[Metric, str]]
) -> dict[tuple[str, str], MetricResult]:
    first = [_compare(experiment, metric, arm, plan.alpha) for metric, arm in cells]
    tests = [comparison.absolute for comparison in first]
    units = [comparison.n_control + comparison.n_treatment for comparison in first]
    p_values = [
        rule.p_value(test, n) if isinstance(test, Estimate) else None
        for test, n in zip(tests, units, strict=True)
    ]
    family = _judge(role, p_values, plan)
    results = {}
    for index, (metric, arm) in enumerate(cells):
        level = family.interval_alpha[index]
        comparison = first[index]
        if level is not None:
            nominal = rule.nominal_alpha(level, units[index])
            comparison = _compare(experiment, metric, arm, nominal).at_level(1 - level)
        ready = rule.ready(comparison.n_control, comparison.n_treatment)
        results[metric.name, arm] = MetricResult(
            metric=metric,
            arm=arm,
            comparison=comparison,
            p_value=p_values[index] if ready else None,
            adjusted_p=family.adjusted[index] if ready else None,
            verdict=_verdict(metric, comparison, family.rejected[index], ready),
            guardrail=_guardrail(experiment, metric, arm, units[index], plan, rule),
            fallback=_fallback(experiment, metric, arm),
            fixed_p=_fixed_p(comparison) if plan.complete(experiment.units) else None,
        )
    return results


def _judge(role: Role, p_values: list[float | None], plan: Plan) -> Family:
    if role is Role.PRIMARY:
        return judge(p_values, Procedure.HOLM, plan.alpha)
    if role is Role.SECONDARY:
        return judge(p_values, Procedure.BENJAMINI_HOCHBERG, plan.false_discovery_rate)
    rejected = tuple(p is not None and p <= plan.alpha for p in p_values)
    levels = tuple(None if p is None else plan.alpha for p in p_values)
    return Family(Procedure.BONFERRONI, plan.alpha, tuple(p_values), rejected, levels)


def _compare(experiment: Experiment, metric: Metric, arm: str, alpha: float) -> Comparison:
    moments = _moments(experiment, metric, arm)
    if isinstance(moments, Status):
        return Comparison(0, 0, None, None, None, moments, moments)
    strata = experiment.strata(metric.name, arm)
    if strata:
        return compare_strata(metric.kind, strata, alpha)
    return analyze_metric(metric.kind, *moments, alpha)


def _moments(experiment: Experiment, metric: Metric, arm: str) -> tuple[AnyMoments, AnyMoments] | Status:
    if metric.unit != experiment.unit:
        message = (
            f"{metric.name} is measured per {metric.unit}, but arms are given by {experiment.unit}: "
            f"sum it per {experiment.unit}, or make it a ratio metric."
        )
        return Status(StatusCode.UNIT_MISMATCH, message)
    for name in (experiment.control, arm):
        if (metric.name, name) not in experiment.moments:
            return Status(StatusCode.MISSING_ARM, f"There are no data of {metric.name} in arm {name}.")
    return experiment.moments[metric.name, experiment.control], experiment.moments[metric.name, arm]


def _verdict(metric: Metric, comparison: Comparison, rejected: bool, ready: bool) -> Verdict:
    test = comparison.absolute
    if not isinstance(test, Estimate):
        return Verdict.UNKNOWN
    if not (rejected and ready):
        return Verdict.UNDECIDED
    rises = test.diff > 0
    return Verdict.BETTER if rises == (metric.direction is Direction.HIGHER_IS_BETTER) else Verdict.WORSE


def _fixed_p(comparison: Comparison) -> float | None:
    return comparison.absolute.p_value if isinstance(comparison.absolute, Estimate) else None


def _guardrail(
    experiment: Experiment, metric: Metric, arm: str, units: int, plan: Plan, rule: DecidingRule
) -> NonInferiority | Status | None:
    margin = metric.acceptable_loss
    if metric.role is not Role.GUARDRAIL or margin is None:
        return None
    moments = _moments(experiment, metric, arm)
    if isinstance(moments, Status):
        return moments
    alpha = rule.one_sided_alpha(plan.alpha, max(units, 1))
    strata = experiment.strata(metric.name, arm)
    if not strata:
        return guard_metric(metric.kind, *moments, margin, alpha)
    effect = combine(metric.kind, strata)
    return effect if isinstance(effect, Status) else non_inferior(effect, margin, alpha)


def _fallback(experiment: Experiment, metric: Metric, arm: str) -> Status | None:
    moments = _moments(experiment, metric, arm)
    if isinstance(moments, Status):
        return None
    control, treatment = moments
    if isinstance(control, CovariateMoments) and isinstance(treatment, CovariateMoments):
        return compare_cuped(control, treatment).fallback
    return None


def _covariate_checks(experiment: Experiment) -> list[HealthCheck]:
    checks = []
    for metric in experiment.metrics:
        for arm in experiment.treatments:
            moments = _moments(experiment, metric, arm)
            if isinstance(moments, Status) or metric.kind is MetricKind.RATIO:
                continue
            control, treatment = moments
            if isinstance(control, CovariateMoments) and isinstance(treatment, CovariateMoments):
                name = f"{metric.name} of {arm}"
                check = covariate_balance(control.covariate, treatment.covariate, name)
                checks += [check] if isinstance(check, HealthCheck) else []
    return checks
