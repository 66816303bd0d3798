"""The units' values that the drawings divide, and the rates that come of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clickhouse_connect.driver.client import Client

from neonblue.contract.messages import MetricMessage
from neonblue.contract.metric_types import ADJUSTED, DIVIDED
from orchestration.defs.significance.repository import (
    RunStamp,
    has_started,
    insert,
    read_configurations,
)

if TYPE_CHECKING:
    from orchestration.defs.calibration.randomization import History, Rate

MOST_UNITS = 100_000
# The units whose hash is smallest: a sample that is the same at every run, and grows into the whole.
_VALUES = """
SELECT
    unit_values.user_id,
    toFloat64(if(caps.metric_key = '', unit_values.value_decimal, least(unit_values.value_decimal, caps.value_cap))),
    toFloat64(unit_values.denominator),
    toFloat64(if(caps.metric_key = '', unit_values.covariate, least(unit_values.covariate, caps.covariate_cap)))
FROM unit_metric_values AS unit_values
LEFT ANY JOIN metric_caps AS caps
    ON unit_values.experiment_id = caps.experiment_id
    AND unit_values.metric_key = caps.metric_key
    AND unit_values.metric_version = caps.metric_version
WHERE unit_values.experiment_id = {experiment:UInt32}
    AND unit_values.metric_key = {metric:String}
    AND unit_values.metric_version = {version:UInt32}
    AND NOT unit_values.is_missing
ORDER BY sipHash64(unit_values.unit_type, unit_values.user_id), unit_values.user_id
LIMIT {limit:UInt32}
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """One metric of one experiment."""

    experiment_id: int
    experiment_key: str
    metric: MetricMessage

    @property
    def name(self) -> str:
        """As people name it."""
        return f"{self.experiment_key} · {self.metric.key}"


def read_metrics(client: Client) -> list[Measured]:
    """The metrics of every experiment that has started."""
    return [
        Measured(newest.experiment_id, newest.key, metric)
        for newest in (versions[max(versions)] for versions in read_configurations(client).values())
        if has_started(newest)
        for metric in newest.metrics
    ]


def read_history(client: Client, measured: Measured) -> History:
    """What the metric's test is given of each unit, of at most MOST_UNITS units."""
    import numpy as np

    from neonblue.analysis import metric_of
    from orchestration.defs.calibration.randomization import History

    metric = measured.metric
    columns = client.query(
        _VALUES,
        parameters={
            "experiment": measured.experiment_id,
            "metric": metric.key,
            "version": metric.version,
            "limit": MOST_UNITS,
        },
        column_oriented=True,
    ).result_columns
    users, values, denominators, covariates = columns or ([], [], [], [])
    adjusted = metric.type in ADJUSTED and metric.cuped and any(covariates)
    return History(
        metric_of(metric, "").kind,
        np.asarray(values, dtype=np.float64),
        denominators=np.asarray(denominators, dtype=np.float64) if metric.type in DIVIDED else None,
        covariates=np.asarray(covariates, dtype=np.float64) if adjusted else None,
        level=float(metric.quantile or 0.5),
        clusters=np.unique(np.asarray(users, dtype=str), return_inverse=True)[1],
    )


def write_rates(
    client: Client, rates: Sequence[tuple[Measured, int, Rate | str]], seed: int, stamp: RunStamp
) -> None:
    """Append the run's rates: each metric with its units, and its rate or why there is none."""
    insert(client, "randomization_rates", [_record(*rate, seed, stamp) for rate in rates])


def _record(measured: Measured, units: int, rate: Rate | str, seed: int, stamp: RunStamp) -> dict[str, Any]:
    given = None if isinstance(rate, str) else rate
    return {
        "run_id": stamp.run_id,
        "computed_at": stamp.computed_at,
        "experiment_id": measured.experiment_id,
        "experiment_key": measured.experiment_key,
        "metric_key": measured.metric.key,
        "metric_version": measured.metric.version,
        "metric_type": measured.metric.type,
        "units": units,
        "repetitions": given.repetitions if given else 0,
        "seed": seed,
        "rate": given.value if given else None,
        "lower": given.lower if given else None,
        "upper": given.upper if given else None,
        "level": given.level if given else 0.0,
        "calibrated": given.calibrated if given else None,
        "status_reason": rate if isinstance(rate, str) else "",
        "code_version": stamp.code_version,
    }
