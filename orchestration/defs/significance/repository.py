"""What the significance tests read from ClickHouse and write back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import msgspec
from clickhouse_connect.driver.client import Client

from neonblue import __version__
from neonblue.contract.messages import ExperimentMessage

if TYPE_CHECKING:
    from neonblue.analysis import ArmUnits, ExperimentRows, MomentRow, QuantileRow, Question
    from neonblue.statistics import Decision
    from orchestration.defs.significance.analysis import ResultRow

_CONFIGURATIONS = """
SELECT experiment_id, version, snapshot
FROM experiments
WHERE {key:String} IN ('', key)
ORDER BY experiment_id, version, received_at DESC
LIMIT 1 BY experiment_id, version
"""
_MOMENTS = """
SELECT experiment_id, metric_key, metric_version, variant_key, version, exposure_date, n, sum_value, sum_squares,
       sum_denominator, sum_denominator_squares, sum_value_denominator,
       sum_covariate, sum_covariate_squares, sum_value_covariate
FROM metric_moments
WHERE experiment_id IN {experiments:Array(UInt32)}
"""
_UNITS = """
SELECT experiment_id, version, variant_key, count()
FROM first_exposures
WHERE experiment_id IN {experiments:Array(UInt32)}
GROUP BY experiment_id, version, variant_key
"""
_SEVERAL_ARMS = """
SELECT experiment_id, analysed_units + units_in_several_variants, units_in_several_variants
FROM exposure_health
WHERE experiment_id IN {experiments:Array(UInt32)}
"""
_VALUES = """
SELECT value FROM unit_metric_values
WHERE experiment_id = {experiment:UInt32} AND metric_key = {metric:String} AND metric_version = {version:UInt32}
    AND variant_key = {variant:String}
"""
_WATERMARK = "SELECT max(received_at) FROM events_processed"


@dataclass(frozen=True, slots=True)
class ExperimentData:
    """All that one experiment's analysis needs."""

    configurations: dict[int, ExperimentMessage]
    rows: ExperimentRows

    @property
    def newest(self) -> ExperimentMessage:
        """The configuration that holds now."""
        return self.configurations[max(self.configurations)]

    def ask(self, today: date) -> Question:
        """The question to the statistics engine."""
        from neonblue.analysis import ask

        return ask(self.configurations, self.rows, today)


@dataclass(frozen=True, slots=True)
class RunStamp:
    """What every row of one run shares."""

    run_id: str
    computed_at: datetime
    watermark: datetime
    code_version: str


def read_configurations(client: Client, key: str = "") -> dict[int, dict[int, ExperimentMessage]]:
    """Every experiment's snapshots by version; of one experiment where a key is given."""
    found: dict[int, dict[int, ExperimentMessage]] = defaultdict(dict)
    for experiment, version, snapshot in client.query(_CONFIGURATIONS, parameters={"key": key}).result_rows:
        found[experiment][version] = msgspec.json.decode(snapshot, type=ExperimentMessage)
    return found


def read_experiments(client: Client, key: str = "") -> list[ExperimentData]:
    """Every experiment that has started, with its sums; the one of that key where it is given."""
    from neonblue.analysis import ExperimentRows

    started = {
        experiment: versions
        for experiment, versions in read_configurations(client, key).items()
        if versions[max(versions)].status not in ("draft", "scheduled")
    }
    moments, units = _read_moments(client, list(started)), _read_units(client, list(started))
    several = {
        experiment: (int(exposed), int(count))
        for experiment, exposed, count in _rows(client, _SEVERAL_ARMS, list(started))
    }
    return [
        ExperimentData(
            versions,
            ExperimentRows(
                moments=moments[experiment],
                quantiles=_read_quantiles(client, versions[max(versions)]),
                units=units[experiment],
                exposed=several.get(experiment, (0, 0))[0],
                several_arms=several.get(experiment, (0, 0))[1],
            ),
        )
        for experiment, versions in started.items()
    ]


def read_stamp(client: Client, run_id: str) -> RunStamp:
    """The run's stamp; its watermark is the newest event's time of acceptance."""
    watermark: datetime = client.query(_WATERMARK).result_rows[0][0]
    return RunStamp(run_id, datetime.now(UTC), watermark, __version__)


def write_results(client: Client, rows: Sequence[ResultRow], stamp: RunStamp) -> None:
    """Append the run's rows."""
    insert(client, "experiment_results", [_record(row) | _record(stamp) for row in rows])


def write_decision(client: Client, question: Question, decision: Decision, stamp: RunStamp) -> None:
    """Append one experiment's decision."""
    configuration = question.configuration
    row = {
        "experiment_id": configuration.experiment_id,
        "experiment_key": configuration.key,
        "configuration_version": configuration.version,
        "action": decision.action.value,
        "variant_key": decision.arm or "",
        "sentence": decision.sentence,
        "broken": list(decision.broken),
        "days_left": decision.days_left,
        "units": question.experiment.units,
        "planned_units": question.plan.planned_units,
    }
    insert(client, "experiment_decisions", [row | _record(stamp)])


def insert(client: Client, table: str, records: Sequence[dict[str, Any]]) -> None:
    """Append records that have the same columns."""
    if not records:
        return
    columns = list(records[0])
    client.insert(table, [[record[column] for column in columns] for record in records], column_names=columns)


def _read_moments(client: Client, experiments: Sequence[int]) -> dict[int, list[MomentRow]]:
    from neonblue.analysis import MomentRow
    from neonblue.analysis.rows import Products

    found: dict[int, list[MomentRow]] = defaultdict(list)
    for experiment, *columns in _rows(client, _MOMENTS, experiments):
        denominator, covariate = Products(*columns[8:11]), Products(*columns[11:14])
        found[experiment].append(
            MomentRow(
                *columns[:8],
                *(products if products.squares else None for products in (denominator, covariate)),
            )
        )
    return found


def _read_quantiles(client: Client, experiment: ExperimentMessage) -> list[QuantileRow]:
    """The quantile of each arm with its bounds, from the units' values."""
    import numpy as np

    from neonblue.analysis import QuantileRow
    from neonblue.statistics.quantiles import bound_levels

    found = []
    for metric in experiment.metrics:
        if metric.type != "quantile":
            continue
        level = float(metric.quantile) if metric.quantile is not None else 0.5
        for variant in experiment.variants:
            parameters = {
                "experiment": experiment.experiment_id,
                "metric": metric.key,
                "version": metric.version,
                "variant": variant.key,
            }
            values = [value for (value,) in client.query(_VALUES, parameters=parameters).result_rows]
            if len(values) > 1:
                low, high = bound_levels(level, len(values))
                lower, middle, upper = (float(v) for v in np.quantile(values, [low, level, high]))
                found.append(
                    QuantileRow(metric.key, metric.version, variant.key, len(values), middle, lower, upper)
                )
    return found


def _read_units(client: Client, experiments: Sequence[int]) -> dict[int, list[ArmUnits]]:
    from neonblue.analysis import ArmUnits

    found: dict[int, list[ArmUnits]] = defaultdict(list)
    for experiment, *columns in _rows(client, _UNITS, experiments):
        found[experiment].append(ArmUnits(*columns))
    return found


def _rows(client: Client, query: str, experiments: Sequence[int]) -> Sequence[Sequence[Any]]:
    found: Sequence[Sequence[Any]] = client.query(query, parameters={"experiments": experiments}).result_rows
    return found


def _record(row: ResultRow | RunStamp) -> dict[str, Any]:
    return {field.name: getattr(row, field.name) for field in fields(row)}
