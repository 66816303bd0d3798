"""Which definitions of a metric can be computed: one rule a line."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from neonblue.contract.codes import Code
from neonblue.contract.messages import MetricMessage
from neonblue.contract.violation import Violation

_AGGREGATIONS = {
    "proportion": ("any",),
    "retention": ("any",),
    "count": ("count",),
    "mean": ("count", "sum"),
    "ratio": ("count", "sum"),
    "quantile": ("count", "sum"),
}
_CAPPED = ("count", "mean")
_RATES = ("proportion", "retention")
_LEFT_OUT = ("count", "mean", "quantile")


def broken_rule(metric: MetricMessage) -> Violation | None:
    """The first rule that the definition breaks, with its field; None for one that can be computed."""
    for field, text in _broken(metric):
        return Violation(Code.NOT_COMPUTABLE, text, field)
    return None


def _broken(metric: MetricMessage) -> Iterator[tuple[str, str]]:
    kind = metric.type
    allowed = _AGGREGATIONS[kind]
    if metric.aggregation not in allowed:
        yield "aggregation", f"a {kind} takes {' or '.join(allowed)}"
    if kind == "ratio" and metric.denominator is None:
        yield "denominator", "a ratio needs one"
    if kind != "ratio" and metric.denominator is not None:
        yield "denominator", f"a {kind} has none"
    if kind == "quantile" and metric.quantile is None:
        yield "quantile", "say which, between 0 and 1"
    if kind != "quantile" and metric.quantile is not None:
        yield "quantile", f"a {kind} has none"
    if kind == "quantile" and metric.cuped:
        yield "cuped", "a quantile's variance can't be reduced so"
    yield from _broken_window(metric)
    yield from _broken_cap(metric)
    yield from _broken_margin(metric)
    yield from _broken_missing(metric)


def _broken_window(metric: MetricMessage) -> Iterator[tuple[str, str]]:
    if metric.type == "retention":
        if not metric.window_start_seconds:
            yield "window_start_seconds", "a retention's window starts after the exposure"
        if metric.window_seconds is None:
            yield "window_seconds", "a retention's window ends"
    if metric.window_seconds is not None and metric.window_seconds <= metric.window_start_seconds:
        yield "window_seconds", "the window must end after window_start_seconds"


def _broken_cap(metric: MetricMessage) -> Iterator[tuple[str, str]]:
    for field in ("cap", "cap_percentile"):
        if getattr(metric, field) is not None and metric.type not in _CAPPED:
            yield field, f"only {' and '.join(_CAPPED)} have one"
    if metric.cap is not None and metric.cap_percentile is not None:
        yield "cap_percentile", "either a cap or a percentile, not both"


def _broken_margin(metric: MetricMessage) -> Iterator[tuple[str, str]]:
    if metric.margin is None:
        return
    if metric.role != "guardrail":
        yield "margin", "only a guardrail has one"
    lost = metric.direction == "increase" and metric.margin_relative
    if lost and Decimal(metric.margin) >= 1:
        yield "margin", "a relative margin is below 1: 1 would allow to lose everything"
    if metric.type in _RATES and not metric.margin_relative and Decimal(metric.margin) >= 1:
        yield "margin", "an absolute margin of a rate is below 1: no rate is larger"


def _broken_missing(metric: MetricMessage) -> Iterator[tuple[str, str]]:
    if metric.missing == "zero" or metric.type in _LEFT_OUT:
        return
    if metric.type == "ratio":
        yield (
            "missing",
            "exclude is for other types: in a ratio, units without an event below weigh nothing already",
        )
    else:
        yield (
            "missing",
            f"a {metric.type} counts who has no such event; exclude would leave those alone who have one",
        )
