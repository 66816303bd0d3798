"""Which guardrails can be watched as the events come in."""

from __future__ import annotations

from neonblue.contract.messages import ExperimentMessage, MetricMessage
from neonblue.contract.metric_types import SUMMED

LONGEST_WINDOW_SECONDS = 3600


def watched_guardrails(experiment: ExperimentMessage) -> list[MetricMessage]:
    """The guardrails of a running experiment whose window is at most an hour."""
    if experiment.status != "running" or experiment.source != "internal":
        return []
    return [metric for metric in experiment.metrics if can_be_watched(metric)]


def can_be_watched(metric: MetricMessage) -> bool:
    """Whether it is a guardrail that the sensor can sum from the events, with a window of at most an hour."""
    return (
        metric.role == "guardrail"
        and metric.type in SUMMED
        and metric.cap_percentile is None
        and metric.window_seconds is not None
        and metric.window_seconds <= LONGEST_WINDOW_SECONDS
    )
