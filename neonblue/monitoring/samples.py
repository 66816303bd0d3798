"""Numbers on their way to Prometheus: what each is called, and what it says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric


@dataclass(frozen=True, slots=True)
class Family:
    """A metric: its name (a counter's ends with ``_total``), what it says, the names of its labels."""

    name: str
    says: str
    labels: tuple[str, ...] = ()

    def __call__(self, value: float, *labels: str) -> Sample:
        """One number of it. Raises ``ValueError`` where it does not have so many labels."""
        if len(labels) != len(self.labels):
            raise ValueError(f"{self.name} has the labels {self.labels}")
        return Sample(self, float(value), labels)


@dataclass(frozen=True, slots=True)
class Sample:
    """One number. `labels`: their values, as the family names them."""

    family: Family
    value: float
    labels: tuple[str, ...] = ()


def collected(samples: Iterable[Sample]) -> Iterator[Metric]:
    """As prometheus_client writes them, each family once."""
    metrics: dict[str, CounterMetricFamily | GaugeMetricFamily] = {}
    for sample in samples:
        family = sample.family
        if family.name not in metrics:
            kind = CounterMetricFamily if family.name.endswith("_total") else GaugeMetricFamily
            metrics[family.name] = kind(family.name, family.says, labels=family.labels)
        metrics[family.name].add_metric(sample.labels, sample.value)
    yield from metrics.values()
