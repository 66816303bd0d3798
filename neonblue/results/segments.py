"""Effects in segments, out of `segment_metrics`."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import date

from neonblue.analysis import ExperimentRows, MomentRow, Question, ask
from neonblue.analysis.rows import Products
from neonblue.contract.messages import ExperimentMessage
from neonblue.results.segmentation import Segment, SegmentEffect, segment_effects
from neonblue.results.warehouse import Mart, Warehouse
from neonblue.statistics import Experiment

MOST_SEGMENTS = 20
_TOTALS = """
SELECT
    attribute, segment, metric_key, metric_version, variant_key, sum(n), sum(sum_value), sum(sum_squares),
    sum(sum_denominator), sum(sum_denominator_squares), sum(sum_value_denominator),
    sum(sum_covariate), sum(sum_covariate_squares), sum(sum_value_covariate)
FROM {relation:Identifier}
WHERE experiment_id = {experiment:UInt32}
    AND (attribute, segment) IN (
        SELECT attribute, segment
        FROM {relation:Identifier}
        WHERE experiment_id = {experiment:UInt32}
        GROUP BY attribute, segment
        ORDER BY sum(n) DESC, segment
        LIMIT {most:UInt32} BY attribute
    )
GROUP BY attribute, segment, metric_key, metric_version, variant_key
ORDER BY attribute, segment, metric_key, metric_version, variant_key
"""


def read_segments(
    warehouse: Warehouse, experiment: ExperimentMessage, question: Question
) -> tuple[SegmentEffect, ...]:
    """Every primary metric in the largest segments of every attribute, judged as one family. Raises NotBuilt."""
    found: dict[Segment, list[MomentRow]] = defaultdict(list)
    ratios = {metric.key for metric in experiment.metrics if metric.type == "ratio"}
    for row in warehouse.of_experiment(Mart.SEGMENT_METRICS, _TOTALS, experiment, most=MOST_SEGMENTS):
        attribute, segment, metric, version, variant, n, total, squares, *products = row
        found[Segment(attribute, segment)].append(
            MomentRow(
                metric,
                version,
                variant,
                0,
                date.min,
                n,
                total,
                squares,
                Products(*products[:3]) if metric in ratios else None,
                Products(*products[3:]) if products[4] else None,
            )
        )
    parts = {segment: _experiment(experiment, rows) for segment, rows in found.items()}
    return segment_effects(parts, question.plan)


def _experiment(configuration: ExperimentMessage, rows: list[MomentRow]) -> Experiment:
    asked = ask({configuration.version: configuration}, ExperimentRows(moments=rows), date.max)
    # A quantile of a segment does not follow from sums.
    return replace(
        asked.experiment,
        metrics=tuple(
            metric
            for metric in asked.experiment.metrics
            if any(name == metric.name for name, _ in asked.experiment.moments)
        ),
    )
