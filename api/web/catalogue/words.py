"""What a metric means, in sentences. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from api.metric_catalogue.schemas import MetricOut
from api.web.shared.definitions import definition_of
from neonblue.contract.metric_types import METRIC_TYPES

_ROLES = {
    "primary": "It is meant as a primary metric: experiments are decided by it.",
    "secondary": "It is meant as a secondary metric: it explains.",
    "guardrail": "It is meant as a guardrail: it must not be harmed.",
}
_ON_BREACH = {
    "alert": "When it is shown to be harmed, people are told.",
    "pause": "When it is shown to be harmed, the experiment is paused.",
    "roll_back": "When it is shown to be harmed, everybody is given the control.",
}


def sentences_of(metric: MetricOut) -> tuple[str, ...]:
    """The definition, what is measured first."""
    return tuple(_sentences(metric))


def share(number: str) -> str:
    """A fraction as per cent."""
    return f"{float(number) * 100:.10g} %"


def _sentences(metric: MetricOut) -> Iterator[str]:
    yield definition_of(metric)
    if metric.cap is not None:
        yield f"A unit’s total counts up to {metric.cap}."
    if metric.cap_percentile is not None:
        yield f"A unit’s total counts up to the value that {share(metric.cap_percentile)} of all units do not exceed."
    if METRIC_TYPES[metric.type].can_exclude and metric.missing != "exclude":
        yield "Units without such an event count as 0."
    yield "Less is better." if metric.direction == "decrease" else "More is better."
    yield _ROLES[metric.role]
    if metric.margin is not None:
        size = share(metric.margin) if metric.margin_relative else metric.margin
        yield f"A harm of up to {size} is accepted."
    if metric.on_breach is not None:
        yield _ON_BREACH[metric.on_breach]
    if metric.minimum_effect is not None:
        yield f"A change of {share(metric.minimum_effect)} is worth finding."
    if metric.cuped and METRIC_TYPES[metric.type].covariate:
        yield "What a unit did before its exposure makes the estimate more precise."
