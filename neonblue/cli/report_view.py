"""An analysis as rows of text and as JSON."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from neonblue.statistics import Estimate, Experiment, MetricKind, Report, Status, wording
from neonblue.statistics.analysis import MetricResult
from neonblue.statistics.wording import p_value, percent

_SINGLE_LOOK = ("p_value", "log10_p", "p_greater", "p_less")


def comparison_grid(rows: Iterable[Sequence[str]]) -> Table:
    """A table of metrics and arms; each cell's second line is its interval or its adjusted value."""
    grid = Table(header_style="dim", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("metric", "arm", "control → arm", "difference", "lift", "p, adjusted", "verdict"):
        grid.add_column(name, no_wrap=name != "arm", overflow="fold")
    for row in rows:
        grid.add_row(*(escape(cell) for cell in row))
    return grid


def values(control: float | None, treatment: float | None, share: bool) -> str:
    """Both arms' values. share: as percentages."""
    return f"{_value(control, share)} → {_value(treatment, share)}"


def difference(value: float, low: float, high: float, share: bool) -> str:
    """A difference above its interval; of shares in points."""
    if share:
        return f"{100 * value:+.2f} points\n[{100 * low:+.2f}, {100 * high:+.2f}]"
    return f"{value:+,.4g}\n[{low:+,.4g}, {high:+,.4g}]"


def relative(value: float, low: float, high: float) -> str:
    """A relative lift above its interval."""
    return f"{percent(value)}\n[{percent(low)}, {percent(high)}]"


def rows_of(report: Report) -> Iterator[tuple[str, ...]]:
    """One row per metric and arm: values, difference and lift above their intervals, p above its adjusted value.

    The verdict ends the row. Rates are shown in percent and their differences in percentage points.
    """
    for result in report.results:
        comparison, share = result.comparison, result.metric.kind is MetricKind.PROPORTION
        yield (
            result.metric.name,
            result.arm,
            values(comparison.mean_control, comparison.mean_treatment, share),
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
    shown = (
        _words(lift)
        if isinstance(lift, Status)
        else relative(lift.value, lift.interval.lower, lift.interval.upper)
    )
    share = result.metric.kind is MetricKind.PROPORTION
    return difference(test.diff, test.interval.lower, test.interval.upper, share), shown, _p(result)


def _p(result: MetricResult) -> str:
    """The p-value, and under it the one adjusted for the family."""
    if result.p_value is None or result.adjusted_p is None:
        return "not yet"
    return f"{p_value(result.p_value)}\n{p_value(result.adjusted_p)}"


def _words(status: Status) -> str:
    return status.code.value.replace("_", " ")


def _value(value: float | None, share: bool) -> str:
    return "none" if value is None else wording.value(value, share)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
