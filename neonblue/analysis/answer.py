"""Results as they are answered and published: plain values only. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import datetime

from neonblue.analysis import Question, course_of, is_too_early, smallest_arm
from neonblue.analysis.about import About
from neonblue.analysis.instants import Instant
from neonblue.analysis.stamp import Stamp
from neonblue.analysis.why import OK, State, Why
from neonblue.analysis.windows import NOBODY
from neonblue.statistics import (
    Estimate,
    HealthCheck,
    Lift,
    MetricResult,
    Report,
    SampleRatio,
    Status,
    sample_ratio_over_versions,
)
from neonblue.statistics.experiment.standing import NOTHING
from neonblue.statistics.experiment.wording import remarks


@dataclass(frozen=True, slots=True)
class ResultItem:
    """One metric of one treatment against control.

    difference: mean_variant - mean_control, with its interval at `level`; relative_lift: difference / |mean_control|.
    p_value: valid under the plan; log10_p: its logarithm, also where it is too small for a float; adjusted_p: within
    the metric's family. Under a plan with looks, p-values and intervals are those of the look that stands, while n and
    means are of now. status: ok, or why there is no test; status_reason: also how the test differs from the usual one.
    guardrail: held, open or breached against its margin; empty without one. unfinished_*: units whose window has not
    ended or was cut short, in none of the other numbers; so_far_*: their value until now. missing_*: units without a
    value, left out. share: of the planned size, null without one.
    """

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
    level: float | None
    relative_lift: float | None
    relative_ci_low: float | None
    relative_ci_high: float | None
    p_value: float | None
    log10_p: float | None
    adjusted_p: float | None
    verdict: str
    guardrail: str
    method: str
    status: str
    status_reason: str
    sample_ratio_p: float | None
    sample_ratio_status: str
    unfinished_control: int = 0
    unfinished_variant: int = 0
    so_far_control: float | None = None
    so_far_variant: float | None = None
    missing_control: int = 0
    missing_variant: int = 0
    share: float | None = None
    direction: str = "increase"
    margin: float | None = None
    margin_relative: bool = True


@dataclass(frozen=True, slots=True)
class CheckItem:
    """One health check; `value` and `threshold` are null where there was nothing to look at.

    told: whether it could be told; a check that could not tell passes, and its message says so.
    """

    name: str
    passed: bool
    blocking: bool
    value: float | None
    threshold: float | None
    message: str
    told: bool = True


@dataclass(frozen=True, slots=True)
class DecisionItem:
    """What the results lead to, in words.

    days_left: until the experiment can decide, where that can be told, else of the days that were planned.
    """

    action: str
    sentence: str
    arm: str | None = None
    broken: tuple[str, ...] = ()
    days_left: float | None = None


@dataclass(frozen=True, slots=True)
class PlanItem:
    """How the experiment is decided, as fixed at its start.

    looks: those taken; last_look_to: what the last one judged. day: from 1 on, by 24 hours since the start; null of
    what was imported. planned_days, days_left: null where none were planned.
    """

    deciding: str
    alpha: float
    planned_units: int | None
    ended: bool
    looks: int = 0
    last_look_to: Instant | None = None
    day: int | None = None
    planned_days: int | None = None
    days_left: float | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """One look at an experiment.

    status: ok, or why there are no numbers or none that say anything yet (`State`); `reason` says it in words. The
    decision is what the data say, null where there is no number to decide on. units: in the numbers; assigned: with an
    assignment. units_needed: over all arms, before a comparison is shown; null where all are, or wait for outcomes
    alone. about: the experiment's status, days, arms and the decision that people recorded; null where no configuration
    has arrived.
    """

    experiment: str
    experiment_id: int
    status: str
    reason: str
    computed_at: Instant
    watermark: Instant | None
    configuration_version: int | None
    code_version: str
    control: str | None = None
    arms: tuple[str, ...] = ()
    units: int = 0
    plan: PlanItem | None = None
    decision: DecisionItem | None = None
    health: tuple[CheckItem, ...] = ()
    items: tuple[ResultItem, ...] = ()
    assigned: int = 0
    units_needed: int | None = None
    about: About | None = None


def nothing(key: str, experiment_id: int, stamp: Stamp, why: Why) -> Answer:
    """The answer where there are no numbers, with its reason."""
    return Answer(
        key,
        experiment_id,
        why.state.value,
        why.reason,
        stamp.computed_at,
        stamp.watermark,
        stamp.configuration_version,
        stamp.code_version,
    )


def answer_of(question: Question, report: Report, stamp: Stamp, why: Why = OK, assigned: int = 0) -> Answer:
    """The analysis as plain values.

    report: as it is shown. why: `no_data` of an experiment without units, whose numbers are missing, each with its
    status, and which decides nothing. assigned: units with an assignment.
    """
    configuration, experiment = question.configuration, question.experiment
    early = [result for result in report.results if is_too_early(result)]
    if why is OK and early and len(early) == len(report.results):
        why = Why(State.TOO_EARLY, _reason(early[0]))
    decision = report.decision
    return replace(
        nothing(configuration.key, configuration.experiment_id, stamp, why),
        control=experiment.control,
        arms=experiment.control_first,
        units=experiment.units,
        assigned=assigned,
        units_needed=smallest_arm(question.plan, len(experiment.arms)) * len(experiment.arms)
        if any(result.waits is None for result in early)
        else None,
        plan=_plan(question),
        decision=None
        if why.state is State.NO_DATA
        else DecisionItem(
            decision.action.value,
            decision.sentence,
            decision.arm,
            decision.broken,
            finite(decision.days_left),
        ),
        health=tuple(check_item(check) for check in report.health),
        items=result_items(question, report),
    )


def result_items(question: Question, report: Report) -> tuple[ResultItem, ...]:
    """One item for each metric and treatment, in the report's order."""
    ratio = overall_sample_ratio(question)
    return tuple(_item(question, result, ratio) for result in report.results)


