"""Lives in which no arm differs from control."""

from __future__ import annotations

from dataclasses import replace

from numpy.random import Generator

from neonblue.simulation.lives.choosing import (
    HOUR,
    any_guardrail,
    any_measures,
    flat,
    measure,
    one_of,
    some_days,
    uneven,
    with_size,
    with_size_or_without,
)
from neonblue.simulation.lives.design import Design, Later, Owner
from neonblue.simulation.lives.measures import Shape

_EVEN = ((1, 1), (1, 1), (2, 1), (1, 1, 1), (2, 1, 1), (1, 1, 1, 1), (1,) * 5, (1,) * 7)
_LOPSIDED = ((9, 1), (19, 1), (99, 1), (1, 9), (8, 1, 1), (96, 1, 1, 1, 1))


def _plain(random: Generator) -> Design:
    days = some_days(random)
    return Design(
        weights=one_of(random, _EVEN),
        per_day=int(random.choice([300, 1000, 3000])),
        days=days,
        measures=any_measures(random, 2, 2, 2),
        levels=uneven(random, days),
        owner=Owner(heeds=bool(random.random() < 0.7)),
    )


def planned(random: Generator) -> Design:
    """A plan with a size."""
    return with_size(random, _plain(random))


def any_time(random: Generator) -> Design:
    """A confidence sequence."""
    return _plain(random)


def peeking(random: Generator) -> Design:
    """An owner who looks for two weeks, and concludes as soon as a plain test says 5 or 2 %."""
    days = int(random.integers(8, 17))
    shape, mean = ((Shape.RATE, 0.1), (Shape.COUNT, 3.0), (Shape.NORMAL, 20.0))[random.integers(3)]
    design = Design(
        weights=one_of(random, ((1, 1), (1, 1), (2, 1), (1, 1, 1))),
        per_day=int(random.choice([200, 1000])),
        days=days,
        measures=(measure("p0", shape, "primary", mean),),
        levels=uneven(random, days),
        owner=Owner(stops_at=float(random.choice([1.96, 2.33])), heeds=False),
    )
    return with_size_or_without(random, design)


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
    return with_size_or_without(random, design)


def rare(random: Generator) -> Design:
    """Rates of 0.2 to 1 %, arms up to 99:1."""
    rates = [float(random.choice([0.002, 0.005, 0.01])) for _ in range(2)]
    days = some_days(random)
    design = Design(
        weights=one_of(random, _LOPSIDED),
        per_day=int(random.choice([2000, 6000])),
        days=days,
        measures=(
            measure("p0", Shape.RATE, "primary", rates[0], window_seconds=HOUR),
            measure("g0", Shape.RATE, "guardrail", rates[1], direction="decrease", window_seconds=HOUR),
        ),
        levels=flat(days),
    )
    return with_size_or_without(random, design)


def _spending(random: Generator, weights: tuple[int, ...], caps: bool) -> Design:
    days = some_days(random)
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
    return with_size_or_without(random, design)


def spending(random: Generator) -> Design:
    """Revenue of 5 % buyers, heavy tails, capped or not, arms of like size."""
    return _spending(random, one_of(random, ((1, 1), (2, 1), (1, 1, 1))), caps=True)


def lopsided_spending(random: Generator) -> Design:
    """The same in small arms."""
    return _spending(random, one_of(random, ((9, 1), (19, 1), (99, 1))), caps=False)


def covariates(random: Generator) -> Design:
    """Means with a covariate that a fifth of the units lack, and values that are missing."""
    days = some_days(random)
    design = Design(
        weights=one_of(random, (*_EVEN, (9, 1))),
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
    return with_size_or_without(random, design)


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


def small(random: Generator) -> Design:
    """Plans of 8 to 340 units."""
    days = some_days(random)
    design = Design(
        weights=one_of(random, ((1, 1), (1, 1, 1), (2, 1))),
        per_day=int(random.choice([4, 10, 40])),
        days=days,
        measures=any_measures(random, 1, 1, 1),
        levels=flat(days),
    )
    return with_size(random, design)


def imported(random: Generator) -> Design:
    """Files: all at once, one look, with caps and shares of every kind."""
    days = some_days(random)
    names = any_measures(random, 2, 2, 2)
    return Design(
        weights=one_of(random, (*_EVEN, (9, 1), (1, 9))),
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
    days = some_days(random)
    design = Design(
        weights=one_of(random, ((1, 1), (1, 1, 1), (9, 1))),
        per_day=int(random.choice([500, 2000])),
        days=days,
        measures=(measure("p0", shape, "primary", mean, type="quantile", quantile=level),),
        levels=flat(days),
    )
    return with_size_or_without(random, design)


def quantiles(random: Generator) -> Design:
    """Medians and 90 % quantiles of a smooth latency."""
    return _quantiles(random, Shape.LATENCY, 300.0, str(random.choice(["0.5", "0.9"])))


def tied_quantiles(random: Generator) -> Design:
    """Quantiles of counts, where many units are alike."""
    mean, level = ((20.0, "0.9"), (5.0, "0.5"), (20.0, "0.5"))[random.integers(3)]
    return _quantiles(random, Shape.COUNT, mean, level)


def late(random: Generator) -> Design:
    """Events that arrive days after they happened or are stamped before the exposure, and totals that grow."""
    later = Later(
        late=float(random.choice([0.0, 0.1, 0.3])),
        early=float(random.choice([0.0, 0.03])),
        grows=float(random.choice([0.0, 0.3, 1.0])),
    )
    return replace(with_size_or_without(random, _plain(random)), later=later)


def people(random: Generator) -> Design:
    """People who are erased, and ids that turn out to be one person's, in one arm or in two."""
    later = Later(
        late=0.05,
        grows=float(random.choice([0.0, 0.3])),
        erased=float(random.choice([0.001, 0.01, 0.05])),
        linked=float(random.choice([0.0, 0.0005])),
    )
    return replace(with_size_or_without(random, _plain(random)), later=later)
