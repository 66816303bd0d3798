"""An analysis as rows of text and as JSON."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

from neonblue.statistics import Estimate, Experiment, Lift, Report, Status
from neonblue.statistics.analysis import MetricResult
from neonblue.statistics.wording import p_value, percent

_SINGLE_LOOK = ("p_value", "log10_p", "p_greater", "p_less")


def rows_of(report: Report) -> Iterator[tuple[str, ...]]:
    """One row per metric and arm: values, difference and lift with intervals, p and adjusted p, verdict."""
    for result in report.results:
        comparison = result.comparison
        values = f"{_value(comparison.mean_control)} → {_value(comparison.mean_treatment)}"
        yield (result.metric.name, result.arm, values, *_inference(result), result.verdict.value)


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
        return test.code.value, "", ""
    shown = lift.code.value if isinstance(lift, Status) else _lift(lift)
    return _difference(test), shown, f"{_p(result.p_value)} ({_p(result.adjusted_p)})"


def _difference(test: Estimate) -> str:
    return f"{test.diff:+.4g} [{test.interval.lower:+.4g}, {test.interval.upper:+.4g}]"


def _lift(lift: Lift) -> str:
    return f"{percent(lift.value)} [{percent(lift.interval.lower)}, {percent(lift.interval.upper)}]"


def _p(p: float | None) -> str:
    return "" if p is None else p_value(p)


def _value(value: float | None) -> str:
    return "" if value is None else f"{value:.5g}"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
