"""What is said where a pooled cap leaves nothing to test. Pure."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from neonblue.contract.messages import ExperimentMessage
from neonblue.statistics import MetricResult, Report, Status, StatusCode
from neonblue.statistics.numbers import number


def with_empty_caps_told(configuration: ExperimentMessage, report: Report) -> Report:
    """The report; of a metric with a cap under which all units are alike, the reason names the cap.

    A percentile that more units than it leaves out share with the lowest value, such as 0 where buyers are rare, is
    that value.
    """
    caps = {
        metric.key: Decimal(metric.cap_percentile)
        for metric in configuration.metrics
        if metric.cap_percentile is not None
    }
    return replace(
        report, results=tuple(_told(result, caps.get(result.metric.name)) for result in report.results)
    )


def _told(result: MetricResult, percentile: Decimal | None) -> MetricResult:
    test, comparison = result.comparison.absolute, result.comparison
    if percentile is None or not isinstance(test, Status) or test.code is not StatusCode.ZERO_VARIANCE:
        return result
    if comparison.mean_control != comparison.mean_treatment:
        return result
    status = replace(
        test,
        message=f"Under the {(100 * percentile).normalize():f} % cap every unit has the value "
        f"{number(comparison.mean_control)}: either none has another yet, or the percentile is too low.",
    )
    return replace(result, comparison=replace(comparison, absolute=status))
