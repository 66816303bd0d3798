"""Effects in segments, out of `segment_metrics`."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import date, datetime

from neonblue.analysis import ExperimentRows, MomentRow, Question, experiment_of, finished_by
from neonblue.analysis.segmentation import Segment, SegmentEffect, segment_effects
from neonblue.contract.metric_types import DIVIDED
from neonblue.results.moments import Versions, window_parameters
from neonblue.results.warehouse import Mart, Warehouse
from neonblue.statistics import Experiment

MOST_SEGMENTS = 20
# All days together: what has finished by now, and what has not. The columns of MOMENTS behind the segment.
_TOTALS = """
SELECT
    attribute, segment, metric_key, metric_version, variant_key, version, toDate(0),
    max(finishes_at), cut_short, sum(n), sum(missing), sum(sum_value), sum(sum_squares),
    sum(sum_denominator), sum(sum_denominator_squares), sum(sum_value_denominator),
    sum(sum_covariate), sum(sum_covariate_squares), sum(sum_value_covariate), sum(just_before)
FROM
(
    SELECT
        *,
        ifNull(finishes_at > {now:DateTime64(6, 'UTC')}, false) AS is_open,
        arrayExists(
            cut -> cut.1 = experiment_id AND cut.2 > entered_from AND cut.2 < finishes_at,
            {interruptions:Array(Tuple(UInt32, DateTime64(6, 'UTC')))}
        ) AS cut_short
    FROM {relation:Identifier}
    WHERE experiment_id = {experiment:UInt32}
        AND entered_from < {now:DateTime64(6, 'UTC')}
        AND (attribute, segment) IN (
            SELECT attribute, segment
            FROM {relation:Identifier}
            WHERE experiment_id = {experiment:UInt32}
            GROUP BY attribute, segment
            ORDER BY sum(n) DESC, segment
            LIMIT {most:UInt32} BY attribute
        )
)
GROUP BY attribute, segment, metric_key, metric_version, variant_key, version, is_open, cut_short
ORDER BY ALL
"""


def read_segments(warehouse: Warehouse, versions: Versions, question: Question) -> tuple[SegmentEffect, ...]:
    """Every primary metric in the largest segments of every attribute, judged as one family. Raises NotBuilt.

    versions: the experiment's snapshots. Who has finished is said as of the question.
    """
    parts = {
        segment: _experiment(versions, rows, question.closed_to)
        for segment, rows in segment_moments(warehouse, versions, question.closed_to).items()
    }
    return segment_effects(parts, question.plan, question.caps)


def segment_moments(
    warehouse: Warehouse, versions: Versions, now: datetime
) -> dict[Segment, list[MomentRow]]:
    """The sums of every segment, per entry version, by whether the units have finished: of all days, so of none."""
    experiment = versions[max(versions)]
    ratios = {metric.key for metric in experiment.metrics if metric.type in DIVIDED}
    found: dict[Segment, list[MomentRow]] = defaultdict(list)
    for attribute, segment, *row in warehouse.of_experiment(
        Mart.SEGMENT_METRICS, _TOTALS, experiment, most=MOST_SEGMENTS, **window_parameters([versions], now)
    ):
        moments = replace(MomentRow.of(row, ratio=row[0] in ratios), exposure_date=date.min)
        found[Segment(attribute, segment)].append(moments)
    return found


def _experiment(versions: Versions, rows: list[MomentRow], now: datetime) -> Experiment:
    whole = experiment_of(versions, ExperimentRows(moments=rows), finished_by(now))
    # A quantile of a segment does not follow from sums.
    known = {name for name, _ in whole.moments}
    return replace(whole, metrics=tuple(metric for metric in whole.metrics if metric.name in known))
