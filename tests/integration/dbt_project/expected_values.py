"""Raw rows as they were ingested, and what is computed of them, in exact decimals."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

Row = dict[str, Any]
Unit = tuple[int, str]
Mart = dict[tuple[Any, ...], tuple[Any, ...]]


@dataclass
class Raw:
    """Rows as they were ingested, copies among them. `metrics`: the metric messages of every experiment.

    pauses: experiment, from when on it was stopped, and until when.
    """

    populations: dict[int, str]
    metrics: list[Row]
    assignments: list[Row] = field(default_factory=list)
    events: list[Row] = field(default_factory=list)
    erasures: list[Row] = field(default_factory=list)
    links: list[Row] = field(default_factory=list)
    pauses: list[tuple[int, datetime, datetime]] = field(default_factory=list)


@dataclass(frozen=True)
class Analysed:
    """A unit of the analysis."""

    variant: str
    version: int
    attributes: str
    at: datetime


@dataclass(frozen=True)
class Total:
    """A unit's three numbers of one metric.

    missing: it has none, since it answered in no event. just_before: events shortly before it counted.
    """

    value: Decimal
    denominator: Decimal
    covariate: Decimal
    missing: bool
    just_before: int


def amounts_of(definition: Row, events: Iterable[Row]) -> list[Decimal]:
    """The values of the events that count."""
    wanted = definition.get("property_filter") or {}
    return [
        event["value"]
        for event in events
        if event["event_type"] == definition["event_type"]
        and all(
            property_text(json.loads(event["properties"] or "{}"), name) == text
            for name, text in wanted.items()
        )
    ]


def aggregate_of(definition: Row, events: Iterable[Row]) -> Decimal:
    amounts = amounts_of(definition, events)
    match definition["aggregation"]:
        case "any":
            return Decimal(bool(amounts))
        case "count":
            return Decimal(len(amounts))
        case _:
            return sum(amounts, Decimal(0))


def property_text(properties: Row, name: str) -> str | None:
    value = properties.get(name)
    return value if value is None or isinstance(value, str) else json.dumps(value)


def capped_value(value: Decimal, cap: str | None) -> Decimal:
    return value if cap is None else min(value, Decimal(cap))


def moments_of(totals: list[Total]) -> tuple[Any, ...]:
    given = [total for total in totals if not total.missing]
    y, d, x = ([getattr(t, name) for t in given] for name in ("value", "denominator", "covariate"))

    def products(left: list[Decimal], right: list[Decimal]) -> Decimal:
        return sum((a * b for a, b in zip(left, right, strict=True)), Decimal(0))

    return (
        len(given),
        len(totals) - len(given),
        sum(y, Decimal(0)),
        products(y, y),
        sum(d, Decimal(0)),
        products(d, d),
        products(y, d),
        sum(x, Decimal(0)),
        products(x, x),
        products(y, x),
        products(d, x),
        sum(total.just_before for total in totals),
    )


def variance_of_difference(first: list[float], second: list[float]) -> float:
    """Welch's; where the smaller arm has less than two fifths of the units of a skewed metric, Student's if larger."""
    (mean, of_first), (other, of_second) = mean_and_variance(first), mean_and_variance(second)
    n, m = len(first), len(second)
    pooled = (n * (n - 1) * of_first + m * (m - 1) * of_second) / (n + m - 2)
    skewed = math.sqrt(pooled) > abs(n * mean + m * other) / (n + m) / 2
    student = pooled * (1 / n + 1 / m) if min(n, m) < 0.4 * (n + m) and skewed else 0.0
    return max(of_first + of_second, student)


def mean_and_variance(values: list[float]) -> tuple[float, float]:
    """The mean and the variance of it."""
    mean = math.fsum(values) / len(values)
    spread = math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)
    return mean, spread / len(values)
