"""Measured beside true: does each interval hold the truth?"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from clickhouse_connect.driver.client import Client

from neonblue.simulation.scenario import CONTROL, METRICS, TREATMENT, Scenario
from neonblue.statistics import Estimate, MetricKind, Moments, analyze_metric

ALPHA = 0.0001
"""A true effect lies outside its interval once in ten thousand runs; with a fixed seed never or always."""

MOMENTS = """
SELECT metric_key, variant_key, sum(n), toFloat64(sum(sum_value)), toFloat64(sum(sum_squares))
FROM metric_moments WHERE experiment_id = {experiment:UInt32} GROUP BY metric_key, variant_key
"""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One metric: its means, the difference with its 99.99 % interval, and the truth."""

    metric: str
    units: tuple[int, int]
    means: tuple[float | None, float | None]
    difference: float | None
    interval: tuple[float, float] | None
    truth: float

    @property
    def holds(self) -> bool:
        """Whether the truth lies in the interval; without an interval it does not."""
        return self.interval is not None and self.interval[0] <= self.truth <= self.interval[1]


def verdicts(client: Client, scenario: Scenario, experiment_id: int) -> list[Verdict]:
    """Every metric of the scenario, from the marts."""
    rows = client.query(MOMENTS, parameters={"experiment": experiment_id}).result_rows
    moments: dict[tuple[str, str], Moments] = defaultdict(lambda: Moments(0, 0.0, 0.0))
    for metric, variant, n, total, squares in rows:
        moments[metric, variant] = Moments(n, total, squares)
    kinds = {metric.key: MetricKind(metric.type) for metric in METRICS}
    return [
        _verdict(metric, kinds[metric], moments[metric, CONTROL], moments[metric, TREATMENT], truth)
        for metric, truth in scenario.truth().items()
    ]


def _verdict(metric: str, kind: MetricKind, control: Moments, treatment: Moments, truth: float) -> Verdict:
    comparison = analyze_metric(kind, control, treatment, ALPHA)
    estimate = comparison.absolute if isinstance(comparison.absolute, Estimate) else None
    return Verdict(
        metric,
        (comparison.n_control, comparison.n_treatment),
        (comparison.mean_control, comparison.mean_treatment),
        comparison.diff,
        (estimate.interval.lower, estimate.interval.upper) if estimate else None,
        truth,
    )
