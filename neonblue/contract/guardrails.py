"""Which metrics are watched as the events come in, and which part of the error each has. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from neonblue.contract.messages import ExperimentMessage, MetricMessage, WatchedMessage
from neonblue.contract.metric_types import SUMMED

_DEFINED = MetricMessage.__struct_fields__


def watched_guardrails(experiment: ExperimentMessage) -> list[MetricMessage]:
    """What is watched in a running experiment: its own guardrails that can be, then the catalogue's, as guardrails."""
    if experiment.status != "running" or experiment.source != "internal":
        return []
    own = [metric for metric in experiment.metrics if can_be_watched(metric)]
    return own + [as_guardrail(metric) for metric in experiment.watched if metric.active]


def as_guardrail(metric: WatchedMessage) -> MetricMessage:
    """The catalogue's metric as a guardrail of the experiment."""
    return MetricMessage(**{name: getattr(metric, name) for name in _DEFINED} | {"role": "guardrail"})


def can_be_watched(metric: MetricMessage) -> bool:
    """Whether it is a guardrail, and gives each unit one value that is final once the unit's window has ended."""
    return metric.role == "guardrail" and unwatchable(metric) is None


def unwatchable(metric: MetricMessage) -> tuple[str, str] | None:
    """Why a metric can't be watched: the field and the rule; None where it can."""
    if metric.type not in SUMMED:
        return "type", f"a {metric.type} can't be watched: it has no sums"
    if metric.cap_percentile is not None:
        return (
            "cap_percentile",
            "what is watched has a fixed cap: a pooled one changes values that were counted",
        )
    if metric.window_seconds is None:
        return (
            "window_seconds",
            "what is watched has a window that ends: without one no unit is ever finished",
        )
    return None


def error_parts(watched: Sequence[WatchedMessage]) -> dict[str, int]:
    """Into how many parts the error that the catalogue's metrics have in an experiment is cut for each, which has one.

    By key, at least 2; all of them together have the whole error at most. Half of it is divided among those that were
    watched from the start; of the other half the j-th that comes later has 1/(j(j + 1)). So a part that was given never
    changes, whatever comes or goes.
    """
    at_start = sum(metric.place == 0 for metric in watched)
    return {
        metric.key: 2 * at_start if metric.place == 0 else 2 * metric.place * (metric.place + 1)
        for metric in watched
    }
