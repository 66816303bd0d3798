"""What a metric means, in sentences. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from api.metric_catalogue.schemas import MetricOut
from neonblue.contract.metric_types import METRIC_TYPES
from neonblue.texts import plain

_SECONDS = ((604_800, "week"), (86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))
_ROLES = {
    "primary": "It is meant as a primary metric: experiments are decided by it.",
    "secondary": "It is meant as a secondary metric: it explains.",
    "guardrail": "It is meant as a guardrail: it must not be harmed.",
}
_ON_BREACH = {
    "alert": "When it is shown to be harmed, people are told.",
    "pause": "When it is shown to be harmed, the experiment is paused.",
    "roll_back": "When it is shown to be harmed, everybody is given the control.",
}


def sentences_of(metric: MetricOut) -> tuple[str, ...]:
    """The definition, what is measured first."""
    return tuple(_sentences(metric))


def measured(metric: MetricOut) -> str:
    """What is measured on each unit, in a line without a full stop."""
    events = f"“{plain(metric.event_type)}”"
    if METRIC_TYPES[metric.type].is_rate:
        return f"share of units with at least one {events} event"
    total = _total(metric.aggregation, events)
    if metric.denominator is not None:
        below = _total(metric.denominator.aggregation, f"“{plain(metric.denominator.event_type)}”")
        return f"{total}, over {below}, of all units together"
    if metric.quantile is not None:
        return f"the {share(metric.quantile)} quantile of the units’ {total}"
    return f"{total}, a unit"


def duration(seconds: int) -> str:
    """In the largest unit that is whole."""
    size, name = next((size, name) for size, name in _SECONDS if seconds % size == 0)
    number = seconds // size
    return f"{number:,} {name}{'s' * (number != 1)}"


def share(number: str) -> str:
    """A fraction as per cent."""
    return f"{float(number) * 100:.10g} %"


def _sentences(metric: MetricOut) -> Iterator[str]:
    what = measured(metric)
    yield f"{what[0].upper()}{what[1:]}."
    if metric.property_filter:
        yield f"Counted are only events with {_filter(metric.property_filter)}."
    if metric.denominator is not None and metric.denominator.property_filter:
        yield f"Below, only events with {_filter(metric.denominator.property_filter)}."
    yield _window(metric.window_start_seconds, metric.window_seconds)
    if metric.cap is not None:
        yield f"A unit’s total counts up to {metric.cap}."
    if metric.cap_percentile is not None:
        yield f"A unit’s total counts up to the value that {share(metric.cap_percentile)} of all units do not exceed."
    if METRIC_TYPES[metric.type].can_exclude:
        without = "are left out" if metric.missing == "exclude" else "count as 0"
        yield f"Units without such an event {without}."
    yield "Less is better." if metric.direction == "decrease" else "More is better."
    yield _ROLES[metric.role]
    if metric.margin is not None:
        size = share(metric.margin) if metric.margin_relative else metric.margin
        yield f"A harm of up to {size} is accepted."
    if metric.on_breach is not None:
        yield _ON_BREACH[metric.on_breach]
    if metric.minimum_effect is not None:
        yield f"A change of {share(metric.minimum_effect)} is worth finding."
    if metric.cuped and METRIC_TYPES[metric.type].covariate:
        yield "What a unit did before its exposure makes the estimate more precise."


def _total(aggregation: str, events: str) -> str:
    return f"sum of the values of {events} events" if aggregation == "sum" else f"number of {events} events"


def _filter(properties: Mapping[str, str]) -> str:
    return " and ".join(f"{plain(name)} = “{plain(value)}”" for name, value in properties.items())


def _window(start: int, end: int | None) -> str:
    if start and end is not None:
        return f"From {duration(start)} to {duration(end)} after a unit’s first exposure."
    if start:
        return f"From {duration(start)} after a unit’s first exposure on, without an end."
    if end is not None:
        return f"Within {duration(end)} from a unit’s first exposure."
    return "From a unit’s first exposure on, without an end."
