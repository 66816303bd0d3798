"""The sums of experiments: of many in as many queries as of one.

Imported where it is used: the statistics engine takes seconds to load.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any

from neonblue.analysis import ArmUnits, ExperimentRows, MomentRow, entered_units
from neonblue.contract.metric_types import DIVIDED
from neonblue.results.moments import MOMENTS, Versions, window_parameters
from neonblue.results.quantile_values import read_quantiles
from neonblue.results.warehouse import Mart, Warehouse

_UNITS = """
SELECT experiment_id, version, variant_key, count()
FROM {relation:Identifier}
WHERE experiment_id IN {experiments:Array(UInt32)}
GROUP BY experiment_id, version, variant_key
ORDER BY experiment_id, version, variant_key
"""
_ASSIGNED = """
SELECT experiment_id, count(), countIf(variants > 1)
FROM {relation:Identifier}
WHERE experiment_id IN {experiments:Array(UInt32)}
GROUP BY experiment_id
ORDER BY experiment_id
"""


def read_rows(
    warehouse: Warehouse, experiments: Sequence[Versions], now: datetime
) -> dict[int, ExperimentRows]:
    """All sums of these experiments by id, of the units that entered before `now`. Raises NotBuilt.

    experiments: each one's snapshots by version. now: the aware time the analysis speaks of, up to which everything is
    counted: which windows have ended is said as of then. A row of a metric with a window holds units whose windows
    ended by the row's `finishes_at` and not on an earlier day; where that is later than `now`, they have not ended.
    """
    if not experiments:
        return {}
    windows = window_parameters(experiments, now)
    models = _Models(warehouse, [versions[max(versions)].experiment_id for versions in experiments], windows)
    moments = _moments(models, experiments)
    units = _units(models, moments)
    assigned = {number: counts for number, (counts,) in models.read(Mart.ASSIGNED_UNITS, _ASSIGNED)}
    quantiles = read_quantiles(warehouse, experiments, windows)
    return {
        number: ExperimentRows(
            moments=moments.get(number, []),
            quantiles=quantiles.get(number, []),
            units=units.get(number, []),
            exposed=sum(arm.units for arm in units.get(number, [])) + several,
            several_arms=several,
            assigned=all_assigned,
        )
        for number in models.experiments
        for all_assigned, several in [assigned.get(number, (0, 0))]
    }


@dataclass(frozen=True, slots=True)
class _Models:
    """The models' rows of these experiments."""

    warehouse: Warehouse
    experiments: list[int]
    windows: Mapping[str, Any]

    def read(self, mart: Mart, query: str) -> Iterable[tuple[int, list[Sequence[Any]]]]:
        """Each experiment's rows without its id, which is the first column and orders them. Raises NotBuilt."""
        found = self.warehouse.of_model(mart, query, experiments=self.experiments, **self.windows)
        for number, rows in groupby(found, key=itemgetter(0)):
            yield number, [row[1:] for row in rows]


def _units(models: _Models, moments: Mapping[int, list[MomentRow]]) -> Mapping[int, list[ArmUnits]]:
    """Units out of the sums themselves: read beside them they would be of another moment.

    Where there are no sums, as without a metric or before they are built, those that have entered.
    """
    units = {number: entered_units(rows) for number, rows in moments.items()}
    without = [number for number in models.experiments if number not in units]
    if without:
        entered = _Models(models.warehouse, without, models.windows)
        units |= {
            number: [ArmUnits(*row) for row in rows]
            for number, rows in entered.read(Mart.FIRST_EXPOSURES, _UNITS)
        }
    return units


def _moments(models: _Models, experiments: Sequence[Versions]) -> Mapping[int, list[MomentRow]]:
    ratios = {
        (one.experiment_id, metric.key)
        for one in (versions[max(versions)] for versions in experiments)
        for metric in one.metrics
        if metric.type in DIVIDED
    }
    return {
        number: [MomentRow.of(row, ratio=(number, row[0]) in ratios) for row in rows]
        for number, rows in models.read(Mart.METRIC_MOMENTS, MOMENTS)
    }
