"""Size, power and width of the comparison over versions of different shares, beside pooling and weights by units."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from neonblue.statistics.methods.by_kind import MetricKind, metric_effect, needs_score_array
from neonblue.statistics.methods.effect import Effect
from neonblue.statistics.methods.many import compare_proportion_arrays
from neonblue.statistics.methods.pooling import stratified_effect
from neonblue.statistics.methods.score_strata import StratifiedCounts, stratified_difference_limits
from neonblue.statistics.methods.stratified import combine
from neonblue.statistics.methods.t_test import EstimateArrays, infer
from neonblue.statistics.moments import Moments, RatioMoments
from neonblue.statistics.result import Method
from tests.calibration.exact import FloatArray

Sizes = tuple[tuple[int, int], ...]

METHODS = ("versions", "by units", "pooled")
# Units of control and treatment in each version. Its level is a fifth higher in the first version than in the last.
DESIGNS: dict[str, Sizes] = {
    "1:1": ((10_000, 10_000),),
    "9:1": ((18_000, 2000),),
    "99:1": ((19_800, 200),),
    "1 % ramp, then 1:1": ((9900, 100), (5000, 5000)),
    "10 % ramp, then 1:1": ((9000, 1000), (5000, 5000)),
    "50 % ramp, then 1:1": ((5000, 5000), (5000, 5000)),
    "1 %, 10 %, then 50 %": ((6600, 66), (6000, 667), (3333, 3334)),
}
_CRITICAL = float(stats.norm.isf(0.025))
_DRIFT = 1.2
_UNIT_DRAWS = 2_000_000  # units simulated at once


@dataclass(frozen=True)
class Judged:
    """Intervals of one method over all simulations; no interval where no test."""

    lower: FloatArray
    upper: FloatArray

    @classmethod
    def of(cls, inference: EstimateArrays) -> Judged:
        """The intervals of tests."""
        return cls(inference.lower, inference.upper)

    @property
    def above(self) -> float:
        """How often the difference is found to be above 0."""
        return float(np.mean(self.lower > 0))

    @property
    def below(self) -> float:
        """How often the difference is found to be below 0."""
        return float(np.mean(self.upper < 0))

    @property
    def width(self) -> float:
        """The median width of the interval."""
        return float(np.nanmedian(self.upper - self.lower))


@dataclass(frozen=True)
class Cell:
    """One metric under one allocation: by method, false positives (below, above), power and width.

    width: of the interval without an effect, as a multiple of that of the comparison within versions.
    """

    metric: str
    design: str
    tails: dict[str, tuple[float, float]]
    power: dict[str, float]
    width: dict[str, float]


def measure(scale: float = 1.0, metrics: Sequence[str] = ()) -> Iterator[Cell]:
    """Every metric, or those named, under every allocation."""
    for metric in metrics or METRICS:
        judge, lift, sims = METRICS[metric]
        for design, sizes in DESIGNS.items():
            rng = np.random.default_rng(2026)
            count = max(round(sims * scale), 20)
            null, effect = judge(rng, sizes, 0.0, count), judge(rng, sizes, lift, count)
            width = null[METHODS[0]].width
            yield Cell(
                metric=metric,
                design=design,
                tails={name: (found.below, found.above) for name, found in null.items()},
                power={name: found.above for name, found in effect.items()},
                width={name: found.width / width for name, found in null.items()},
            )


def _levels(versions: int) -> list[float]:
    return [float(level) for level in np.linspace(_DRIFT, 1.0, versions)] if versions > 1 else [1.0]


def _of_rate(rate: float) -> Callable[[np.random.Generator, Sizes, float, int], dict[str, Judged]]:
    def judge(rng: np.random.Generator, sizes: Sizes, lift: float, sims: int) -> dict[str, Judged]:
        levels = np.array(_levels(len(sizes)))[:, None] * rate
        n_c, n_t = (np.array([pair[arm] for pair in sizes])[:, None] for arm in (0, 1))
        shape = (len(sizes), sims)
        x_c = rng.binomial(n_c, levels, shape).astype(float)
        x_t = rng.binomial(n_t, levels * (1 + lift), shape).astype(float)
        sums = [np.broadcast_to(v, shape).sum(axis=0) for v in (n_c, x_c, n_t, x_t)]
        return {
            METHODS[0]: rates_over_versions(x_c, n_c, x_t, n_t),
            METHODS[1]: _rates_by_units(x_c, n_c, x_t, n_t),
            METHODS[2]: Judged.of(compare_proportion_arrays(*sums).absolute),
        }

    return judge


def rates_over_versions(x_c: FloatArray, n_c: FloatArray, x_t: FloatArray, n_t: FloatArray) -> Judged:
    """What `compare_strata` gives for every column of counts, the strata along the first axis."""
    counts = StratifiedCounts.of(x_c, n_c, x_t, n_t)
    if len(counts.n_c) == 1:
        return Judged.of(compare_proportion_arrays(counts.n_c[0], x_c[0], counts.n_t[0], x_t[0]).absolute)
    score = needs_score_array(counts.n_c, x_c, counts.n_t, x_t).any(axis=0)
    half = _CRITICAL * np.sqrt((counts.weights**2 * _variances(counts)).sum(axis=0))
    lower, upper = counts.weighted_diff - half, counts.weighted_diff + half
    if score.any():
        few = StratifiedCounts.of(*(v[:, score] for v in (counts.x_c, counts.n_c, counts.x_t, counts.n_t)))
        lower[score], upper[score] = stratified_difference_limits(few, _CRITICAL)
    return Judged(lower, upper)


def _rates_by_units(x_c: FloatArray, n_c: FloatArray, x_t: FloatArray, n_t: FloatArray) -> Judged:
    counts = StratifiedCounts.of(x_c, n_c, x_t, n_t)
    units = counts.n_c + counts.n_t
    weights = units / units.sum(axis=0)
    se = np.sqrt((weights**2 * _variances(counts)).sum(axis=0))
    return Judged.of(infer((weights * counts.diff).sum(axis=0), se, np.inf))


def _variances(counts: StratifiedCounts) -> FloatArray:
    p_c, p_t = counts.x_c / counts.n_c, counts.x_t / counts.n_t
    return np.asarray(p_c * (1 - p_c) / counts.n_c + p_t * (1 - p_t) / counts.n_t)


Draw = Callable[[np.random.Generator, int, int, float, float], list[Moments] | list[RatioMoments]]


def _of_sums(
    kind: MetricKind, draw: Draw
) -> Callable[[np.random.Generator, Sizes, float, int], dict[str, Judged]]:
    def judge(rng: np.random.Generator, sizes: Sizes, lift: float, sims: int) -> dict[str, Judged]:
        drawn = [
            (draw(rng, sims, n_c, level, 0.0), draw(rng, sims, n_t, level, lift))
            for (n_c, n_t), level in zip(sizes, _levels(len(sizes)), strict=True)
        ]
        found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in METHODS}
        for sim in range(sims):
            strata = [(control[sim], treatment[sim]) for control, treatment in drawn]
            each = [metric_effect(kind, *pair) for pair in strata]
            whole = strata[0]
            for pair in strata[1:]:
                whole = whole[0].merge(pair[0]), whole[1].merge(pair[1])  # type: ignore[arg-type]
            effects = (
                combine(kind, strata),
                _by_units([effect for effect in each if isinstance(effect, Effect)]),
                metric_effect(kind, *whole),
            )
            for name, effect in zip(METHODS, effects, strict=True):
                assert isinstance(effect, Effect)
                found[name].append((effect.diff, effect.variance**0.5, effect.df))
        return {name: Judged.of(infer(*np.array(rows).T)) for name, rows in found.items()}

    return judge


def _by_units(strata: Sequence[Effect]) -> Effect:
    """Weights by the versions' units, with the variances they imply."""
    units = [effect.n_control + effect.n_treatment for effect in strata]
    shares = [n / sum(units) for n in units]
    return Effect(
        method=Method.WELCH,
        n_control=1,
        n_treatment=1,
        control=0.0,
        diff=sum(w * e.diff for w, e in zip(shares, strata, strict=True)),
        var_control=0.0,
        var_from_control=sum(w * w * e.var_from_control for w, e in zip(shares, strata, strict=True)),
        var_from_treatment=sum(w * w * e.var_from_treatment for w, e in zip(shares, strata, strict=True)),
        covariance=0.0,
        freedom=stratified_effect(strata).df,
    )