def overall_sample_ratio(question: Question) -> SampleRatio | Status | None:
    """The one test over all configuration versions; None where no unit has entered under one."""
    experiment = question.experiment
    if not experiment.versions:
        return None
    return sample_ratio_over_versions(
        [[version.observed.get(arm, 0) for arm in experiment.arms] for version in experiment.versions],
        [[version.weights.get(arm, 0.0) for arm in experiment.arms] for version in experiment.versions],
        question.plan.sample_ratio_threshold,
    )


def finite(value: float | None) -> float | None:
    """JSON has neither NaN nor infinity: None stands for both."""
    return value if value is not None and math.isfinite(value) else None


def _plan(question: Question) -> PlanItem:
    plan, looks = question.plan, question.looks
    course = course_of(question.configuration, question.now or question.closed_to)
    return PlanItem(
        plan.inference.value,
        plan.alpha,
        plan.planned_units,
        plan.ended,
        looks=len(looks),
        last_look_to=datetime.fromisoformat(looks[-1].closed_to) if looks else None,
        day=course.day if course else None,
        planned_days=course.planned_days if course else None,
        days_left=course.days_left if course else None,
    )


def _item(question: Question, result: MetricResult, ratio: SampleRatio | Status | None) -> ResultItem:
    configuration, control, comparison = (
        question.configuration,
        question.experiment.control,
        result.comparison,
    )
    cells = [(result.metric.name, arm) for arm in (control, result.arm)]
    unfinished = [question.unfinished.get(cell, NOBODY) for cell in cells]
    without = [question.experiment.missing.get(cell, 0) for cell in cells]
    test = comparison.absolute if isinstance(comparison.absolute, Estimate) else None
    lift = comparison.relative if isinstance(comparison.relative, Lift) else None
    missing = comparison.absolute if isinstance(comparison.absolute, Status) else None
    metric = next(metric for metric in configuration.metrics if metric.key == result.metric.name)
    return ResultItem(
        metric_key=metric.key,
        metric_version=metric.version,
        metric_type=metric.type,
        role=metric.role,
        control_variant=control,
        variant_key=result.arm,
        n_control=comparison.n_control,
        n_variant=comparison.n_treatment,
        mean_control=finite(comparison.mean_control),
        mean_variant=finite(comparison.mean_treatment),
        difference=finite(comparison.diff),
        ci_low=finite(test.interval.lower) if test else None,
        ci_high=finite(test.interval.upper) if test else None,
        level=test.interval.level if test else None,
        relative_lift=finite(lift.value) if lift else None,
        relative_ci_low=finite(lift.interval.lower) if lift else None,
        relative_ci_high=finite(lift.interval.upper) if lift else None,
        p_value=finite(result.p_value),
        log10_p=finite(result.log10_p),
        adjusted_p=finite(result.adjusted_p),
        verdict=result.verdict.value,
        guardrail=_guardrail(result),
        method=test.method.value if test else "",
        status=missing.code.value if missing else "ok",
        status_reason=missing.message if missing else " ".join(remarks(result)),
        sample_ratio_p=finite(ratio.p_value) if isinstance(ratio, SampleRatio) else None,
        sample_ratio_status=_ratio_status(ratio),
        unfinished_control=unfinished[0].units,
        unfinished_variant=unfinished[1].units,
        so_far_control=finite(unfinished[0].mean),
        so_far_variant=finite(unfinished[1].mean),
        missing_control=without[0],
        missing_variant=without[1],
        share=_share(question, result),
        direction=metric.direction,
        margin=result.metric.margin,
        margin_relative=metric.margin_relative,
    )


def _share(question: Question, result: MetricResult) -> float | None:
    if question.plan.planned_units is None:
        return None
    if result.looked is not None:
        return result.looked.share
    standing = question.standings.get((result.metric.name, result.arm), NOTHING)
    return standing.looks[-1].share if standing.looks else 0.0


def _reason(result: MetricResult) -> str:
    missing = result.comparison.absolute
    return missing.message if isinstance(missing, Status) else ""


def check_item(check: HealthCheck) -> CheckItem:
    """The check as it is answered."""
    return CheckItem(
        check.name,
        check.passed,
        check.blocking,
        finite(check.value),
        finite(check.threshold),
        check.message,
        check.told,
    )


def _guardrail(result: MetricResult) -> str:
    if result.guardrail_state is not None:
        return result.guardrail_state.value
    return result.guardrail.code.value if isinstance(result.guardrail, Status) else ""


def _ratio_status(ratio: SampleRatio | Status | None) -> str:
    if ratio is None:
        return "no_users"
    if isinstance(ratio, Status):
        return ratio.code.value
    return "healthy" if ratio.healthy else "mismatch"
