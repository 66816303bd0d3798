"""From the statistics engine's answer to a report."""

from __future__ import annotations

import math
from collections.abc import Sequence

from neonblue.reports.model import (
    ArmShare,
    Effect,
    ExperimentReport,
    HealthRow,
    Outcome,
    Provenance,
    Scale,
    Shares,
    Unavailable,
)
from neonblue.statistics import (
    Deciding,
    Estimate,
    Experiment,
    Lift,
    Method,
    MetricKind,
    MetricResult,
    Plan,
    Report,
    Role,
    Status,
)
from neonblue.statistics.wording import MARGIN

_METHODS = {
    Method.WELCH: "Welch's t-test",
    Method.UNPOOLED_PROPORTIONS: "the unpooled z-test of proportions",
    Method.POOLED_PROPORTIONS: "the pooled z-test of proportions",
    Method.MANTEL_HAENSZEL: "Mantel and Haenszel's risk difference over configuration versions",
    Method.MIETTINEN_NURMINEN: "Miettinen and Nurminen's score test",
    Method.STRATIFIED_MIETTINEN_NURMINEN: "Miettinen and Nurminen's score test over configuration versions",
    Method.RATIO_DELTA: "the delta method for ratios",
    Method.QUANTILE: "order statistics of the quantile",
    Method.CUPED: "Welch's t-test after CUPED's adjustment by the covariate",
    Method.FISHER_EXACT: "Fisher's exact test",
    Method.FIELLER: "Fieller's method",
}
_RULES = {
    Deciding.FIXED: "One test at the planned end (fixed horizon); before it there is no verdict.",
    Deciding.GROUP_SEQUENTIAL: "Group-sequential tests by Lan–DeMets spending, one look for each closed UTC day with "
    "news until the planned size; p-values and intervals are those of the look that stands, means are of now.",
    Deciding.CONFIDENCE_SEQUENCE: "An asymptotic confidence sequence: its intervals hold at any time, "
    "however often the results are looked at; of all that were published the smallest p and what the intervals share "
    "stand.",
}


def report_of_analysis(
    key: str, title: str, experiment: Experiment, plan: Plan, analysis: Report, provenance: Provenance
) -> ExperimentReport:
    """The parts of a report that follow from the analysis alone; `dataclasses.replace` adds the others."""
    return ExperimentReport(
        key=key,
        title=title,
        outcome=Outcome(analysis.decision.action.value),
        decision=analysis.decision.sentence,
        arms=experiment.control_first,
        effects=effects_of(analysis.results),
        health=health_of(analysis),
        methods=methods_of(plan, analysis.results),
        provenance=provenance,
        shares=shares_of(experiment),
    )


def effects_of(results: Sequence[MetricResult]) -> tuple[Effect, ...]:
    """One effect for each metric and arm, in their order."""
    return tuple(_effect(result) for result in results)


def health_of(analysis: Report) -> tuple[HealthRow, ...]:
    """The checks in words."""
    return tuple(
        HealthRow(check.name.replace("_", " "), check.passed, check.message, check.blocking)
        for check in analysis.health
    )


def shares_of(experiment: Experiment) -> Shares:
    """Units per arm over all configuration versions, against the sum of the versions' expectations."""
    if not experiment.versions:
        return Unavailable("There is no allocation to compare with.")
    arms = experiment.control_first
    observed, expected = dict.fromkeys(arms, 0), dict.fromkeys(arms, 0.0)
    for version in experiment.versions:
        units, weights = sum(version.observed.values()), sum(version.weights.values())
        for arm in arms:
            observed[arm] += version.observed.get(arm, 0)
            expected[arm] += units * version.weights.get(arm, 0.0) / weights if weights else 0.0
    if not sum(observed.values()):
        return Unavailable("No unit has been exposed yet.")
    return tuple(ArmShare(arm, observed[arm], expected[arm]) for arm in arms)


def methods_of(plan: Plan, results: Sequence[MetricResult]) -> tuple[str, ...]:
    """How the numbers were made, one sentence each."""
    tests = [result.comparison.absolute for result in results]
    used = sorted({_METHODS[test.method] for test in tests if isinstance(test, Estimate)})
    roles = {result.metric.role for result in results}
    sentences = [_RULES[plan.deciding]]
    if used:
        sentences.append(f"Tests of the differences: {'; '.join(used)}.")
    if Role.PRIMARY in roles:
        sentences.append(
            f"Primary metrics and arms together keep an error rate of {plan.alpha:.0%} (Holm); each interval "
            "is at the level that agrees with its verdict."
        )
    if Role.SECONDARY in roles:
        sentences.append(
            f"Secondary metrics keep a false discovery rate of {plan.false_discovery_rate:.0%} "
            "(Benjamini–Hochberg)."
        )
    if Role.GUARDRAIL in roles:
        sentences.append("Guardrails are judged one by one; with a margin, by a one-sided test of it.")
    sentences.append(
        f"The sample ratio is tested by chi-square; below p = {plan.sample_ratio_threshold:g} the results are "
        "not to be used."
    )
    return tuple(sentences)


def scale_of(kind: MetricKind) -> Scale:
    """Proportions are written as percentages."""
    return Scale.SHARE if kind is MetricKind.PROPORTION else Scale.NUMBER


def _effect(result: MetricResult) -> Effect:
    comparison = result.comparison
    test = comparison.absolute if isinstance(comparison.absolute, Estimate) else None
    lift = comparison.relative if isinstance(comparison.relative, Lift) else None
    return Effect(
        metric=result.metric.name,
        arm=result.arm,
        role=result.metric.role,
        scale=scale_of(result.metric.kind),
        verdict=result.verdict,
        n_control=comparison.n_control,
        n_treatment=comparison.n_treatment,
        control=comparison.mean_control,
        treatment=comparison.mean_treatment,
        difference=test.diff if test else comparison.diff,
        lower=_bound(test.interval.lower) if test else None,
        upper=_bound(test.interval.upper) if test else None,
        level=test.interval.level if test else 0.95,
        lift=lift.value if lift else None,
        lift_lower=_bound(lift.interval.lower) if lift else None,
        lift_upper=_bound(lift.interval.upper) if lift else None,
        p_value=result.p_value,
        adjusted_p=result.adjusted_p,
        note=" ".join(_notes(result)),
    )


def _notes(result: MetricResult) -> list[str]:
    notes = []
    comparison = result.comparison
    if isinstance(comparison.absolute, Status):
        notes.append(comparison.absolute.message)
    elif isinstance(comparison.relative, Status):
        notes.append(comparison.relative.message)
    if isinstance(result.guardrail, Status):
        notes.append(result.guardrail.message)
    elif result.guardrail_state is not None:
        notes.append(f"The loss is {MARGIN[result.guardrail_state]} the margin.")
    if result.fallback is not None:
        notes.append(f"Without the covariate: {result.fallback.message}")
    return notes


def _bound(bound: float) -> float | None:
    return bound if math.isfinite(bound) else None
