"""Everything that is measured, as rows of the table; `scale` shortens the simulations, not what they look at."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from neonblue.statistics.experiment.health import SampleRatio, sample_ratio
from neonblue.statistics.numerics.tails import normal_quantile
from neonblue.statistics.sequential.boundaries import repeated_testing_error
from neonblue.statistics.sequential.sample_ratio import sequential_sample_ratio
from neonblue.statistics.sequential.spending import Spending, SpendingFamily
from tests.calibration import exact, methods, paths, simulated
from tests.calibration.table import Row, about, at_most, exactly, within

_SEED = 2026
_SIZES = (
    (1000, 1000, 0.1),
    (1000, 1000, 0.01),
    (5000, 5000, 0.02),
    (1900, 100, 0.1),
    (9900, 100, 0.05),
    (50, 50, 0.1),
)
_COVERAGES = (
    (1000, 1000, 0.05, 0.0),
    (1000, 1000, 0.05, 0.3),
    (200, 200, 0.1, 0.5),
    (9900, 100, 0.05, 0.0),
    (50, 50, 0.1, 1.0),
    (50, 50, 0.02, 0.0),
    (20, 20, 0.1, 0.0),
    (1000, 1000, 0.001, 0.0),
)


def measure(scale: float = 1.0) -> Iterator[Row]:
    """Rows in the table's order; scale 1 takes minutes, 0.02 seconds."""
    yield from _proportion_sizes()
    yield from _proportion_coverage()
    yield from _means(max(round(50_000 * scale), 1000))
    yield from _covariates_and_ratios(max(round(40_000 * scale), 1000))
    yield from _families(max(round(20_000 * scale), 1000))
    yield from _peeking(max(round(10_000 * scale), 500))
    yield from _group_sequences(max(round(500 * scale), 20))
    yield from _health(max(round(5000 * scale), 300))
    yield from _uniform()


def _proportion_sizes() -> Iterator[Row]:
    for n_c, n_t, p in _SIZES:
        grid = exact.Grid.of(n_c, n_t, p, p)
        rates = exact.rejection(grid, methods.default_z)
        name = f"default test of a proportion, {n_c:,} vs {n_t:,} at {p:g}"
        yield exactly(f"{name}: size", rates["two_sided"], 0.0, 0.056)
        for tail in ("upper", "lower"):
            yield exactly(f"{name}: {tail} tail", rates[tail], 0.0, 0.035)


def _proportion_coverage() -> Iterator[Row]:
    for n_c, n_t, p, lift in _COVERAGES:
        grid = exact.Grid.of(n_c, n_t, p, p * (1 + lift))
        name = f"{n_c:,} vs {n_t:,} at {p:g}, lift {lift:+.0%}"
        difference = exact.coverage(grid, methods.default_difference, p * lift)
        yield exactly(f"default 95 % interval of the difference, {name}", difference, 0.935, 1.0)
        yield exactly(
            f"default 95 % interval of the lift, {name}",
            exact.coverage(grid, methods.default_lift, lift),
            0.935,
            1.0,
        )


