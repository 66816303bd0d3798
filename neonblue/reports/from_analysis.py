"""From the statistics engine's answer to a report."""

from __future__ import annotations

from neonblue.findings.effects import effects_of
from neonblue.reports.model import (
    ArmShare,
    ExperimentReport,
    HealthRow,
    Outcome,
    Provenance,
    Said,
    Shares,
    Unavailable,
)
from neonblue.statistics import (
    Estimate,
    Experiment,
    Inference,
    Method,
    Plan,
    Report,
    Role,
)
from neonblue.statistics.experiment.checks import FINAL_RATIO
from neonblue.statistics.experiment.wording import check_name

_METHODS = {
    Method.WELCH: "Welch's t-test",
    Method.UNPOOLED_PROPORTIONS: "the unpooled z-test of proportions",
    Method.POOLED_PROPORTIONS: "the pooled z-test of proportions",
    Method.MANTEL_HAENSZEL: "Mantel and Haenszel's risk difference over configuration versions",
    Method.MIETTINEN_NURMINEN: "Miettinen and Nurminen's score test",
    Method.STRATIFIED_MIETTINEN_NURMINEN: "Miettinen and Nurminen's score test over configuration versions",
    Method.RATIO_DELTA: "the delta method for ratios",
    Method.QUANTILE: "order statistics of the quantile",
    Method.INTERPOLATED_QUANTILE: "Woodruff's interval on the mid-distribution function (interpolated quantile)",
    Method.CUPED: "Welch's t-test after CUPED's adjustment by the covariate",
    Method.FISHER_EXACT: "Fisher's exact test",
    Method.FIELLER: "Fieller's method",
}
_TESTED = {
    Inference.FIXED: "Tests of the differences: {used}.",
    Inference.GROUP_SEQUENTIAL: "At each look the differences are tested by {used}, against that look's bound.",
    Inference.CONFIDENCE_SEQUENCE: "The sequence is built on the differences and their standard errors as they are in "
    "{used}; the p-values are the sequence's own.",
}
_RULES = {
    Inference.FIXED: "One test at the planned end (fixed horizon); before it there is no verdict.",
    Inference.GROUP_SEQUENTIAL: "Group-sequential tests by Lan–DeMets spending, one look for each closed UTC day with "
    "news until the planned size; p-values and intervals are those of the look that stands, means are of now.",
    Inference.CONFIDENCE_SEQUENCE: "An asymptotic confidence sequence: its intervals hold at any time, "
    "however often the results are looked at; of all that were published the smallest p and what the intervals share "
    "stand.",
}


def report_of_analysis(
    key: str, title: str, experiment: Experiment, plan: Plan, analysis: Report, provenance: Provenance
) -> ExperimentReport:
    """The parts of a report that follow from the analysis alone; `dataclasses.replace` adds the others."""
    decision = analysis.decision
    return ExperimentReport(
        key=key,
        title=title,
        said=Said(Outcome(decision.action.value), decision.sentence, decision.arm),
        units=experiment.units,
        arms=experiment.control_first,
        effects=effects_of(analysis.results),
        health=health_of(analysis),
        methods=methods_of(plan, analysis),
        provenance=provenance,
        shares=shares_of(experiment),
    )


def health_of(analysis: Report) -> tuple[HealthRow, ...]:
    """The checks in words."""
    return tuple(
        HealthRow(check_name(check.name), check.passed, check.message, check.blocking, check.told)
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


def methods_of(plan: Plan, analysis: Report) -> tuple[str, ...]:
    """How the numbers were made, one sentence each: what was used, not what could have been."""
    results = analysis.results
    tests = [result.comparison.absolute for result in results]
    used = "; ".join(sorted({_METHODS[test.method] for test in tests if isinstance(test, Estimate)}))
    roles = {result.metric.role for result in results}
    sentences = [_RULES[plan.inference]]
    if used:
        sentences.append(_TESTED[plan.inference].format(used=used))
    if Role.PRIMARY in roles:
        sentences.append(
            f"Primary metrics and arms together keep an error rate of {_percent(plan.alpha)} (Holm); each interval "
            "is at the level that agrees with its verdict."
        )
    if Role.SECONDARY in roles:
        sentences.append(
            f"Secondary metrics keep a false discovery rate of {_percent(plan.false_discovery_rate)} "
            "(Benjamini–Hochberg)."
        )
    if Role.GUARDRAIL in roles:
        sentences.append(
            f"Guardrails, arms and the watch over them together raise a false alarm at a rate of "
            f"{_percent(plan.alpha / 2)} (Bonferroni); that a margin is held is a one-sided test at "
            f"{_percent(plan.alpha)} each."
        )
    if any(check.name.startswith("sample_ratio") for check in analysis.health):
        test = "chi-square" if plan.inference is Inference.FIXED else "an e-value, which holds at every look"
        if any(check.name == FINAL_RATIO for check in analysis.health):
            test += ", and once more by chi-square at the end"
        sentences.append(
            f"The sample ratio is tested by {test}; below p = {plan.sample_ratio_threshold:g} the results are "
            "not to be used."
        )
    return tuple(sentences)


def _percent(rate: float) -> str:
    return f"{100 * rate:g} %"