def _normal(rng: np.random.Generator, sims: int, n: int, level: float, lift: float) -> list[Moments]:
    """Sums of normal values, mean 10 and deviation 10, drawn as such."""
    sums = n * 10 * level * (1 + lift) + rng.normal(0, 10 * n**0.5, sims)
    centred = 100 * rng.chisquare(n - 1, sims)
    rows = zip(sums.tolist(), centred.tolist(), strict=True)
    return [Moments(n, total, spread + total * total / n, spread) for total, spread in rows]


def _revenue(rng: np.random.Generator, sims: int, n: int, level: float, lift: float) -> list[Moments]:
    """Sums of revenue: 5 % of the units buy, for lognormal(3, 1.5)."""
    buyers = rng.binomial(n, 0.05 * level, sims)
    values = rng.lognormal(3, 1.5, int(buyers.sum())) * (1 + lift)
    owner = np.repeat(np.arange(sims), buyers)
    sums, squares = (np.bincount(owner, of, minlength=sims).tolist() for of in (values, values**2))
    return [Moments(n, *row) for row in zip(sums, squares, strict=True)]


def _ratio(rng: np.random.Generator, sims: int, n: int, level: float, lift: float) -> list[RatioMoments]:
    """Successes per event: 1 + Poisson(5) events a unit, each a success with the unit's own rate from Beta(2, 18)."""
    rows: list[RatioMoments] = []
    for start in range(0, sims, block := max(1, _UNIT_DRAWS // n)):
        count = min(block, sims - start)
        d = 1.0 + rng.poisson(5, (count, n))
        rates = np.minimum(rng.beta(2, 18, (count, n)) * level * (1 + lift), 1.0)
        m = rng.binomial(d.astype(int), rates).astype(float)
        sums = np.stack([v.sum(axis=1) for v in (m, d, m * m, d * d, m * d)], axis=1)
        rows += [RatioMoments(n, *row) for row in sums.tolist()]
    return rows


# How a metric is judged, the lift whose power is measured, and simulations.
METRICS = {
    "rate 0.01": (_of_rate(0.01), 0.4, 20_000),
    "rate 0.1": (_of_rate(0.1), 0.12, 20_000),
    "mean, normal": (_of_sums(MetricKind.MEAN, _normal), 0.04, 3000),
    "mean, revenue of 5 % buyers": (_of_sums(MetricKind.MEAN, _revenue), 0.6, 3000),
    "ratio": (_of_sums(MetricKind.RATIO, _ratio), 0.055, 1000),
}


def coverage(scale: float = 1.0) -> Iterator[tuple[str, dict[str, float]]]:
    """How often 95 % intervals of a rate hold the weighted difference, by the variance they take."""
    sims = max(round(200_000 * scale), 200)
    for name, (sizes, control, treatment) in _EFFECTS.items():
        rng = np.random.default_rng(2026)
        n_c, n_t = (np.array([pair[arm] for pair in sizes])[:, None] for arm in (0, 1))
        p_c, p_t = np.array(control)[:, None], np.array(treatment)[:, None]
        shape = (len(sizes), sims)
        counts = StratifiedCounts.of(rng.binomial(n_c, p_c, shape), n_c, rng.binomial(n_t, p_t, shape), n_t)
        truth = float((counts.weights[:, 0] * (p_t - p_c)[:, 0]).sum())
        yield (
            name,
            {
                how: float(np.mean((lower <= truth) & (truth <= upper)))
                for how, (lower, upper) in _intervals(counts).items()
            },
        )


def _intervals(counts: StratifiedCounts) -> dict[str, tuple[FloatArray, FloatArray]]:
    x_c, n_c, x_t, n_t = counts.x_c, counts.n_c, counts.x_t, counts.n_t
    diff, total, n = counts.weighted_diff, (n_c * n_t / (n_c + n_t)).sum(axis=0), n_c + n_t
    own = _CRITICAL * np.sqrt((counts.weights**2 * _variances(counts)).sum(axis=0))
    slope = ((n_t**2 * x_c - n_c**2 * x_t + n_t * n_c * (n_c - n_t) / 2) / n**2).sum(axis=0) / total**2
    constant = ((x_t * (n_c - x_c) + x_c * (n_t - x_t)) / (2 * n)).sum(axis=0) / total**2
    sato = _CRITICAL * np.sqrt(diff * slope + constant)
    middle = diff + _CRITICAL**2 * slope / 2
    klingenberg = np.sqrt(middle**2 - diff**2 + _CRITICAL**2 * constant)
    return {
        "each version's own": (diff - own, diff + own),
        "Sato": (diff - sato, diff + sato),
        "Klingenberg": (middle - klingenberg, middle + klingenberg),
        "score": stratified_difference_limits(counts, _CRITICAL),
    }


_EFFECTS: dict[str, tuple[Sizes, tuple[float, ...], tuple[float, ...]]] = {
    "9,000:1,000 then 5,000:5,000, no effect": (((9000, 1000), (5000, 5000)), (0.2, 0.05), (0.2, 0.05)),
    "the same, +2 points in both": (((9000, 1000), (5000, 5000)), (0.2, 0.05), (0.22, 0.07)),
    "the same, +10 points, then none": (((9000, 1000), (5000, 5000)), (0.2, 0.05), (0.3, 0.05)),
    "9,000:1,000 then 1,000:9,000, +20 points, then −5": (
        ((9000, 1000), (1000, 9000)),
        (0.1, 0.1),
        (0.3, 0.05),
    ),
    "9,900:100 then 5,000:5,000 at 0.01, no effect": (
        ((9900, 100), (5000, 5000)),
        (0.01, 0.01),
        (0.01, 0.01),
    ),
}


def markdown(cells: Sequence[Cell], covered: Sequence[tuple[str, dict[str, float]]]) -> str:
    """Both tables. Power is in brackets where the size is above 6.5 %: there it is no power."""
    lines = [
        "| metric | units, control : treatment | false positives, % (worse + better) | power, % | width |",
        "|---|---|---|---|---|",
    ]
    for cell in cells:
        sizes = " / ".join(
            f"{100 * sum(tails):.1f} ({100 * tails[0]:.1f} + {100 * tails[1]:.1f})"
            for tails in cell.tails.values()
        )
        powers = " / ".join(
            f"{100 * power:.0f}" if sum(cell.tails[name]) <= 0.065 else f"({100 * power:.0f})"
            for name, power in cell.power.items()
        )
        widths = " / ".join(f"{width:.2f}" for width in cell.width.values())
        lines.append(f"| {cell.metric} | {cell.design} | {sizes} | {powers} | {widths} |")
    hows = list(covered[0][1])
    lines += ["", f"| coverage of 95 % intervals | {' | '.join(hows)} |", "|---|" + "---|" * len(hows)]
    lines += [f"| {name} | {' | '.join(f'{rates[how]:.4f}' for how in hows)} |" for name, rates in covered]
    return "\n".join(lines)
