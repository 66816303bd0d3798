"""Which definitions of a metric can be computed: one rule a line."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from neonblue.contract.codes import Code
from neonblue.contract.guardrails import unwatchable
from neonblue.contract.messages import MetricMessage
from neonblue.contract.metric_types import CAPPED, METRIC_TYPES, RATES
from neonblue.contract.violation import Violation


def broken_rule(metric: MetricMessage) -> Violation | None:
    """The first rule that the definition breaks, with its field; None for one that can be computed."""
    for field, text in _broken(metric):
        return Violation(Code.NOT_COMPUTABLE, text, field)
    return None


def _broken(metric: MetricMessage) -> Iterator[tuple[str, str]]:
    name, kind = metric.type, METRIC_TYPES[metric.type]
    if metric.aggregation not in kind.aggregations:
        yield "aggregation", f"a {name} takes {' or '.join(kind.aggregations)}"
    if kind.below and metric.denominator is None:
        yield "denominator", f"a {name} needs one"
    if not kind.below and metric.denominator is not None:
        yield "denominator", f"a {name} has none"
    if kind.which_quantile and metric.quantile is None:
        yield "quantile", "say which, between 0 and 1"
    if not kind.which_quantile and metric.quantile is not None:
        yield "quantile", f"a {name} has none"
    if not kind.summed and metric.cuped:
        yield "cuped", f"a {name}'s variance can't be reduced so"
    yield from _broken_window(metric)
    yield from _broken_cap(metric)
    yield from _broken_margin(metric)
    yield from _broken_missing(metric)
    yield from _broken_watch(metric)


def broken_watch_rule(metric: MetricMessage) -> Violation | None:
    """Why a metric of the catalogue can't be watched in every experiment; None where it can."""
    unfit = unwatchable(metric)
    return None if unfit is None else Violation(Code.NOT_COMPUTABLE, unfit[1], unfit[0])


def _broken_window(metric: MetricMessage) -> Iterator[tuple[str, str]]:
    if METRIC_TYPES[metric.type].later:
        if not metric.window_start_seconds:
            yield "window_start_seconds", f"a {metric.type}'s window starts after the exposure"
        if metric.window_seconds is None:
            yield "window_seconds", f"a {metric.type}'s window ends"
    if metric.window_seconds is not None and metric.window_seconds <= metric.window_start_seconds:
        yield "window_seconds", "the window must end after window_start_seconds"


def _broken_cap(metric: MetricMessage) -> Iterator[tuple[str, str]]:
    for field in ("cap", "cap_percentile"):
        if getattr(metric, field) is not None and metric.type not in CAPPED:
            yield field, f"only {' and '.join(sorted(CAPPED))} have one"
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
    if metric.type in RATES and not metric.margin_relative and Decimal(metric.margin) >= 1:
        yield "margin", "an absolute margin of a rate is below 1: no rate is larger"


def _broken_missing(metric: MetricMessage) -> Iterator[tuple[str, str]]:
    kind = METRIC_TYPES[metric.type]
    if metric.missing == "zero" or kind.can_exclude:
        return
    if kind.below:
        yield (
            "missing",
            f"exclude is for other types: in a {metric.type}, units without an event below weigh nothing already",
        )
    else:
        yield (
            "missing",
            f"a {metric.type} counts who has no such event; exclude would leave those alone who have one",
        )


def _broken_watch(metric: MetricMessage) -> Iterator[tuple[str, str]]:
    if metric.on_breach is None:
        return
    if metric.role != "guardrail":
        yield "on_breach", "only a guardrail has one"
    unfit = unwatchable(metric)
    if unfit is not None:
        yield unfit
