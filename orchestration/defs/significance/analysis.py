"""From the statistics engine's answer to rows of `experiment_results`. Pure.

Imported where it is used: the engine takes seconds to load.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from neonblue.analysis import Question
from neonblue.statistics import (
    Estimate,
    Experiment,
    Lift,
    MetricResult,
    NonInferiority,
    Report,
    SampleRatio,
    Status,
    sample_ratio_over_versions,
)


@dataclass(frozen=True, slots=True)
class ResultRow:
    """One metric of one treatment: the columns of `experiment_results` that the analysis decides."""

    experiment_id: int
    experiment_key: str
    configuration_version: int
    metric_key: str
    metric_version: int
    metric_type: str
    role: str
    control_variant: str
    variant_key: str
    n_control: int
    n_variant: int
    mean_control: float | None
    mean_variant: float | None
    difference: float | None
    ci_low: float | None
    ci_high: float | None
    level: float
    relative_lift: float | None
    relative_ci_low: float | None
    relative_ci_high: float | None
    p_value: float | None
    log10_p: float | None
    adjusted_p: float | None
    look_p_value: float | None
    method: str
    inference: str
    verdict: str
    guardrail: str
    status: str
    status_reason: str
    sample_ratio_p: float | None
    sample_ratio_status: str


def result_rows(question: Question, report: Report) -> list[ResultRow]:
    """One row for each metric and treatment, in the report's order."""
    ratio = overall_sample_ratio(question.experiment)
    return [_row(question, result, ratio) for result in report.results]


def overall_sample_ratio(experiment: Experiment) -> SampleRatio | Status:
    """Units per arm against the weights of the configuration version they entered under, over all versions."""
    arms = experiment.arms
    observed = [[version.observed.get(arm, 0) for arm in arms] for version in experiment.versions]
    weights = [[version.weights.get(arm, 0.0) for arm in arms] for version in experiment.versions]
    return sample_ratio_over_versions(observed or [[0] * len(arms)], weights or [[1.0] * len(arms)])


def _row(question: Question, result: MetricResult, ratio: SampleRatio | Status) -> ResultRow:
    configuration, comparison = question.configuration, result.comparison
    metric = next(metric for metric in configuration.metrics if metric.key == result.metric.name)
    estimate = comparison.absolute if isinstance(comparison.absolute, Estimate) else None
    lift = comparison.relative if isinstance(comparison.relative, Lift) else None
    return ResultRow(
        experiment_id=configuration.experiment_id,
        experiment_key=configuration.key,
        configuration_version=configuration.version,
        metric_key=metric.key,
        metric_version=metric.version,
        metric_type=metric.type,
        role=metric.role,
        control_variant=question.experiment.control,
        variant_key=result.arm,
        n_control=comparison.n_control,
        n_variant=comparison.n_treatment,
        mean_control=comparison.mean_control,
        mean_variant=comparison.mean_treatment,
        difference=comparison.diff,
        ci_low=_finite(estimate.interval.lower) if estimate else None,
        ci_high=_finite(estimate.interval.upper) if estimate else None,
        level=estimate.interval.level if estimate else 1 - question.plan.alpha,
        relative_lift=lift.value if lift else None,
        relative_ci_low=_finite(lift.interval.lower) if lift else None,
        relative_ci_high=_finite(lift.interval.upper) if lift else None,
        p_value=result.p_value,
        log10_p=_log10(result.p_value, estimate),
        adjusted_p=result.adjusted_p,
        look_p_value=estimate.p_value if estimate else None,
        method=estimate.method.value if estimate else "",
        inference=question.plan.deciding.value,
        verdict=result.verdict.value,
        guardrail=_guardrail(result.guardrail),
        status="ok" if estimate else _code(comparison.absolute),
        status_reason=_reason(result),
        sample_ratio_p=ratio.p_value if isinstance(ratio, SampleRatio) else None,
        sample_ratio_status=_ratio_status(ratio),
    )


def _log10(p_value: float | None, estimate: Estimate | None) -> float | None:
    """Of the look's own p where the plan takes it as it is: finite also where p underflows."""
    if p_value is None or estimate is None:
        return None
    return estimate.log10_p if p_value == estimate.p_value else math.log10(p_value)


def _guardrail(guardrail: NonInferiority | Status | None) -> str:
    if guardrail is None:
        return ""
    if isinstance(guardrail, Status):
        return guardrail.code.value
    if guardrail.inferior:
        return "breached"
    return "held" if guardrail.non_inferior else "open"


def _code(absolute: Estimate | Status) -> str:
    return absolute.code.value if isinstance(absolute, Status) else "ok"


def _reason(result: MetricResult) -> str:
    if isinstance(result.comparison.absolute, Status):
        return result.comparison.absolute.message
    return f"Without the covariate: {result.fallback.message}" if result.fallback else ""


def _finite(bound: float) -> float | None:
    return bound if math.isfinite(bound) else None


def _ratio_status(ratio: SampleRatio | Status) -> str:
    if isinstance(ratio, Status):
        return ratio.code.value
    return "healthy" if ratio.healthy else "mismatch"
