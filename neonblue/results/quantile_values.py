"""Quantiles of each arm, out of its units' values."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np

from neonblue.analysis.rows import QuantileRow, quantile_level
from neonblue.contract.messages import MetricMessage
from neonblue.contract.metric_types import SUMMED
from neonblue.results.moments import Versions
from neonblue.results.warehouse import Mart, Warehouse, built_by_this_version
from neonblue.statistics.methods.quantiles import QuantileSummary

_COUNTED, _UNFINISHED, _MISSING = range(3)
# By the hours of `metric_moments`, so that both speak of the same units. Who may still answer is not missing.
_VALUES = """
SELECT
    experiment_id, metric_key, metric_version, variant_key, value,
    multiIf(cut_short OR ifNull(finishes_at > {now:DateTime64(6, 'UTC')}, false), 1, is_missing, 2, 0)
FROM
(
    SELECT
        experiment_id, metric_key, metric_version, variant_key, value, is_missing,
        if(window_seconds IS NULL, toDateTime(exposure_date, 'UTC'), toStartOfHour(first_exposed_at)) AS entered_from,
        toStartOfHour(first_exposed_at) + 3600 + window_seconds AS finishes_at,
        arrayExists(
            cut -> cut.1 = experiment_id AND cut.2 > entered_from AND cut.2 < finishes_at,
            {interruptions:Array(Tuple(UInt32, DateTime64(6, 'UTC')))}
        ) AS cut_short
    FROM {relation:Identifier}
    WHERE experiment_id IN {experiments:Array(UInt32)} AND metric_key IN {metrics:Array(String)}
)
WHERE entered_from < {now:DateTime64(6, 'UTC')}
ORDER BY experiment_id, metric_key, metric_version, variant_key
"""
_MEDIAN = 0.5

Arm = tuple[int, str, int, str]
"""Experiment, metric, the metric's version, variant."""


def read_quantiles(
    warehouse: Warehouse, experiments: Sequence[Versions], windows: Mapping[str, Any]
) -> Mapping[int, list[QuantileRow]]:
    """Each experiment's quantiles, in the order of its metrics and variants. One arm's values are held at a time.

    windows: as of `window_parameters`. An arm of which fewer than two units count has none. Raises NotBuilt.
    """
    newest = [versions[max(versions)] for versions in experiments]
    wanted = {
        (one.experiment_id, metric.key, metric.version, variant.key): metric
        for one in newest
        for metric in one.metrics
        if metric.type not in SUMMED
        for variant in one.variants
    }
    if not wanted:
        return {}
    parameters = {
        **windows,
        "relation": warehouse.relation(Mart.UNIT_METRIC_VALUES),
        "experiments": [one.experiment_id for one in newest],
        "metrics": sorted({metric.key for metric in wanted.values()}),
    }
    rows_of: dict[Arm, QuantileRow] = {}
    with (
        built_by_this_version(Mart.UNIT_METRIC_VALUES),
        warehouse.client.query_rows_stream(_VALUES, parameters=parameters) as stream,
    ):
        for arm, rows in groupby(stream, key=itemgetter(0, 1, 2, 3)):
            if arm in wanted:
                values, states = _columns(rows)
                if values.size > 1:
                    rows_of[arm] = _quantile_row(wanted[arm], arm[3], values, states)
    found: dict[int, list[QuantileRow]] = defaultdict(list)
    for arm in wanted:
        if arm in rows_of:
            found[arm[0]].append(rows_of[arm])
    return found


_Values = np.ndarray[Any, np.dtype[np.float64]]


def _columns(rows: Iterable[Sequence[Any]]) -> tuple[_Values, list[int]]:
    """The values that count, and how many units are in each state."""
    pairs = np.fromiter((row[4:] for row in rows), dtype=np.dtype((np.float64, 2)))
    states = pairs[:, 1].astype(np.int64)
    return pairs[states == _COUNTED, 0], np.bincount(states, minlength=3).tolist()


def _quantile_row(metric: MetricMessage, variant: str, values: _Values, states: list[int]) -> QuantileRow:
    found = QuantileSummary.from_values(values, quantile_level(metric))
    return QuantileRow.of(metric, variant, found, states[_UNFINISHED], states[_MISSING])
