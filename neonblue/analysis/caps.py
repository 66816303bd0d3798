"""What is said where a pooled cap leaves nothing to test. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from neonblue.analysis.rows import ExperimentRows
from neonblue.analysis.sums import all_alike
from neonblue.contract.messages import ExperimentMessage
from neonblue.statistics import Comparison, Report, Status, StatusCode
from neonblue.statistics.numbers import number

EmptyCaps = Mapping[str, Status]
"""Of each metric with a cap under which all units are alike, the reason why there is nothing to test."""


def empty_caps(configuration: ExperimentMessage, rows: ExperimentRows) -> EmptyCaps:
    """Which caps leave no variance: over all units, as the cap itself is taken.

    A percentile that more units than it leaves out share with the lowest value, such as 0 where buyers are rare, is
    that value.
    """
    found = {}
    for metric in configuration.metrics:
        if metric.cap_percentile is None:
            continue
        value = all_alike(
            [
                row
                for row in rows.moments
                if (row.metric_key, row.metric_version) == (metric.key, metric.version)
            ]
        )
        if value is not None:
            percent = (100 * Decimal(metric.cap_percentile)).normalize()
            found[metric.key] = Status(
                StatusCode.ZERO_VARIANCE,
                f"Under the {percent:f} % cap every unit has the value {number(float(value))}: either none has another "
                "yet, or the percentile is too low.",
            )
    return found


def with_empty_caps_told(caps: EmptyCaps, report: Report) -> Report:
    """The report with the cap as the reason where it is one."""
    results = tuple(
        replace(result, comparison=told(caps, result.metric.name, result.comparison))
        for result in report.results
    )
    return replace(report, results=results)


def told(caps: EmptyCaps, metric: str, comparison: Comparison) -> Comparison:
    """One comparison of the metric, in whatever part of an answer; the same where the cap has nothing to do with it."""
    test, reason = comparison.absolute, caps.get(metric)
    if reason is None or not isinstance(test, Status) or test.code is not StatusCode.ZERO_VARIANCE:
        return comparison
    return replace(comparison, absolute=reason, relative=reason)
