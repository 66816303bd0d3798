"""From the statistics engine's answer to rows of `experiment_results`. Pure.

Imported where it is used: the engine takes seconds to load.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from neonblue.analysis import Question
from neonblue.analysis.answer import ResultItem, result_items
from neonblue.statistics import Estimate, MetricResult, Report


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultRow(ResultItem):
    """A result as the columns of `experiment_results` that the analysis decides.

    level: of the interval; the plan's where there is none. look_p_value: as if this look were the only one.
    """

    level: float
    experiment_id: int
    experiment_key: str
    configuration_version: int
    inference: str
    look_p_value: float | None


def result_rows(question: Question, report: Report) -> list[ResultRow]:
    """One row for each metric and treatment, in the report's order."""
    items = result_items(question, report)
    return [_row(question, result, item) for result, item in zip(report.results, items, strict=True)]


def _row(question: Question, result: MetricResult, item: ResultItem) -> ResultRow:
    configuration, plan, test = question.configuration, question.plan, result.comparison.absolute
    columns = asdict(item) | {"level": 1 - plan.alpha if item.level is None else item.level}
    return ResultRow(
        **columns,
        experiment_id=configuration.experiment_id,
        experiment_key=configuration.key,
        configuration_version=configuration.version,
        inference=plan.inference.value,
        look_p_value=test.p_value if isinstance(test, Estimate) else None,
    )
