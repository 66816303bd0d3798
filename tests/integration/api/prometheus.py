"""What `/metrics` says."""

from __future__ import annotations

import httpx
from prometheus_client.parser import text_string_to_metric_families


def counted(api: httpx.Client, name: str, **labels: str) -> float:
    """The sum of a counter's samples that have these labels."""
    return sum(
        sample.value
        for family in text_string_to_metric_families(api.get("/metrics").text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )
