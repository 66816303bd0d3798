"""Results in words, with the numbers in them."""

from __future__ import annotations

from neonblue.statistics import numbers
from neonblue.statistics.experiment.experiment import Metric
from neonblue.statistics.experiment.health import Finding
from neonblue.statistics.experiment.metric_result import MetricResult, Verdict
from neonblue.statistics.experiment.standing import GuardrailState
from neonblue.statistics.methods.by_kind import KINDS
from neonblue.statistics.methods.comparison import Comparison
from neonblue.statistics.methods.noninferiority import Direction
from neonblue.statistics.result import Estimate, Lift, Method
from neonblue.statistics.status import Status

MARGIN = {
    GuardrailState.HELD: "within",
    GuardrailState.BREACHED: "beyond",
    GuardrailState.OPEN: "not shown to be within",
}
"""A guardrail's state against its margin, as it stands before "its margin"."""
VERDICTS = {
    Verdict.BETTER: "better",
    Verdict.WORSE: "worse",
    Verdict.UNDECIDED: "not decided",
    Verdict.UNKNOWN: "no test",
}
"""The verdicts' words; `docs/glossary.md` tells what each means."""

FINDINGS = {
    Finding.FINE: ("✓", ""),
    Finding.UNTOLD: ("○", "can't be told yet"),
    Finding.WARNED: ("!", "warning"),
    Finding.FAILED: ("✗", "failed"),
}
"""A mark for what a check found, and its word, empty where it found nothing."""

_RAISED = (
    "Lopsided arms of a skewed metric: the smaller arm is taken to vary as the units of both do, and the interval is "
    "wider for it."
)

_INTERPOLATED = "Values around the quantile are equal: it is interpolated between them."

_CHECKS = {"multiply_exposed": "units in several arms"}


def change(result: MetricResult) -> str:
    """One metric of one arm, e.g. "conversion +30.0 % (95 % interval +1.80 % to +67.5 %, p = 0.0350)"."""
    test = result.waits or result.comparison.absolute
    if isinstance(test, Status):
        return f"{result.metric.name}: {test.message.rstrip('.')}"
    p = "" if result.adjusted_p is None else f", {numbers.p_is(result.adjusted_p)}"
    text = f"{result.metric.name} {effect(test, result.comparison.relative, result.metric)}{p})"
    if result.guardrail_state is not None:
        text += f", {against_margin(result.metric, result.guardrail_state)}"
    elif result.verdict is Verdict.UNDECIDED:
        text += ", not decided"
    return text


def effect(test: Estimate, relative: Lift | Status, metric: Metric) -> str:
    """The change with its interval and its level where there is one, else the difference; the bracket is left open."""
    if isinstance(relative, Lift):
        interval = relative.interval
        shown = numbers.change_interval(interval.lower, interval.upper)
        return f"{numbers.change(relative.value)} ({numbers.level(interval.level)} interval {shown}"
    low, high = test.interval.lower, test.interval.upper
    level = f"{numbers.level(test.interval.level)} interval"
    if KINDS[metric.kind].is_share:
        digits = numbers.share_places(None, None, test.diff)
        ends = " to ".join(numbers.points(bound, digits=digits) for bound in (low, high))
        return f"{numbers.points(test.diff, digits=digits)} ({level} {ends}"
    digits = numbers.places(test.diff, None, None)
    ends = " to ".join(numbers.number(bound, sign=True, digits=digits) for bound in (low, high))
    return f"{numbers.number(test.diff, sign=True, digits=digits)} ({level} {ends}"


def against_margin(metric: Metric, state: GuardrailState) -> str:
    """A guardrail's state: "beyond its margin of 5 %"."""
    return f"{MARGIN[state]} its margin{margin_of(metric, ' of ')}"


def margin_of(metric: Metric, before: str = "") -> str:
    """The size of the metric's margin after `before`; empty where it has none."""
    if metric.margin is None:
        return ""
    of_shares = KINDS[metric.kind].is_share
    return before + numbers.margin(metric.margin, relative=metric.margin_relative, of_shares=of_shares)


def remarks(result: MetricResult) -> list[str]:
    """How its test differs from the metric's usual one, in sentences."""
    without = [] if result.fallback is None else [f"Without the covariate: {result.fallback.message}"]
    return [*remarks_on_test(result.comparison), *without]


def remarks_on_test(comparison: Comparison) -> list[str]:
    """As `remarks`, of what the units' values alone bring about."""
    test = comparison.absolute
    if not isinstance(test, Estimate):
        return []
    raised = [_RAISED] if test.raised else []
    return [_INTERPOLATED, *raised] if test.method is Method.INTERPOLATED_QUANTILE else raised


def lower_is_better(metric: Metric) -> bool:
    """Whether the metric is meant to fall."""
    return metric.direction is Direction.LOWER_IS_BETTER


def check_name(name: str) -> str:
    """A health check's name as people read it: `sample_ratio (version 1)` as "sample ratio (version 1)"."""
    return _CHECKS.get(name, name.replace("_", " "))
