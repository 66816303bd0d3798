"""Lopsided arms of skewed metrics: size, coverage and power of the variances that could be taken, at one look."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from neonblue.statistics.methods.many import compare_cuped_arrays, compare_mean_arrays, compare_ratio_arrays
from neonblue.statistics.methods.t_test import EstimateArrays, infer, welch_df
from tests.calibration.exact import FloatArray

Sizes = tuple[int, int]
Splits = Sizes | tuple[FloatArray, FloatArray]
Sums = tuple[FloatArray, ...]

LIFT = 0.5
LOG_MEAN, LOG_SD, BUYERS = 3.0, 1.5, 0.05
REVENUE = BUYERS * math.exp(LOG_MEAN + LOG_SD**2 / 2)
SHARES: tuple[Sizes, ...] = (
    (10_000, 10_000),
    (12_000, 8000),
    (15_000, 5000),
    (18_000, 2000),
    (19_000, 1000),
    (19_800, 200),
    (1900, 100),
    (9900, 100),
    (95_000, 5000),
    (99_000, 1000),
)
FEWER = (SHARES[0], SHARES[3], SHARES[4], SHARES[5])
CANARIES = ((1800, 200), (1900, 100), (9900, 100))
_CRITICAL = float(stats.norm.isf(0.025))
_UNIT_DRAWS = 2_000_000
_TAIL = 0.035
_PERMUTATIONS, _PERMUTED = 400, 150


@dataclass(frozen=True)
class Rates:
    """Of one method, shares of simulations.

    worse, better: called so without an effect. covered: intervals that hold an effect of +50 %; gain, loss: effects of
    +50 % called better, and of -50 % called worse.
    """

    worse: float
    better: float
    covered: float
    gain: float
    loss: float


@dataclass(frozen=True)
class Row:
    """One metric at one split, by method."""

    metric: str
    sizes: Sizes
    rates: dict[str, Rates]


def measure(scale: float = 1.0) -> Iterator[Row]:
    """Every metric at every split."""
    for metric, (draw, value, splits, sims) in METRICS.items():
        for sizes in splits:
            rng, count = np.random.default_rng(2026), max(round(sims * scale), 20)
            null = draw(rng, count, sizes, 0.0)
            effect, loss = draw(rng, count, sizes, LIFT), draw(rng, count, sizes, -LIFT)
            rates = {
                name: Rates(
                    worse=float(np.mean(found.upper < 0)),
                    better=float(np.mean(found.lower > 0)),
                    covered=float(
                        np.mean((effect[name].lower <= LIFT * value) & (LIFT * value <= effect[name].upper))
                    ),
                    gain=float(np.mean(effect[name].lower > 0)),
                    loss=float(np.mean(loss[name].upper < 0)),
                )
                for name, found in null.items()
            }
            yield Row(metric, sizes, rates)


def revenue(rng: np.random.Generator, sims: int, n: int, lift: float = 0.0, cap: float = math.inf) -> Sums:
    """Sums and sums of squares of revenue: 5 % of the units buy, for lognormal(3, 1.5), at most `cap`."""
    buyers = rng.binomial(n, BUYERS, sims)
    values = np.minimum(rng.lognormal(LOG_MEAN, LOG_SD, int(buyers.sum())) * (1 + lift), cap)
    return _of_buyers(buyers, values, values**2)


def _of_buyers(buyers: FloatArray, *columns: FloatArray) -> Sums:
    owner = np.repeat(np.arange(len(buyers)), buyers)
    return tuple(np.bincount(owner, column, len(buyers)) for column in columns)


def _revenue(rng: np.random.Generator, sims: int, sizes: Sizes, lift: float) -> dict[str, EstimateArrays]:
    control, treatment = revenue(rng, sims, sizes[0]), revenue(rng, sims, sizes[1], lift)
    return by_variance(sizes, control, treatment, of_means(sizes, control, treatment))


def _values(
    draw: Callable[[np.random.Generator, tuple[int, int]], FloatArray],
) -> Callable[[np.random.Generator, int, Sizes, float], dict[str, EstimateArrays]]:
    """A mean whose units are drawn one by one."""

    def judge(rng: np.random.Generator, sims: int, sizes: Sizes, lift: float) -> dict[str, EstimateArrays]:
        arms = []
        for n, factor in zip(sizes, (1.0, 1 + lift), strict=True):
            parts = [draw(rng, (count, n)) * factor for count in _blocks(sims, n)]
            arms.append(tuple(np.concatenate([(v**k).sum(axis=1) for v in parts]) for k in (1, 2)))
        return by_variance(sizes, arms[0], arms[1], of_means(sizes, arms[0], arms[1]))

    return judge


def of_means(sizes: Splits, control: Sums, treatment: Sums) -> EstimateArrays:
    """The engine's tests."""
    return compare_mean_arrays(sizes[0], *control, sizes[1], *treatment).absolute


