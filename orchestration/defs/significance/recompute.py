"""A unit's value of a metric, worked out from its raw events alone. Pure.

A second path to the same number, without SQL: what the models compute is compared with it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from neonblue.analysis.windows import Standstill
from neonblue.contract.messages import MetricMessage


@dataclass(frozen=True, slots=True)
class RawEvent:
    """One stored copy of an event. experiment_id: 0 where it names none; properties: JSON, or empty.

    received_at: when the API took it.
    """

    event_id: str
    experiment_id: int
    event_type: str
    occurred_at: datetime
    value: Decimal
    properties: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Difference:
    """A unit whose stored value is not the one its events give."""

    user_id: str
    stored: Decimal
    recomputed: Decimal | None


def can_recompute(metric: MetricMessage) -> bool:
    """A cap that is pooled over all units can't be seen in one of them."""
    return metric.cap_percentile is None


def can_compare(metric: MetricMessage, events: Sequence[RawEvent]) -> bool:
    """Whether what the metric filters by is a text, a whole number or a flag in every event that has it.

    How a fraction, a list or an object reads as a text is the parser's own.
    """
    wanted = metric.property_filter or {}
    if not wanted:
        return True
    given = [json.loads(event.properties) for event in events if event.properties]
    return not any(isinstance(one.get(name), float | list | dict) for one in given for name in wanted)


def unit_value(
    metric: MetricMessage,
    experiment_id: int,
    events: Sequence[RawEvent],
    assigned_at: datetime | None,
    stopped: Sequence[Standstill] = (),
) -> Decimal | None:
    """The unit's value; None where it never met its variant.

    events: its raw events, with copies. assigned_at: where all assigned units are analysed, when it was; else None.
    stopped: when the experiment did not run, so that an exposure is none.
    """
    # The same id on two days is two events.
    unique = {(event.occurred_at.date(), event.event_id): event for event in events}.values()
    exposures = [
        event.occurred_at
        for event in unique
        if event.event_type == "exposure"
        and event.experiment_id == experiment_id
        and not any(one.holds(min(event.occurred_at, event.received_at)) for one in stopped)
    ]
    first = assigned_at if assigned_at is not None else min(exposures, default=None)
    if first is None:
        return None
    counted = [event for event in unique if _counts(metric, experiment_id, event, first)]
    value = _aggregate(metric.aggregation, counted)
    return min(value, Decimal(metric.cap)) if metric.cap is not None else value


def _counts(metric: MetricMessage, experiment_id: int, event: RawEvent, first: datetime) -> bool:
    waited = event.occurred_at - first
    return (
        event.event_type == metric.event_type
        and event.experiment_id in (0, experiment_id)
        and waited >= timedelta(seconds=metric.window_start_seconds)
        and (metric.window_seconds is None or waited < timedelta(seconds=metric.window_seconds))
        and _matches(event.properties, metric.property_filter or {})
    )


def _matches(properties: str, wanted: dict[str, str]) -> bool:
    if not wanted:
        return True
    given = json.loads(properties, parse_float=str, parse_int=str) if properties else {}
    return all(_text(given.get(name)) == value for name, value in wanted.items())


def _text(value: object) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else None


def _aggregate(aggregation: str, events: Sequence[RawEvent]) -> Decimal:
    if aggregation == "any":
        return Decimal(bool(events))
    if aggregation == "count":
        return Decimal(len(events))
    return sum((event.value for event in events), Decimal(0))
