"""The sums of experiments: of many in as many queries as of one.

Imported where it is used: the statistics engine takes seconds to load.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np

from neonblue.analysis import ArmUnits, ExperimentRows, MomentRow, QuantileRow
from neonblue.analysis.rows import Products
from neonblue.contract.messages import ExperimentMessage, MetricMessage
from neonblue.results.warehouse import Mart, Warehouse
from neonblue.statistics.quantiles import bound_levels

_MOMENTS = """
SELECT
    experiment_id, metric_key, metric_version, variant_key, version, exposure_date, n, sum_value, sum_squares,
    sum_denominator, sum_denominator_squares, sum_value_denominator,
    sum_covariate, sum_covariate_squares, sum_value_covariate
FROM {relation:Identifier}
WHERE experiment_id IN {experiments:Array(UInt32)}
ORDER BY ALL
"""
_UNITS = """
SELECT experiment_id, version, variant_key, count()
FROM {relation:Identifier}
WHERE experiment_id IN {experiments:Array(UInt32)}
GROUP BY experiment_id, version, variant_key
ORDER BY experiment_id, version, variant_key
"""
_SEVERAL_ARMS = """
SELECT experiment_id, count()
FROM {relation:Identifier}
WHERE experiment_id IN {experiments:Array(UInt32)} AND variants > 1
GROUP BY experiment_id
ORDER BY experiment_id
"""
_VALUES = """
SELECT experiment_id, metric_key, metric_version, variant_key, value
FROM {relation:Identifier}
WHERE experiment_id IN {experiments:Array(UInt32)} AND metric_key IN {metrics:Array(String)}
ORDER BY experiment_id, metric_key, metric_version, variant_key
"""
_MEDIAN = 0.5

Arm = tuple[int, str, int, str]
"""Experiment, metric, the metric's version, variant."""


def read_rows(warehouse: Warehouse, experiments: Sequence[ExperimentMessage]) -> dict[int, ExperimentRows]:
    """All sums of these experiments by id. Raises NotBuilt."""
    if not experiments:
        return {}
    models = _Models(warehouse, [one.experiment_id for one in experiments])
    moments = _moments(models, experiments)
    units = {
        number: [ArmUnits(*row) for row in rows] for number, rows in models.read(Mart.FIRST_EXPOSURES, _UNITS)
    }
    several = {number: int(count) for number, ((count,),) in models.read(Mart.ASSIGNED_UNITS, _SEVERAL_ARMS)}
    quantiles = _quantiles(models, experiments)
    return {
        number: ExperimentRows(
            moments=moments.get(number, []),
            quantiles=quantiles.get(number, []),
            units=units.get(number, []),
            exposed=sum(arm.units for arm in units.get(number, [])) + several.get(number, 0),
            several_arms=several.get(number, 0),
        )
        for number in models.experiments
    }


@dataclass(frozen=True, slots=True)
class _Models:
    """The models' rows of these experiments."""

    warehouse: Warehouse
    experiments: list[int]

    def read(self, mart: Mart, query: str) -> Iterable[tuple[int, list[Sequence[Any]]]]:
        """Each experiment's rows without its id, which is the first column and orders them."""
        found = self.warehouse.client.query(query, parameters=self.parameters(mart)).result_rows
        for number, rows in groupby(found, key=itemgetter(0)):
            yield number, [row[1:] for row in rows]

    def parameters(self, mart: Mart) -> dict[str, Any]:
        return {"relation": self.warehouse.relation(mart), "experiments": self.experiments}


def _moments(models: _Models, experiments: Sequence[ExperimentMessage]) -> Mapping[int, list[MomentRow]]:
    ratios = {
        (one.experiment_id, metric.key)
        for one in experiments
        for metric in one.metrics
        if metric.type == "ratio"
    }
    return {
        number: [_moment_row(row, ratio=(number, row[0]) in ratios) for row in rows]
        for number, rows in models.read(Mart.METRIC_MOMENTS, _MOMENTS)
    }


def _moment_row(row: Sequence[Any], *, ratio: bool) -> MomentRow:
    metric, version, variant, entered, day, n, total, squares, *products = row
    denominator, covariate = Products(*products[:3]), Products(*products[3:])
    return MomentRow(
        metric,
        version,
        variant,
        entered,
        day,
        n,
        total,
        squares,
        denominator=denominator if ratio else None,
        covariate=covariate if covariate.squares != Decimal(0) else None,
    )


def _quantiles(models: _Models, experiments: Sequence[ExperimentMessage]) -> Mapping[int, list[QuantileRow]]:
    """In the order of the experiments' metrics and variants. One arm's values are held at a time."""
    wanted = {
        (one.experiment_id, metric.key, metric.version, variant.key): metric
        for one in experiments
        for metric in one.metrics
        if metric.type == "quantile"
        for variant in one.variants
    }
    if not wanted:
        return {}
    parameters = models.parameters(Mart.UNIT_METRIC_VALUES) | {
        "metrics": sorted({metric.key for metric in wanted.values()})
    }
    rows_of: dict[Arm, QuantileRow] = {}
    with models.warehouse.client.query_rows_stream(_VALUES, parameters=parameters) as stream:
        for arm, rows in groupby(stream, key=itemgetter(0, 1, 2, 3)):
            if arm in wanted:
                values = np.fromiter((row[4] for row in rows), dtype=float)
                if values.size > 1:
                    rows_of[arm] = _quantile_row(wanted[arm], arm[3], values)
    found: dict[int, list[QuantileRow]] = defaultdict(list)
    for arm in wanted:
        if arm in rows_of:
            found[arm[0]].append(rows_of[arm])
    return found


def _quantile_row(
    metric: MetricMessage, variant: str, values: np.ndarray[Any, np.dtype[np.float64]]
) -> QuantileRow:
    level = float(metric.quantile) if metric.quantile is not None else _MEDIAN
    low, high = bound_levels(level, values.size)
    lower, value, upper = (float(v) for v in np.quantile(values, [low, level, high]))
    return QuantileRow(metric.key, metric.version, variant, values.size, value, lower, upper)