def _spend_per_visit(
    rng: np.random.Generator, sims: int, sizes: Sizes, lift: float
) -> dict[str, EstimateArrays]:
    """Revenue over visits: 1 + Poisson(5) a unit."""
    arms = []
    for n, factor in zip(sizes, (1.0, 1 + lift), strict=True):
        blocks = []
        for count in _blocks(sims, n):
            d = 1.0 + rng.poisson(5, (count, n))
            m = (
                np.where(rng.random((count, n)) < BUYERS, rng.lognormal(LOG_MEAN, LOG_SD, (count, n)), 0.0)
                * factor
            )
            blocks.append(np.stack([v.sum(axis=1) for v in (m, d, m * m, d * d, m * d)]))
        arms.append(np.concatenate(blocks, axis=1))
    rows = [np.vstack([np.full(sims, float(n)), arm]) for n, arm in zip(sizes, arms, strict=True)]
    values = [arm[0] / arm[1] for arm in arms]
    residuals = [
        (arm[2] - 2 * r * arm[4] + r * r * arm[3]) / (n - 1) / n / (arm[1] / n) ** 2
        for arm, r, n in zip(arms, values, sizes, strict=True)
    ]
    own = (values[1] - values[0], residuals[0], residuals[1])
    return _judged(sizes, own, compare_ratio_arrays(*rows).absolute)


def _adjusted(rng: np.random.Generator, sims: int, sizes: Sizes, lift: float) -> dict[str, EstimateArrays]:
    """Revenue adjusted by what the same buyers spent before, at a correlation of 0.7 of the logarithms."""
    rows = []
    for n, factor in zip(sizes, (1.0, 1 + lift), strict=True):
        buyers = rng.binomial(n, BUYERS, sims)
        z, other = rng.normal(size=(2, int(buyers.sum())))
        x = np.exp(LOG_MEAN + LOG_SD * z)
        y = factor * np.exp(LOG_MEAN + LOG_SD * (0.7 * z + math.sqrt(1 - 0.49) * other))
        rows.append(np.stack([np.full(sims, float(n)), *_of_buyers(buyers, y, x, y * y, x * x, x * y)]))
    centred = [(r[3] - r[1] ** 2 / r[0], r[4] - r[2] ** 2 / r[0], r[5] - r[1] * r[2] / r[0]) for r in rows]
    slope = (centred[0][2] + centred[1][2]) / (centred[0][1] + centred[1][1])
    own = [
        (yy - 2 * slope * xy + slope**2 * xx) / (r[0] - 1) / r[0]
        for (yy, xx, xy), r in zip(centred, rows, strict=True)
    ]
    gap = [rows[1][i] / rows[1][0] - rows[0][i] / rows[0][0] for i in (1, 2)]
    return _judged(sizes, (gap[0] - slope * gap[1], *own), compare_cuped_arrays(*rows).absolute)


def _mildly_skewed(rng: np.random.Generator, shape: tuple[int, int]) -> FloatArray:
    """Lognormal, mean 1, with a deviation just below the half of it from which on a metric counts as skewed."""
    return rng.lognormal(-(0.464**2) / 2, 0.464, shape)


