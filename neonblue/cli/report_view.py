"""An analysis as rows of text and as JSON."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

from neonblue.statistics import Estimate, Experiment, Lift, MetricKind, Report, Status
from neonblue.statistics.analysis import MetricResult
from neonblue.statistics.wording import p_value, percent

_SINGLE_LOOK = ("p_value", "log10_p", "p_greater", "p_less")


def rows_of(report: Report) -> Iterator[tuple[str, ...]]:
    """One row per metric and arm: values, difference and lift above their intervals, p above its adjusted value.

    The verdict ends the row. Rates are shown in percent and their differences in percentage points.
    """
    for result in report.results:
        comparison, kind = result.comparison, result.metric.kind
        control, treatment = (_value(v, kind) for v in (comparison.mean_control, comparison.mean_treatment))
        yield (
            result.metric.name,
            result.arm,
            f"{control} → {treatment}",
            *_inference(result),
            result.verdict.value,
        )


def as_json(experiment: Experiment, report: Report) -> dict[str, Any]:
    """The whole analysis as JSON values; what is not a finite number is null.

    Before the planned end the p-values of a single look are left out, as a report must not show them.
    """
    fields = dataclasses.asdict(report)
    for result, shown in zip(report.results, fields["results"], strict=True):
        if isinstance(result.comparison.absolute, Estimate) and result.fixed_p is None:
            for name in _SINGLE_LOOK:
                del shown["comparison"]["absolute"][name]
    value: dict[str, Any] = _plain({"control": experiment.control, **fields})
    return value


def _inference(result: MetricResult) -> tuple[str, str, str]:
    test, lift = result.comparison.absolute, result.comparison.relative
    if isinstance(test, Status):
        return _words(test), "", ""
    shown = _words(lift) if isinstance(lift, Status) else _lift(lift)
    return _difference(test, result.metric.kind), shown, _p(result)


def _difference(test: Estimate, kind: MetricKind) -> str:
    if kind is MetricKind.PROPORTION:
        low, high = 100 * test.interval.lower, 100 * test.interval.upper
        return f"{100 * test.diff:+.2f} points\n[{low:+.2f}, {high:+.2f}]"
    return f"{test.diff:+,.4g}\n[{test.interval.lower:+,.4g}, {test.interval.upper:+,.4g}]"


def _lift(lift: Lift) -> str:
    return f"{percent(lift.value)}\n[{percent(lift.interval.lower)}, {percent(lift.interval.upper)}]"


def _p(result: MetricResult) -> str:
    """The p-value, and under it the one adjusted for the family."""
    if result.p_value is None or result.adjusted_p is None:
        return "not yet"
    return f"{p_value(result.p_value)}\n{p_value(result.adjusted_p)}"


def _words(status: Status) -> str:
    return status.code.value.replace("_", " ")


def _value(value: float | None, kind: MetricKind) -> str:
    if value is None:
        return "none"
    return f"{100 * value:.2f} %" if kind is MetricKind.PROPORTION else f"{value:,.5g}"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
