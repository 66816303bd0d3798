"""Metrics and days as families of lives put them together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.random import Generator

from neonblue.contract.messages import DenominatorMessage, MetricMessage
from neonblue.simulation.lives.design import Design
from neonblue.simulation.lives.measures import Measure, Shape

NONE: Mapping[str, float] = {}
_TYPES = {
    Shape.RATE: ("proportion", "any"),
    Shape.COUNT: ("count", "count"),
    Shape.NORMAL: ("mean", "sum"),
    Shape.SPEND: ("mean", "sum"),
    Shape.RATIO: ("ratio", "sum"),
    Shape.HABIT: ("count", "count"),
    Shape.LATENCY: ("mean", "sum"),
}
_MEANS = {
    Shape.RATE: (0.05, 0.1, 0.3),
    Shape.COUNT: (0.5, 3.0),
    Shape.NORMAL: (20.0,),
    Shape.SPEND: (2.0,),
    Shape.RATIO: (0.2, 0.5),
    Shape.HABIT: (2.0, 5.0),
}
PLAIN = (Shape.RATE, Shape.RATE, Shape.COUNT, Shape.NORMAL, Shape.RATIO, Shape.HABIT)
HOUR = 3600


def measure(
    key: str,
    shape: Shape,
    role: str,
    mean: float,
    effects: Mapping[str, float] = NONE,
    **fields: Any,
) -> Measure:
    """A metric of this shape. fields: of its message."""
    kind, aggregation = _TYPES[shape]
    message = MetricMessage(
        key=key,
        role=role,
        event_type="done",
        denominator=DenominatorMessage(event_type="met", aggregation="count")
        if shape is Shape.RATIO
        else None,
        **{"type": kind, "aggregation": aggregation, "cuped": shape is Shape.HABIT, **fields},
    )
    return Measure(message, shape, mean, effects)


def any_measure(random: Generator, key: str, role: str, shapes: tuple[Shape, ...] = PLAIN) -> Measure:
    """A metric without any effect, of any of these shapes, direction and window."""
    shape = shapes[random.integers(len(shapes))]
    mean = float(random.choice(_MEANS[shape]))
    fields: dict[str, Any] = {"direction": str(random.choice(["increase", "decrease"]))}
    if random.random() < 0.4:
        fields["window_seconds"] = int(random.choice([HOUR, 24 * HOUR, 48 * HOUR]))
    if shape in (Shape.RATE, Shape.COUNT, Shape.NORMAL) and random.random() < 0.2:
        fields["missing"] = "exclude"
    return measure(key, shape, role, mean, **fields)


def any_guardrail(
    random: Generator, key: str, shapes: tuple[Shape, ...] = PLAIN, margins: float = 0.5
) -> Measure:
    """A guardrail without any effect, mostly watched by the sensor. margins: how often it has one."""
    shape = shapes[random.integers(len(shapes))]
    margin = str(random.choice(["0.1", "0.3"])) if random.random() < margins else None
    return measure(
        key,
        shape,
        "guardrail",
        float(random.choice(_MEANS[shape])),
        direction=str(random.choice(["increase", "decrease"])),
        margin=margin,
        window_seconds=HOUR if random.random() < 0.7 else None,
    )


def any_measures(random: Generator, primary: int, guardrails: int, secondary: int) -> tuple[Measure, ...]:
    """So many of each role, at most."""
    found = [any_measure(random, f"p{at}", "primary") for at in range(random.integers(1, primary + 1))]
    found += [any_guardrail(random, f"g{at}") for at in range(random.integers(0, guardrails + 1))]
    found += [any_measure(random, f"s{at}", "secondary") for at in range(random.integers(0, secondary + 1))]
    return tuple(found)


def flat(days: int) -> tuple[float, ...]:
    """Every day alike."""
    return (1.0,) * days


def uneven(random: Generator, days: int) -> tuple[float, ...]:
    """Weekdays and a trend: levels between about 0.6 and 1.4."""
    at = np.arange(days)
    week = 0.15 * np.sin(2 * np.pi * (at + random.integers(7)) / 7)
    trend = random.choice([-0.2, 0.0, 0.2]) * at / max(days - 1, 1)
    return tuple(float(level) for level in 1 + week + trend)


def some_days(random: Generator) -> int:
    """How long it lasts."""
    return int(random.integers(3, 7))


def with_size(random: Generator, design: Design) -> Design:
    """With a plan that is just met, overrun, or not reached."""
    share = float(random.choice([0.7, 1.0, 1.0, 1.0, 1.4]))
    return replace(design, planned_units=max(round(design.per_day * design.days * share), 1))


def with_size_or_without(random: Generator, design: Design) -> Design:
    """With a planned size or decided at any time."""
    return with_size(random, design) if random.random() < 0.5 else design


def one_of(random: Generator, choices: tuple[tuple[int, ...], ...]) -> tuple[int, ...]:
    """One of the weights."""
    return choices[random.integers(len(choices))]
