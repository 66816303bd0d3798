"""Lopsided arms watched at many looks, held to a margin, and how many units revenue needs."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from neonblue.statistics.experiment.inference import SMALLEST_OUTCOMES, AnyTime
from neonblue.statistics.methods.by_kind import MetricKind, guard_metric, needs_score_array, own_effect
from neonblue.statistics.methods.many import compare_proportion_arrays
from neonblue.statistics.methods.noninferiority import Margin, NonInferiority, non_inferior
from neonblue.statistics.methods.score import difference_variance
from neonblue.statistics.moments import Moments
from neonblue.statistics.sequential.boundaries import spending_boundaries
from neonblue.statistics.sequential.group_sequential import GroupSequential
from neonblue.statistics.status import Status
from tests.calibration.exact import FloatArray
from tests.calibration.lopsided import BUYERS, LOG_MEAN, LOG_SD, Sizes, by_variance, of_means, revenue

LOOKS = 30
RULE = AnyTime(0.05, 10_000)
EACH_LOOK: tuple[Sizes, ...] = ((1000, 1000), (1500, 500), (1800, 200), (1900, 100), (9900, 100))
RATES = (0.0005, 0.002, 0.01)
MARGIN = Margin(0.2, relative=True)
UNITS = (20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000)
CAPS = (None, 99.9, 99.0)


@dataclass(frozen=True)
class Watched:
    """Shares of experiments that a sequence called worse or better at any look, by how it was judged."""

    what: str
    sizes: Sizes
    null: dict[str, tuple[float, float]]
    effect: dict[str, tuple[float, float]]


def watched(scale: float = 1.0) -> Iterator[Watched]:
    """Revenue and rates under the confidence sequence, without an effect and at +50 %."""
    sims = max(round(500 * scale), 10)
    for sizes in EACH_LOOK:
        rng = np.random.default_rng(2026)
        yield Watched("revenue", sizes, _revenue(rng, sims, sizes, 0.0), _revenue(rng, sims, sizes, 0.5))
    for rate in RATES:
        for sizes in (EACH_LOOK[0], EACH_LOOK[3], EACH_LOOK[4]):
            rng = np.random.default_rng(2026)
            null = _rates(rng, 4 * sims, sizes, rate, 1.0)
            yield Watched(f"rate {rate:g}", sizes, null, _rates(rng, sims, sizes, rate, 1.5))


def _revenue(
    rng: np.random.Generator, sims: int, sizes: Sizes, lift: float
) -> dict[str, tuple[float, float]]:
    arms = []
    for n, change in zip(sizes, (0.0, lift), strict=True):
        sums = revenue(rng, sims * LOOKS, n, change)
        arms.append(tuple(np.cumsum(column.reshape(sims, LOOKS), axis=1) for column in sums))
    n_c, n_t = _sizes(sizes)
    found = by_variance((n_c, n_t), arms[0], arms[1], of_means((n_c, n_t), arms[0], arms[1]))
    levels = _levels(sizes)
    return {name: _ever(test.p_value <= levels, test.diff) for name, test in found.items()}


def _rates(
    rng: np.random.Generator, sims: int, sizes: Sizes, rate: float, factor: float
) -> dict[str, tuple[float, float]]:
    x_c, x_t = (
        np.cumsum(rng.binomial(n, p, (sims, LOOKS)), axis=1)
        for n, p in zip(sizes, (rate, rate * factor), strict=True)
    )
    n_c, n_t = _sizes(sizes)
    test = compare_proportion_arrays(n_c, x_c, n_t, x_t).absolute
    called = np.nan_to_num(test.p_value, nan=1.0) <= _levels(sizes)
    enough = (x_c + x_t) * np.minimum(n_c, n_t) / (n_c + n_t) >= SMALLEST_OUTCOMES
    return {"from 100 units": _ever(called, test.diff), "engine": _ever(called & enough, test.diff)}


def _sizes(sizes: Sizes) -> tuple[FloatArray, FloatArray]:
    looks = np.arange(1.0, LOOKS + 1)
    return looks * sizes[0], looks * sizes[1]


def _levels(sizes: Sizes) -> FloatArray:
    n_c, n_t = _sizes(sizes)
    return np.array([RULE.nominal_alpha(0.05, units) for units in 4 * n_c * n_t / (n_c + n_t)])


def _ever(called: FloatArray, diff: FloatArray) -> tuple[float, float]:
    """Shares of the rows in which the first look that calls a difference calls it worse, and better."""
    first = called.argmax(axis=1)
    rises = np.take_along_axis(diff, first[:, None], axis=1)[:, 0] > 0
    ever = called.any(axis=1)
    return float(np.mean(ever & ~rises)), float(np.mean(ever & rises))


PLANNED_LOOKS = 10
ENDS: tuple[float, ...] = (0.5, 1, 1.5, 2, 3, 5, 10)
AGAINST = (1, 4, 9, 19, 99)


@dataclass(frozen=True)
class Ended:
    """A planned test of a rate of 0.002 whose small arm expects so many outcomes at the end.

    Shares called worse and better at any look, by how it was judged: without an effect, and at three times the rate.
    """

    against: int
    outcomes: float
    null: dict[str, tuple[float, float]]
    effect: dict[str, tuple[float, float]]


def planned(scale: float = 1.0) -> Iterator[Ended]:
    """Group sequences of ten looks, at which control has `against` times the units of the treatment."""
    sims, rate = max(round(20_000 * scale), 20), RATES[1]
    for against in AGAINST:
        for outcomes in ENDS:
            n = round(outcomes / rate / PLANNED_LOOKS)
            sizes, rng = (against * n, n), np.random.default_rng(2026)
            null = _planned(rng, sims, sizes, (rate, rate))
            yield Ended(against, outcomes, null, _planned(rng, sims, sizes, (rate, 3 * rate)))


def _planned(
    rng: np.random.Generator, sims: int, sizes: Sizes, rates: tuple[float, float]
) -> dict[str, tuple[float, float]]:
    looks = np.arange(1.0, PLANNED_LOOKS + 1)
    n_c, n_t = looks * sizes[0], looks * sizes[1]
    x_c, x_t = (
        np.cumsum(rng.binomial(n, rate, (sims, PLANNED_LOOKS)), axis=1)
        for n, rate in zip(sizes, rates, strict=True)
    )
    diff = x_t / n_t - x_c / n_c
    variance = np.where(
        needs_score_array(n_c, x_c, n_t, x_t),
        difference_variance(x_c, n_c, x_t, n_t, 0.0),
        x_c / n_c * (1 - x_c / n_c) / n_c + x_t / n_t * (1 - x_t / n_t) / n_t,
    )
    z = np.abs(diff) / np.sqrt(np.where(variance > 0, variance, np.inf))
    needed = GroupSequential((), 1.0, 1.0).outcomes_needed(*sizes)
    ready = (x_c + x_t) * sizes[1] / (sizes[0] + sizes[1]) >= needed
    first = np.where(ready.any(axis=1), ready.argmax(axis=1), PLANNED_LOOKS)
    bounds = _boundaries()
    return {"every look": _ever(z >= bounds[0], diff), "engine": _ever(z >= bounds[first], diff)}


@functools.cache
def _boundaries() -> FloatArray:
    """The critical z of every look, by how many of the first ones were none."""
    shares = [(look + 1) / PLANNED_LOOKS for look in range(PLANNED_LOOKS)]
    rows = [
        [math.inf] * none + list(spending_boundaries(shares[none:], 1.0).critical_z)
        for none in range(PLANNED_LOOKS)
    ]
    return np.array([*rows, [math.inf] * PLANNED_LOOKS])


@dataclass(frozen=True)
class Held:
    """With a true loss as large as the margin: shares called beyond it and within it, at 5 % each."""

    sizes: Sizes
    own: tuple[float, float]
    engine: tuple[float, float]


def margins(scale: float = 1.0) -> Iterator[Held]:
    """Revenue that is 20 % lower against a margin of 20 %."""
    sims = max(round(2000 * scale), 20)
    for sizes in ((10_000, 10_000), (18_000, 2000), (19_000, 1000), (9900, 100)):
        rng = np.random.default_rng(2026)
        arms = [
            [Moments(n, *row) for row in np.stack(revenue(rng, sims, n, lift), axis=1).tolist()]
            for n, lift in zip(sizes, (0.0, -MARGIN.size), strict=True)
        ]
        yield Held(sizes, _held(arms, _by_own_variance), _held(arms, _by_engine))


def _by_own_variance(control: Moments, treatment: Moments) -> NonInferiority | Status:
    effect = own_effect(MetricKind.MEAN, control, treatment)
    return effect if isinstance(effect, Status) else non_inferior(effect, MARGIN)


def _by_engine(control: Moments, treatment: Moments) -> NonInferiority | Status:
    return guard_metric(MetricKind.MEAN, control, treatment, MARGIN)


def _held(
    arms: list[list[Moments]], guard: Callable[[Moments, Moments], NonInferiority | Status]
) -> tuple[float, float]:
    tests = [guard(*pair) for pair in zip(*arms, strict=True)]
    judged = [test for test in tests if isinstance(test, NonInferiority)]
    return sum(t.inferior_at(t.alpha) for t in judged) / len(tests), sum(
        t.non_inferior for t in judged
    ) / len(tests)


def power_by_units(scale: float = 1.0) -> Iterator[tuple[str, str, list[float]]]:
    """Share of revenues of +50 % that one look finds, by units of both arms, split and cap.

    The cap is the percentile of all units' revenue without an effect.
    """
    sims = max(round(300 * scale), 10)
    for share, split in ((0.5, "1:1"), (0.1, "9:1"), (0.05, "95:5"), (0.01, "99:1")):
        for percentile in CAPS:
            rng, cap = np.random.default_rng(2026), math.inf
            if percentile is not None:
                among_buyers = 1 - (1 - percentile / 100) / BUYERS
                cap = math.exp(LOG_MEAN + LOG_SD * float(stats.norm.ppf(among_buyers)))
            found = []
            for units in UNITS:
                sizes = round(units * (1 - share)), round(units * share)
                arms = [revenue(rng, sims, n, lift, cap) for n, lift in zip(sizes, (0.0, 0.5), strict=True)]
                found.append(float(np.mean(of_means(sizes, arms[0], arms[1]).lower > 0)))
            yield split, "none" if percentile is None else f"{percentile:g} %", found


def markdown(
    looks: Sequence[Watched],
    ends: Sequence[Ended],
    held: Sequence[Held],
    power: Sequence[tuple[str, str, list[float]]],
) -> str:
    """The four tables."""
    lines = [
        f"| confidence sequence, {LOOKS} looks | each look | false, % (worse + better) | worse + better at +50 %, % |",
        "|---|---|---|---|",
    ]
    for row in looks:
        names = f"{row.what}: {' / '.join(row.null)}"
        lines.append(f"| {names} | {_split(row.sizes)} | {_pairs(row.null)} | {_pairs(row.effect)} |")
    lines += [
        "",
        f"| rate {RATES[1]:g}, a planned test of {PLANNED_LOOKS} looks: every look / engine | outcomes expected at its "
        "end | "
        "false, % (worse + better) | worse + better at three times the rate, % |",
        "|---|---|---|---|",
    ]
    for end in ends:
        lines.append(f"| {end.against}:1 | {end.outcomes:g} | {_pairs(end.null)} | {_pairs(end.effect)} |")
    lines += [
        "",
        "| a loss of 20 % against a margin of 20 %, each at 5 %: Welch / engine | beyond, % | within, % |",
        "|---|---|---|",
    ]
    for case in held:
        beyond, within = (f"{100 * case.own[i]:.1f} / {100 * case.engine[i]:.1f}" for i in (0, 1))
        lines.append(f"| {_split(case.sizes)} | {beyond} | {within} |")
    lines += [
        "",
        f"| power at +50 %, %: split, cap | {' | '.join(f'{units:,} units' for units in UNITS)} |",
        "|---|" + "---|" * len(UNITS),
    ]
    for split, cap, found in power:
        lines.append(f"| {split}, {cap} | {' | '.join(f'{100 * each:.0f}' for each in found)} |")
    return "\n".join(lines)


def _pairs(rates: dict[str, tuple[float, float]]) -> str:
    return " / ".join(f"{100 * worse:.1f} + {100 * better:.1f}" for worse, better in rates.values())


def _split(sizes: Sizes) -> str:
    return f"{sizes[0]:,} : {sizes[1]:,}"