def _blocks(sims: int, n: int) -> list[int]:
    block = max(1, _UNIT_DRAWS // n)
    return [min(block, sims - start) for start in range(0, sims, block)]


def by_variance(
    sizes: Splits, control: Sums, treatment: Sums, engine: EstimateArrays
) -> dict[str, EstimateArrays]:
    """The difference of means by each arm's own variance (Welch), by the engine, and by the pooled one (Student)."""
    return _judged(sizes, _mean_arms(sizes, control, treatment), engine)


def _mean_arms(sizes: Splits, control: Sums, treatment: Sums) -> tuple[FloatArray, FloatArray, FloatArray]:
    means = [sums[0] / n for sums, n in zip((control, treatment), sizes, strict=True)]
    variances = [
        (sums[1] - sums[0] * mean) / (n - 1) / n
        for sums, mean, n in zip((control, treatment), means, sizes, strict=True)
    ]
    return means[1] - means[0], variances[0], variances[1]


def _judged(
    sizes: Splits, own: tuple[FloatArray, FloatArray, FloatArray], engine: EstimateArrays
) -> dict[str, EstimateArrays]:
    (n_c, n_t), (diff, v_c, v_t) = sizes, own
    spread = (n_c * (n_c - 1) * v_c + n_t * (n_t - 1) * v_t) / (n_c + n_t - 2)
    return {
        "Welch": infer(diff, np.sqrt(v_c + v_t), welch_df(v_c, n_c, v_t, n_t)),
        "engine": engine,
        "pooled": infer(diff, np.sqrt(spread * (1 / n_c + 1 / n_t)), n_c + n_t - 2),
    }


# How a metric is drawn and judged, its value without an effect, the splits, and simulations.
METRICS = {
    "revenue": (_revenue, REVENUE, SHARES, 3000),
    "revenue per visit (ratio)": (_spend_per_visit, REVENUE / 6, FEWER, 400),
    "revenue adjusted (CUPED)": (_adjusted, REVENUE, FEWER, 3000),
    "exponential": (_values(lambda rng, shape: rng.standard_exponential(shape)), 1.0, CANARIES, 1000),
    "lognormal, deviation 0.49 of the mean": (_values(_mildly_skewed), 1.0, CANARIES, 1000),
    "normal, deviation 0.3 of the mean": (
        _values(lambda rng, shape: rng.normal(1, 0.3, shape)),
        1.0,
        CANARIES,
        1000,
    ),
}


@dataclass(frozen=True)
class Rival:
    """Tests that need more than sums, on revenue: worse and better without an effect, and better with it."""

    sizes: Sizes
    rates: dict[str, tuple[float, float, float]]


def rivals(scale: float = 1.0) -> Iterator[Rival]:
    """Hall's transformed t and the studentized permutation test."""
    for sizes in ((10_000, 10_000), (18_000, 2000), (19_000, 1000), (1900, 100)):
        rng = np.random.default_rng(2026)
        sims = max(round(_PERMUTED * scale), 5)
        found: dict[str, list[list[FloatArray]]] = {"Hall": [], "permutation": []}
        for lift in (0.0, LIFT):
            runs = [_rivals(rng, sizes, lift) for _ in range(sims)]
            for place, name in enumerate(found):
                found[name].append([np.array([run[place] for run in runs])])
        yield Rival(
            sizes,
            {
                name: (float(np.mean(null < 0)), float(np.mean(null > 0)), float(np.mean(effect > 0)))
                for name, ((null,), (effect,)) in found.items()
            },
        )


def _rivals(rng: np.random.Generator, sizes: Sizes, lift: float) -> tuple[int, int]:
    """-1, 0 or 1 by each test of one experiment: what it calls the difference at 5 %."""
    arms = [rng.lognormal(LOG_MEAN, LOG_SD, rng.binomial(n, BUYERS)) for n in sizes]
    arms[1] = arms[1] * (1 + lift)
    powers = [np.array([np.sum(arm**k) for k in (1, 2, 3)])[:, None] for arm in arms]
    t = _studentized(sizes, powers[0], powers[1])
    third = [
        (p[2] - 3 * p[0] / n * p[1] + 2 * p[0] ** 3 / n**2) / n for p, n in zip(powers, sizes, strict=True)
    ]
    own = [(p[1] - p[0] ** 2 / n) / n / n for p, n in zip(powers, sizes, strict=True)]
    skew = (third[1] / sizes[1] ** 2 - third[0] / sizes[0] ** 2) / (own[0] + own[1]) ** 1.5
    hall = t + skew / 3 * t**2 + skew**2 / 27 * t**3 + skew / 6
    values = np.concatenate(arms)
    taken = rng.hypergeometric(len(values), sum(sizes) - len(values), sizes[1], _PERMUTATIONS)
    order = np.argsort(rng.random((_PERMUTATIONS, len(values))), axis=1) < taken[:, None]
    treated = np.stack([order @ values**k for k in (1, 2)])
    whole = np.array([[np.sum(values**k)] for k in (1, 2)])
    drawn = _studentized(sizes, whole - treated, treated)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return _called(float(hall[0]), -_CRITICAL, _CRITICAL), _called(float(t[0]), float(low), float(high))


def _called(statistic: float, low: float, high: float) -> int:
    return int(statistic > high) - int(statistic < low)


def _studentized(sizes: Sizes, control: FloatArray, treatment: FloatArray) -> FloatArray:
    diff, v_c, v_t = _mean_arms(sizes, (control[0], control[1]), (treatment[0], treatment[1]))
    return np.asarray(diff / np.sqrt(v_c + v_t))


def markdown(rows: Sequence[Row], others: Sequence[Rival]) -> str:
    """Both tables. Power is in brackets where the same tail is above 3.5 % without an effect: there it is no power."""
    names = list(rows[0].rates)
    lines = [
        f"| one look at 5 %: {' / '.join(names)} | control : treatment | false, % (worse + better) | "
        "covered at +50 %, % | power at +50 %, % | power at −50 %, % |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        false = " / ".join(f"{100 * r.worse:.1f} + {100 * r.better:.1f}" for r in row.rates.values())
        covered = " / ".join(f"{100 * r.covered:.1f}" for r in row.rates.values())
        gain = " / ".join(_power(r.gain, r.better) for r in row.rates.values())
        loss = " / ".join(_power(r.loss, r.worse) for r in row.rates.values())
        lines.append(f"| {row.metric} | {_split(row.sizes)} | {false} | {covered} | {gain} | {loss} |")
    lines += [
        "",
        "| revenue: transformed t (Hall) / studentized permutation | false, % | power at +50 %, % |",
        "|---|---|---|",
    ]
    for rival in others:
        false = " / ".join(
            f"{100 * worse:.0f} + {100 * better:.0f}" for worse, better, _ in rival.rates.values()
        )
        power = " / ".join(f"{100 * power:.0f}" for *_, power in rival.rates.values())
        lines.append(f"| {_split(rival.sizes)} | {false} | {power} |")
    return "\n".join(lines)


def _power(power: float, false: float) -> str:
    return f"{100 * power:.0f}" if false <= _TAIL else f"({100 * power:.0f})"


def _split(sizes: Sizes) -> str:
    return f"{sizes[0]:,} : {sizes[1]:,}"
