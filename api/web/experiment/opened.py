"""What an opened row of a metric says: what it means, and what was done to its numbers. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from api.metric_catalogue.schemas import MetricOut
from neonblue.analysis.answer import ResultItem
from neonblue.contract.metric_types import METRIC_TYPES
from neonblue.statistics import Method, numbers
from neonblue.texts import plain

_SECONDS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))
_NO_NUMBERS = "there are no numbers yet"


@dataclass(frozen=True, slots=True)
class Opened:
    """definition: in words. facts: names and texts."""

    definition: str
    facts: tuple[tuple[str, str], ...]


def opened_of(metric: MetricOut, item: ResultItem | None) -> Opened:
    """item: its numbers in one arm; None where there are none yet."""
    facts = [("cap", _cap(metric)), ("CUPED", _cuped(metric, item))]
    if item is not None:
        facts += [
            ("test", _test(item)),
            ("correction", _correction(item)),
            ("left out, without a value", _in_arms(item.missing_control, item.missing_variant)),
            ("left out, window not ended", _in_arms(item.unfinished_control, item.unfinished_variant)),
        ]
    return Opened(definition_of(metric), tuple((name, text) for name, text in facts if text))


def definition_of(metric: MetricOut) -> str:
    """What is measured on each unit, in a sentence or two."""
    where = _where(metric.property_filter)
    of_unit = _of_unit(metric.aggregation, metric.event_type, where)
    made_of = METRIC_TYPES[metric.type]
    if made_of.is_rate:
        said = f"The share of units with an event {plain(metric.event_type)}{where}"
    elif made_of.below and metric.denominator is not None:
        below = metric.denominator
        under = _of_unit(below.aggregation, below.event_type, _where(below.property_filter))
        said = f"Over all units, {of_unit} divided by {under}"
    elif made_of.which_quantile and metric.quantile is not None:
        said = f"The {numbers.share(float(metric.quantile), digits=0)} quantile over units of {of_unit}"
    else:
        said = f"The mean over units of {of_unit}"
    without = " Units without such an event are left out." if metric.missing == "exclude" else ""
    return f"{said}, {_window(metric)}.{without}"


def span(seconds: int) -> str:
    """In the largest unit that it is a whole number of; 0 in days."""
    size, name = next((size, name) for size, name in _SECONDS if seconds % size == 0)
    number = seconds // size
    return f"{number:,} {name}{'s' * (number != 1)}"


def _of_unit(aggregation: str, event_type: str, where: str) -> str:
    what = {"sum": "the sum of the values", "count": "the number"}.get(aggregation, plain(aggregation))
    return f"{what} of events {plain(event_type)}{where}"


def _where(wanted: Mapping[str, str] | None) -> str:
    if not wanted:
        return ""
    named = " and ".join(f"{plain(name)} is {plain(value)}" for name, value in wanted.items())
    return f" whose {named}"


def _window(metric: MetricOut) -> str:
    start, end = metric.window_start_seconds, metric.window_seconds
    if start and end is not None:
        return f"from {span(start)} to {span(end)} after the unit’s entry"
    if start:
        return f"from {span(start)} after the unit’s entry on"
    return "since the unit’s entry" if end is None else f"within {span(end)} of the unit’s entry"


def _cap(metric: MetricOut) -> str:
    if metric.cap is not None:
        return f"what is above {plain(metric.cap)} counts as {plain(metric.cap)}"
    if metric.cap_percentile is not None:
        at = numbers.share(float(metric.cap_percentile), digits=2)
        return f"what is above the {at} quantile of all arms counts as that"
    return "none"


def _cuped(metric: MetricOut, item: ResultItem | None) -> str:
    if not metric.cuped:
        return "not asked for"
    if item is None or not item.method:
        return f"asked for; {_NO_NUMBERS}"
    if item.method == Method.CUPED:
        return "used: what units did before their entry makes the interval narrower"
    return "asked for, and not used in this test"


def _test(item: ResultItem) -> str:
    if not item.method:
        return ""
    level = "" if item.level is None else f", interval at {numbers.level(item.level)}"
    return f"{plain(item.method.replace('_', ' '))}{level}"


def _correction(item: ResultItem) -> str:
    """What being one of several metrics and arms did to p."""
    if item.p_value is None or item.adjusted_p is None:
        return ""
    alone, adjusted = numbers.p_value(item.p_value), numbers.p_value(item.adjusted_p)
    if item.p_value == item.adjusted_p:
        return f"none: p is {alone} alone and within its family"
    return f"p is {alone} alone, {adjusted} within its family"


def _in_arms(control: int, variant: int) -> str:
    if not control and not variant:
        return ""
    return f"{numbers.count(control)} in the control, {numbers.count(variant)} in the arm"
