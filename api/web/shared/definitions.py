"""What a metric of the catalogue means, in words. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from api.metric_catalogue.schemas import MetricOut
from neonblue.contract.metric_types import METRIC_TYPES
from neonblue.texts import plain

_SECONDS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


def definition_of(metric: MetricOut) -> str:
    """What is measured on each unit and when, in a sentence or two."""
    said = measured(metric)
    without = " Units without such an event are left out." if metric.missing == "exclude" else ""
    return f"{said[0].upper()}{said[1:]}, {_window(metric)}.{without}"


def measured(metric: MetricOut) -> str:
    """What is measured, as a part of a sentence."""
    where = _where(metric.property_filter)
    of_unit = _of_unit(metric.aggregation, metric.event_type, where)
    made_of = METRIC_TYPES[metric.type]
    if made_of.is_rate:
        return f"the share of units with an event {plain(metric.event_type)}{where}"
    if made_of.below and metric.denominator is not None:
        below = metric.denominator
        under = _of_unit(below.aggregation, below.event_type, _where(below.property_filter))
        return f"over all units, {of_unit} divided by {under}"
    if made_of.which_quantile and metric.quantile is not None:
        return f"the {float(metric.quantile) * 100:.10g} % quantile over units of {of_unit}"
    return f"the mean over units of {of_unit}"


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
