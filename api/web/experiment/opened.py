"""What an opened row of a metric says: what it means, and what was done to its numbers. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from api.metric_catalogue.schemas import MetricOut
from api.web.shared.definitions import definition_of
from neonblue.analysis.answer import ResultItem
from neonblue.statistics import Method, numbers
from neonblue.texts import plain

_NO_NUMBERS = "there are no numbers yet"


@dataclass(frozen=True, slots=True)
class Opened:
    """definition: in words. facts: names and texts."""

    definition: str
    facts: tuple[tuple[str, str], ...]


def opened_of(metric: MetricOut, item: ResultItem | None) -> Opened:
    """item: its numbers in one arm; None where there are none yet."""
    facts = [("cap", _cap(metric)), ("CUPED", _cuped(metric, item))]
    if item is not None:
        facts += [
            ("test", _test(item)),
            ("correction", _correction(item)),
            ("left out, without a value", _in_arms(item.missing_control, item.missing_variant)),
            ("left out, window not ended", _in_arms(item.unfinished_control, item.unfinished_variant)),
        ]
    return Opened(definition_of(metric), tuple((name, text) for name, text in facts if text))


def _cap(metric: MetricOut) -> str:
    if metric.cap is not None:
        return f"what is above {plain(metric.cap)} counts as {plain(metric.cap)}"
    if metric.cap_percentile is not None:
        at = numbers.share(float(metric.cap_percentile), digits=2)
        return f"what is above the {at} quantile of all arms counts as that"
    return "none"


def _cuped(metric: MetricOut, item: ResultItem | None) -> str:
    if not metric.cuped:
        return "not asked for"
    if item is None or not item.method:
        return f"asked for; {_NO_NUMBERS}"
    if item.method == Method.CUPED:
        return "used: what units did before their entry makes the interval narrower"
    return "asked for, and not used in this test"


def _test(item: ResultItem) -> str:
    if not item.method:
        return ""
    level = "" if item.level is None else f", interval at {numbers.level(item.level)}"
    return f"{plain(item.method.replace('_', ' '))}{level}"


def _correction(item: ResultItem) -> str:
    """What being one of several metrics and arms did to p."""
    if item.p_value is None or item.adjusted_p is None:
        return ""
    alone, adjusted = numbers.p_value(item.p_value), numbers.p_value(item.adjusted_p)
    if item.p_value == item.adjusted_p:
        return f"none: p is {alone} alone and within its family"
    return f"p is {alone} alone, {adjusted} within its family"


def _in_arms(control: int, variant: int) -> str:
    if not control and not variant:
        return ""
    return f"{numbers.count(control)} in the control, {numbers.count(variant)} in the arm"
