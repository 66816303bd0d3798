"""Lives in which an arm is better or worse, or loses just what it may."""

from __future__ import annotations

import math

from numpy.random import Generator

from neonblue.simulation.lives.choosing import HOUR, flat, measure
from neonblue.simulation.lives.design import Design, Later, Owner, arms_of
from neonblue.simulation.lives.measures import Measure, Shape
from neonblue.simulation.lives.sizes import units_for

_NORMAL_SD = 10.0


def at_margin(random: Generator) -> Design:
    """Arms that are better, and lose exactly the margins of two to four guardrails."""
    days, arms = int(random.integers(3, 6)), arms_of(int(random.integers(3, 6)))
    lost = [
        _at_margin(f"g{at}", Shape.RATE if random.random() < 0.5 else Shape.COUNT, arms)
        for at in range(random.integers(2, 5))
    ]
    per_day = int(random.choice([1000, 2000]))
    return Design(
        weights=(1,) * len(arms),
        per_day=per_day,
        days=days,
        measures=(measure("p0", Shape.RATE, "primary", 0.2, dict.fromkeys(arms[1:], 0.06)), *lost),
        levels=flat(days),
        planned_units=per_day * days if random.random() < 0.75 else None,
        owner=Owner(heeds=False),
    )


def _at_margin(key: str, shape: Shape, arms: tuple[str, ...]) -> Measure:
    mean, margin = (0.1, 0.2) if shape is Shape.RATE else (3.0, 0.1)
    return measure(
        key,
        shape,
        "guardrail",
        mean,
        dict.fromkeys(arms[1:], margin * mean),
        direction="decrease",
        margin=str(margin),
        window_seconds=HOUR,
    )


def better(random: Generator) -> Design:
    """One arm is better, by what the plan is to find with a power of 80 %; a guardrail holds its margin."""
    arms = int(random.integers(2, 5))
    days = int(random.integers(3, 7))
    shape, mean = ((Shape.RATE, 0.2), (Shape.COUNT, 3.0), (Shape.NORMAL, 20.0))[random.integers(3)]
    effect = mean * float(random.choice([0.1, 0.15]))
    units = units_for(effect, (_sd(shape, mean), _sd(shape, mean + effect)), arms, days, arms - 1)
    return Design(
        weights=(1,) * arms,
        per_day=-(-units // days),
        days=days,
        measures=(measure("p0", shape, "primary", mean, {"t1": effect}),),
        levels=flat(days),
        planned_units=units,
    )


def worse(random: Generator) -> Design:
    """One arm breaks one of the guardrails, by what is found in time with a power of 80 %."""
    arms = int(random.integers(2, 5))
    guards = int(random.integers(1, 5))
    days = int(random.integers(3, 7))
    effect = 0.02
    units = units_for(
        effect, (_sd(Shape.RATE, 0.1), _sd(Shape.RATE, 0.12)), arms, days, (arms - 1) * guards * 2
    )
    broken = measure(
        "g0", Shape.RATE, "guardrail", 0.1, {"t1": effect}, direction="decrease", window_seconds=HOUR
    )
    others = [
        measure(f"g{at}", Shape.RATE, "guardrail", 0.1, direction="decrease", window_seconds=HOUR)
        for at in range(1, guards)
    ]
    return Design(
        weights=(1,) * arms,
        per_day=-(-units // days),
        days=days,
        measures=(measure("p0", Shape.RATE, "primary", 0.2), broken, *others),
        levels=flat(days),
        planned_units=units,
    )


def restated(random: Generator) -> Design:
    """One arm is clearly better and another one worse, and nearly all that was counted changes afterwards."""
    days, arms = int(random.integers(4, 8)), arms_of(int(random.integers(2, 5)))
    shape, mean = ((Shape.RATE, 0.2), (Shape.COUNT, 3.0), (Shape.HABIT, 3.0), (Shape.SPEND, 2.0))[
        random.integers(4)
    ]
    window = HOUR if random.random() < 0.5 else None
    effect = mean * float(random.choice([0.1, 0.25, 0.5]))
    loss = float(random.choice([0.02, 0.05]))
    per_day = int(random.choice([300, 1500]))
    margin = "0.1" if random.random() < 0.5 else None
    return Design(
        weights=(1,) * len(arms),
        per_day=per_day,
        days=days,
        measures=(
            measure("p0", shape, "primary", mean, {"t1": effect}, window_seconds=window),
            measure("s0", Shape.RATIO, "secondary", 0.5, {"t1": 0.1}),
            measure(
                "g0",
                Shape.RATE,
                "guardrail",
                0.1,
                {arms[-1]: loss} if len(arms) > 2 else {},
                direction="decrease",
                window_seconds=HOUR,
                margin=margin,
            ),
        ),
        levels=flat(days),
        planned_units=round(per_day * days * float(random.choice([0.5, 0.8, 1.0])))
        if random.random() < 0.6
        else None,
        owner=Owner(heeds=False),
        later=Later(
            late=float(random.choice([0.0, 0.2])),
            grows=float(random.choice([0.0, 0.5])),
            erased=float(random.choice([0.0, 0.02, 0.2])),
            linked=float(random.choice([0.0, 0.0005])),
        ),
    )


def _sd(shape: Shape, mean: float) -> float:
    """Of one unit."""
    if shape is Shape.RATE:
        return math.sqrt(mean * (1 - mean))
    return math.sqrt(mean) if shape is Shape.COUNT else _NORMAL_SD
