"""Results in words, with the numbers in them."""

from __future__ import annotations

from neonblue.statistics.analysis import MetricResult, Verdict
from neonblue.statistics.result import Estimate, Lift
from neonblue.statistics.standing import GuardrailState
from neonblue.statistics.status import Status

MARGIN = {
    GuardrailState.HELD: "within",
    GuardrailState.BREACHED: "beyond",
    GuardrailState.OPEN: "not shown to be within",
}
"""A guardrail's state against its margin, as it stands before "its margin"."""


def change(result: MetricResult) -> str:
    """One metric of one arm, e.g. "conversion +30.0 % (+1.8 % to +67.5 %, p = 0.035)"."""
    test = result.comparison.absolute
    if isinstance(test, Status):
        return f"{result.metric.name}: {test.message.rstrip('.')}"
    p = "" if result.adjusted_p is None else f", p = {p_value(result.adjusted_p)}"
    text = f"{result.metric.name} {effect(test, result.comparison.relative)}{p})"
    if result.guardrail_state is not None:
        text += f", {MARGIN[result.guardrail_state]} its margin"
    elif result.verdict is Verdict.UNDECIDED:
        text += ", no significant difference"
    return text


def effect(test: Estimate, relative: Lift | Status) -> str:
    """The lift with its interval where there is one, else the difference; the bracket is left open."""
    if isinstance(relative, Lift):
        interval = relative.interval
        return f"{percent(relative.value)} ({percent(interval.lower)} to {percent(interval.upper)}"
    return f"{test.diff:+.4g} ({test.interval.lower:+.4g} to {test.interval.upper:+.4g}"


def percent(value: float) -> str:
    """A share as a signed percentage with one digit, two below one percent: 0.3 -> "+30.0 %"."""
    digits = 1 if abs(value) >= 0.01 else 2
    return f"{100 * value:+.{digits}f} %"


def value(number: float, share: bool) -> str:
    """A metric's value: a share as a percentage with two digits, else five significant digits."""
    return f"{100 * number:.2f} %" if share else f"{number:,.5g}"


def p_value(p: float) -> str:
    """A p-value with three significant digits; below 1e-300 as a bound."""
    return "<1e-300" if p < 1e-300 else f"{p:.3g}"