def _means(sims: int) -> Iterator[Row]:
    for n in ((100, 100), (9900, 100)):
        count = max(sims if sum(n) < 1000 else sims // 4, 500)
        tails = simulated.welch(count, _SEED, n, skewed=False)
        name = f"Welch, normal values of unequal variance, {n[0]:,} vs {n[1]}"
        yield about(f"{name}: coverage", tails.coverage, 0.95, count)
        yield about(f"{name}: upper tail", tails.upper, 0.025, count)
        yield about(f"{name}: lower tail", tails.lower, 0.025, count)
    tails = simulated.welch(sims // 4, _SEED, (400, 400), skewed=True)
    yield about("Welch, exponential values, 400 vs 400: coverage", tails.coverage, 0.95, sims // 4)
    count = max(sims // 4, 500)
    tails = simulated.fieller_lift(count, _SEED, (400, 400))
    yield about("Fieller's lift, 400 vs 400: coverage", tails.coverage, 0.95, count)
    # Lopsided, and a deviation of twice the mean: the smaller arm's variance is not below that of all units.
    tails = simulated.fieller_lift(count, _SEED, (3960, 40))
    yield within("Fieller's lift, 3,960 vs 40: coverage", tails.coverage, 0.938, 0.98, count)
    count = max(sims // 10, 500)
    tails = simulated.median_difference(count, _SEED)
    yield within("difference of medians, lognormal, 500 vs 500: coverage", tails.coverage, 0.93, 0.97, count)


def _covariates_and_ratios(sims: int) -> Iterator[Row]:
    coverage, _ = simulated.cuped(sims // 4, _SEED)
    yield within("CUPED, 300 vs 300: coverage of the adjusted difference", coverage, 0.938, 0.962, sims // 4)
    delta, naive = simulated.ratio_metric(sims // 10, _SEED)
    yield within("ratio metric by the delta method, 1,000 vs 1,000: size", delta, 0.035, 0.065, sims // 10)
    yield within("the same with events taken for units (not offered): size", naive, 0.065, 0.11, sims // 10)


def _families(sims: int) -> Iterator[Row]:
    discovery, family = simulated.false_discoveries(sims, _SEED)
    yield at_most(
        "Benjamini-Hochberg, 50 metrics, 10 real effects: false discovery rate", discovery, 0.05, sims
    )
    yield at_most("Holm, the same: family-wise error", family, 0.05, sims)


def _peeking(sims: int) -> Iterator[Row]:
    populations = {
        "normal": paths.normal(),
        "proportion 0.1": paths.bernoulli(0.1),
        "proportion 0.01": paths.bernoulli(0.01),
        "revenue, 95 % zero": paths.rare_lognormal(),
    }
    for name, population in populations.items():
        for tuning in (5000, 10_000):
            rates = paths.false_positive_rates(
                population, n_min=100, n_max=50_000, sims=sims, seed=_SEED, tuning=tuning
            )
            what = f"confidence sequence (N* = {tuning:,}), 300 looks, {name}: false positives"
            yield at_most(what, rates["asympCS"], 0.05, sims)
        yield at_most(f"mixture test, 300 looks, {name}: false positives", rates["mSPRT"], 0.05, sims)
        yield within(f"fixed test at 300 looks, {name} (not allowed)", rates["naive"], 0.3, 0.65, sims)
    z = float(normal_quantile(0.975))
    peeking = repeated_testing_error(20, z)
    yield exactly("chance to win at 97.5 %, flat prior, 20 looks: false positives", peeking, 0.24, 0.255)


def _group_sequences(schedules: int) -> Iterator[Row]:
    for family in (SpendingFamily.OBRIEN_FLEMING, SpendingFamily.POCOCK):
        error = paths.group_sequence_error(schedules, 500, _SEED, Spending(family))
        name = family.value.replace("_", " ")
        what = f"group sequence, {name} spending, {schedules:,} random schedules with overruns: size"
        yield about(what, error, 0.05, schedules * 500)


def _health(sims: int) -> Iterator[Row]:
    rng = np.random.default_rng(_SEED)
    counts = rng.multinomial(10_000, [0.5, 0.3, 0.2], sims)
    tests = [sample_ratio([int(c) for c in row], [0.5, 0.3, 0.2], 0.05) for row in counts]
    found = np.mean([isinstance(test, SampleRatio) and test.p_value < 0.05 for test in tests])
    yield about("sample ratio, chi-square at 5 %: size", float(found), 0.05, sims)
    alarms = 0
    for _ in range(sims):
        path = sequential_sample_ratio([0.5, 0.3, 0.2], rng.multinomial(500, [0.5, 0.3, 0.2], 100).tolist())
        assert isinstance(path, list)
        alarms += path[-1].p_value <= 0.05
    yield at_most("sequential sample ratio at 5 %, 100 looks: false alarms", alarms / sims, 0.05, sims)
    daily = repeated_testing_error(30, float(-normal_quantile(0.0005)))
    yield exactly("chi-square at 0.1 % on each of 30 days (not offered): false alarms", daily, 0.0095, 0.0098)


def _uniform() -> Iterator[Row]:
    runs = 1000
    ks_p, share = simulated.uniformity(simulated.same_units_split_again(runs, _SEED))
    yield within(
        "A/A splits of one population: Kolmogorov-Smirnov p of their p-values", ks_p, 0.001, math.inf, runs
    )
    yield within("A/A splits: share of p-values below 0.05", share, 0.032, 0.07, runs)
