"""Experiments whose shares changed, and pairs of arms within a version."""

from neonblue.statistics import (
    AllocationVersion,
    CovariateMoments,
    Experiment,
    Metric,
    MetricKind,
    Moments,
    Plan,
    QuantileSummary,
    RatioMoments,
    Role,
)
from neonblue.statistics.methods.by_kind import added

NOW = Plan(ended=True)


def rate(successes, n):
    return Moments.proportion(successes, n)


def ramp(metric, *versions):
    """An experiment of versions: (share of b, moments of a, moments of b)."""
    live = tuple(
        AllocationVersion(
            str(number),
            {"a": 1 - share, "b": share},
            {"a": a.n, "b": b.n},
            {(metric.name, "a"): a, (metric.name, "b"): b},
        )
        for number, (share, a, b) in enumerate(versions, start=1)
    )
    pooled = {}
    for arm in ("a", "b"):
        parts = [version.moments[metric.name, arm] for version in live]
        pooled[metric.name, arm] = parts[0] if isinstance(parts[0], QuantileSummary) else merged(parts)
    return Experiment("a", ("a", "b"), (metric,), pooled, live)


def merged(parts):
    total = parts[0]
    for part in parts[1:]:
        total = added(total, part)
    return total


SALES = Metric("sales", MetricKind.PROPORTION, Role.PRIMARY)


# No effect in either version; the rate fell from 20 % to 10 % when the treatment's share rose.
PARADOX = ramp(SALES, (0.1, rate(1800, 9000), rate(200, 1000)), (0.5, rate(500, 5000), rate(500, 5000)))


def ratio_arm(n, slope):
    return RatioMoments(n, slope * n, 2.0 * n, 3 * slope**2 * n, 5.0 * n, 2.5 * slope * n)


def covariate_arm(n, shift):
    return CovariateMoments(n, shift * n, 2.0 * n, (shift**2 + 3) * n, 6.0 * n, (2 * shift + 1) * n)


ONE_OF_EACH_KIND = [
    (MetricKind.MEAN, (Moments(400, 800.0, 5000.0), Moments(500, 1100.0, 7000.0))),
    (MetricKind.MEAN, (covariate_arm(400, 1.0), covariate_arm(300, 1.2))),
    (MetricKind.PROPORTION, (rate(300, 3000), rate(360, 3000))),
    (MetricKind.PROPORTION, (rate(3, 900), rate(9, 80))),
    (MetricKind.PROPORTION, (covariate_arm(400, 0.4), covariate_arm(300, 0.5))),
    (MetricKind.RATIO, (ratio_arm(400, 1.0), ratio_arm(300, 1.1))),
    (
        MetricKind.QUANTILE,
        tuple(QuantileSummary.from_values(range(base, base + 200), 0.5) for base in (0, 20)),
    ),
    (MetricKind.MEAN, (Moments(0, 0.0, 0.0), Moments(9, 9.0, 10.0))),
    (MetricKind.MEAN, (Moments(9, 9.0, 9.0), Moments(9, 9.0, 9.0))),
]
