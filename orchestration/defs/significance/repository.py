"""What the significance tests read from ClickHouse and write back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from datetime import UTC, datetime

import msgspec
from clickhouse_connect.driver.client import Client

from neonblue import __version__
from neonblue.contract.messages import ExperimentMessage
from neonblue.statistics import Moments
from orchestration.defs.significance.analysis import ArmMetric, ArmUnits, ResultRow

_CONFIGURATIONS = """
SELECT experiment_id, version, snapshot
FROM experiments
ORDER BY experiment_id, version, received_at DESC
LIMIT 1 BY experiment_id, version
"""
_METRICS = """
SELECT experiment_id, metric_key, metric_version, variant_key,
       sum(n) AS units, toFloat64(sum(sum_value)), toFloat64(sum(sum_squares)),
       -- Exact decimals, so that the difference of two large sums loses nothing.
       toFloat64(greatest(
           sum(sum_squares) - toDecimal256(sum(sum_value), 6) * toDecimal256(sum(sum_value), 6) / units, 0
       ))
FROM metric_moments
GROUP BY experiment_id, metric_key, metric_version, variant_key
"""
_UNITS = """
SELECT experiment_id, version, variant_key, count()
FROM first_exposures
GROUP BY experiment_id, version, variant_key
"""
_WATERMARK = "SELECT max(received_at) FROM events_processed"


@dataclass(frozen=True, slots=True)
class ExperimentData:
    """All that one experiment's analysis needs."""

    configurations: dict[int, ExperimentMessage]
    metrics: list[ArmMetric]
    units: list[ArmUnits]


@dataclass(frozen=True, slots=True)
class RunStamp:
    """What every row of one run shares."""

    run_id: str
    computed_at: datetime
    watermark: datetime
    code_version: str


def read_experiments(client: Client) -> list[ExperimentData]:
    """Every experiment that is not a draft, with its moments and the units of each arm."""
    configurations: dict[int, dict[int, ExperimentMessage]] = defaultdict(dict)
    for experiment, version, snapshot in client.query(_CONFIGURATIONS).result_rows:
        configurations[experiment][version] = msgspec.json.decode(snapshot, type=ExperimentMessage)
    metrics: dict[int, list[ArmMetric]] = defaultdict(list)
    for experiment, key, version, variant, n, total, squares, centred in client.query(_METRICS).result_rows:
        metrics[experiment].append(ArmMetric(key, version, variant, Moments(n, total, squares, centred)))
    units: dict[int, list[ArmUnits]] = defaultdict(list)
    for experiment, version, variant, count in client.query(_UNITS).result_rows:
        units[experiment].append(ArmUnits(version, variant, count))
    return [
        ExperimentData(versions, metrics[experiment], units[experiment])
        for experiment, versions in configurations.items()
        if versions[max(versions)].status != "draft"
    ]


def read_stamp(client: Client, run_id: str) -> RunStamp:
    """The run's stamp; its watermark is the newest event's time of acceptance."""
    watermark: datetime = client.query(_WATERMARK).result_rows[0][0]
    return RunStamp(run_id, datetime.now(UTC), watermark, __version__)


def write_results(client: Client, rows: Sequence[ResultRow], stamp: RunStamp) -> None:
    """Append the run's rows."""
    if not rows:
        return
    columns = [field.name for field in fields(ResultRow)] + [field.name for field in fields(RunStamp)]
    client.insert("experiment_results", [astuple(row) + astuple(stamp) for row in rows], column_names=columns)
