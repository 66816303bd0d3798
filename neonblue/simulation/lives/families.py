"""Families of lives: what is the same in all of them, what is drawn, and what is promised of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from numpy.random import Generator

from neonblue.simulation.lives.choosing import HOUR, any_guardrail, any_measures, flat, measure, uneven
from neonblue.simulation.lives.design import Design, Owner, arms_of
from neonblue.simulation.lives.measures import Measure, Shape
from neonblue.simulation.lives.sizes import planned_for, units_for

_EVEN = ((1, 1), (1, 1), (2, 1), (1, 1, 1), (2, 1, 1), (1, 1, 1, 1), (1,) * 5, (1,) * 7)
_LOPSIDED = ((9, 1), (19, 1), (99, 1), (1, 9), (8, 1, 1), (96, 1, 1, 1, 1))


@dataclass(frozen=True, slots=True)
class Family:
    """Lives of one kind. power: the share of true effects that is to be found; None: there are none."""

    key: str
    title: str
    draw: Callable[[Generator], Design]
    power: float | None = None


def _days(random: Generator) -> int:
    return int(random.integers(3, 7))


def _planned(random: Generator, design: Design) -> Design:
    """With a plan that is just met, overrun, or not reached."""
    share = float(random.choice([0.7, 1.0, 1.0, 1.0, 1.4]))
    return replace(design, planned_units=max(round(design.per_day * design.days * share), 1))


def _either(random: Generator, design: Design) -> Design:
    return _planned(random, design) if random.random() < 0.5 else design


def _pick(random: Generator, choices: tuple[tuple[int, ...], ...]) -> tuple[int, ...]:
    return choices[random.integers(len(choices))]


def _plain(random: Generator) -> Design:
    days = _days(random)
    return Design(
        weights=_pick(random, _EVEN),
        per_day=int(random.choice([300, 1000, 3000])),
        days=days,
        measures=any_measures(random, 2, 2, 2),
        levels=uneven(random, days),
        owner=Owner(heeds=bool(random.random() < 0.7)),
    )


def planned(random: Generator) -> Design:
    """A plan with a size."""
    return _planned(random, _plain(random))


def any_time(random: Generator) -> Design:
    """A confidence sequence."""
    return _plain(random)


def peeking(random: Generator) -> Design:
    """An owner who looks for two weeks, and concludes as soon as a plain test says 5 or 2 %."""
    days = int(random.integers(8, 17))
    shape, mean = ((Shape.RATE, 0.1), (Shape.COUNT, 3.0), (Shape.NORMAL, 20.0))[random.integers(3)]
    design = Design(
        weights=_pick(random, ((1, 1), (1, 1), (2, 1), (1, 1, 1))),
        per_day=int(random.choice([200, 1000])),
        days=days,
        measures=(measure("p0", shape, "primary", mean),),
        levels=uneven(random, days),
        owner=Owner(stops_at=float(random.choice([1.96, 2.33])), heeds=False),
    )
    return _either(random, design)


def changing(random: Generator) -> Design:
    """Ramps, new weights, dropped arms and pauses, while the level falls or rises."""
    arms = int(random.integers(2, 5))
    days = int(random.integers(5, 8))
    ramp = [(99, *(1,) * (arms - 1)), (9, *(1,) * (arms - 1)), (1,) * arms]
    first = int(random.integers(0, 2))
    weights = {1 + step: ramp[first + step] for step in range(1, len(ramp) - first)}
    if random.random() < 0.5:
        weights[5] = tuple(int(w) for w in random.integers(1, 6, arms))
    drops = {int(random.integers(3, 5)): f"t{arms - 1}"} if arms > 2 and random.random() < 0.7 else {}
    pauses = frozenset({4}) if random.random() < 0.4 else frozenset[int]()
    design = Design(
        weights=ramp[first],
        per_day=int(random.choice([600, 2000])),
        days=days,
        measures=any_measures(random, 2, 1, 1),
        levels=tuple(1.3 - 0.6 * day / (days - 1) for day in range(days)),
        owner=Owner(weights=weights, drops=drops, pauses=pauses),
    )
    return _either(random, design)


def rare(random: Generator) -> Design:
    """Rates of 0.2 to 1 %, arms up to 99:1."""
    rates = [float(random.choice([0.002, 0.005, 0.01])) for _ in range(2)]
    days = _days(random)
    design = Design(
        weights=_pick(random, _LOPSIDED),
        per_day=int(random.choice([2000, 6000])),
        days=days,
        measures=(
            measure("p0", Shape.RATE, "primary", rates[0], window_seconds=HOUR),
            measure("g0", Shape.RATE, "guardrail", rates[1], direction="decrease", window_seconds=HOUR),
        ),
        levels=flat(days),
    )
    return _either(random, design)


def _spending(random: Generator, weights: tuple[int, ...], caps: bool) -> Design:
    days = _days(random)
    cap = "0.999" if caps and random.random() < 0.5 else None
    design = Design(
        weights=weights,
        per_day=int(random.choice([1000, 3000])),
        days=days,
        measures=(
            measure("p0", Shape.SPEND, "primary", 2.0, cap_percentile=cap),
            measure("g0", Shape.SPEND, "guardrail", 2.0, window_seconds=HOUR),
        ),
        levels=uneven(random, days),
    )
    return _either(random, design)


def spending(random: Generator) -> Design:
    """Revenue of 5 % buyers, heavy tails, capped or not, arms of like size."""
    return _spending(random, _pick(random, ((1, 1), (2, 1), (1, 1, 1))), caps=True)


def lopsided_spending(random: Generator) -> Design:
    """The same in small arms."""
    return _spending(random, _pick(random, ((9, 1), (19, 1), (99, 1))), caps=False)


def covariates(random: Generator) -> Design:
    """Means with a covariate that a fifth of the units lack, and values that are missing."""
    days = _days(random)
    design = Design(
        weights=_pick(random, (*_EVEN, (9, 1))),
        per_day=int(random.choice([300, 1500])),
        days=days,
        measures=(
            measure("p0", Shape.HABIT, "primary", float(random.choice([0.5, 3.0]))),
            measure("p1", Shape.NORMAL, "primary", 20.0, missing="exclude", window_seconds=24 * HOUR),
            measure("g0", Shape.HABIT, "guardrail", 3.0, window_seconds=HOUR, margin="0.1"),
            measure("s0", Shape.HABIT, "secondary", 1.0),
        ),
        levels=uneven(random, days),
    )
    return _either(random, design)


def guarded(random: Generator) -> Design:
    """Three to five guardrails without a margin over two to four treatments, looked at by the sensor and daily."""
    days, arms = int(random.integers(3, 6)), int(random.integers(3, 6))
    shapes = (Shape.RATE, Shape.COUNT, Shape.NORMAL)
    guards = [any_guardrail(random, f"g{at}", shapes, margins=0.0) for at in range(random.integers(3, 6))]
    per_day = int(random.choice([1000, 2000]))
    return Design(
        weights=(1,) * arms,
        per_day=per_day,
        days=days,
        measures=(measure("p0", Shape.RATE, "primary", 0.1), *guards),
        levels=uneven(random, days),
        planned_units=per_day * days if random.random() < 0.75 else None,
    )


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


def small(random: Generator) -> Design:
    """Plans of 20 to 300 units."""
    days = _days(random)
    design = Design(
        weights=_pick(random, ((1, 1), (1, 1, 1), (2, 1))),
        per_day=int(random.choice([4, 10, 40])),
        days=days,
        measures=any_measures(random, 1, 1, 1),
        levels=flat(days),
    )
    return _planned(random, design)


def imported(random: Generator) -> Design:
    """Files: all at once, one look, with caps and shares of every kind."""
    days = _days(random)
    names = any_measures(random, 2, 2, 2)
    return Design(
        weights=_pick(random, (*_EVEN, (9, 1), (1, 9))),
        per_day=int(random.choice([50, 500])),
        days=days,
        measures=(
            *names,
            measure("cap", Shape.SPEND, "secondary", 2.0, cap_percentile="0.99", missing="exclude"),
        ),
        levels=uneven(random, days),
        imported=True,
    )


def _quantiles(random: Generator, shape: Shape, mean: float, level: str) -> Design:
    days = _days(random)
    design = Design(
        weights=_pick(random, ((1, 1), (1, 1, 1), (9, 1))),
        per_day=int(random.choice([500, 2000])),
        days=days,
        measures=(measure("p0", shape, "primary", mean, type="quantile", quantile=level),),
        levels=flat(days),
    )
    return _either(random, design)


def quantiles(random: Generator) -> Design:
    """Medians and 90 % quantiles of a smooth latency."""
    return _quantiles(random, Shape.LATENCY, 300.0, str(random.choice(["0.5", "0.9"])))


def tied_quantiles(random: Generator) -> Design:
    """Quantiles of counts, where many units are alike."""
    mean, level = ((20.0, "0.9"), (5.0, "0.5"), (20.0, "0.5"))[random.integers(3)]
    return _quantiles(random, Shape.COUNT, mean, level)


def better(random: Generator) -> Design:
    """One arm is better, by what the plan is to find with a power of 80 %; a guardrail holds its margin."""
    arms = int(random.integers(2, 5))
    days = int(random.integers(3, 7))
    shape, mean, sd = ((Shape.RATE, 0.2, 0.4), (Shape.COUNT, 3.0, 3.0**0.5), (Shape.NORMAL, 20.0, 10.0))[
        random.integers(3)
    ]
    effect = mean * float(random.choice([0.1, 0.15]))
    units = planned_for(effect, sd, arms, days)
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
    units = units_for(effect, 0.3, arms, days, (arms - 1) * guards * 2)
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


FAMILIES = (
    Family("planned", "no effect, planned size", planned),
    Family("any_time", "no effect, confidence sequence", any_time),
    Family("peeking", "no effect, the owner concludes at z = 1.96 or 2.33", peeking),
    Family("changing", "no effect, ramps, drops, pauses, levels that move", changing),
    Family("rare", "no effect, rates of 0.2 to 1 %, arms of 9:1 to 99:1", rare),
    Family("spending", "no effect, revenue of 5 % buyers, 1:1 to 2:1", spending),
    Family("lopsided_spending", "no effect, revenue of 5 % buyers, 9:1 to 99:1", lopsided_spending),
    Family("covariates", "no effect, covariates with holes, missing values", covariates),
    Family("guarded", "no effect, 3 to 5 guardrails without a margin × 2 to 4 treatments", guarded),
    Family("at_margin", "better, and losses of exactly 2 to 4 margins × 2 to 4 treatments", at_margin),
    Family("small", "no effect, plans of 20 to 450 units", small),
    Family("imported", "no effect, a file and one look", imported),
    Family("quantiles", "no effect, quantiles of smooth values", quantiles),
    Family("tied_quantiles", "no effect, quantiles among ties", tied_quantiles),
    Family("better", "one arm better, planned with a power of 80 %", better, power=0.8),
    Family("worse", "one arm breaks a guardrail, planned with a power of 80 %", worse, power=0.8),
)
BY_KEY = {family.key: family for family in FAMILIES}
