"""What an earlier experiment says about a metric: the baseline, spread and traffic of the next one's plan."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from clickhouse_connect.driver.client import Client

from neonblue.cli.power_plan import PlanError
from neonblue.contract.messages import ExperimentMessage
from neonblue.contract.metric_types import RATES
from neonblue.statistics import Moments

_SNAPSHOT = """
SELECT snapshot FROM experiments WHERE key = {experiment:String}
ORDER BY version DESC, received_at DESC LIMIT 1
"""
_MOMENTS = """
SELECT variant_key, sum(n) AS units, toFloat64(sum(sum_value)), toFloat64(sum(sum_squares)),
       min(exposure_date), max(exposure_date)
FROM metric_moments
WHERE experiment_id = {experiment_id:UInt32} AND metric_key = {metric:String}
  AND metric_version = {metric_version:UInt32}
  AND ifNull(finishes_at <= now(), true)
GROUP BY variant_key
"""


@dataclass(frozen=True, slots=True)
class History:
    """The control's mean of the metric, its standard deviation per unit (None for a rate), and new units per day."""

    baseline: float
    sd: float | None
    units_per_day: float


def read_history(client: Client, experiment: str, metric: str) -> History:
    """The metric's history in the control of an experiment, all days together.

    Raises PlanError where the experiment or the metric is unknown, has no units, or is one that sums can't plan: a
    quantile or a ratio.
    """
    snapshots = client.query(_SNAPSHOT, parameters={"experiment": experiment}).result_rows
    if not snapshots:
        raise PlanError(f"--history: there is no experiment {experiment!r}")
    known = msgspec.json.decode(snapshots[0][0], type=ExperimentMessage)
    asked = next((m for m in known.metrics if m.key == metric), None)
    if asked is None:
        raise PlanError(f"--history: {experiment} has no metric {metric!r}")
    if asked.quantile is not None or asked.denominator is not None:
        raise PlanError(f"--history: {metric} is a {asked.type}; give --baseline and --sd")
    control = next(variant.key for variant in known.variants if variant.is_control)
    asking = {"experiment_id": known.experiment_id, "metric": metric, "metric_version": asked.version}
    arms = client.query(_MOMENTS, parameters=asking).result_rows
    values = {arm: Moments(units, total, squares) for arm, units, total, squares, _, _ in arms}
    if control not in values or values[control].n < 2:
        raise PlanError(f"--history: the control of {experiment} has too few units of {metric}")
    days = (max(arm[5] for arm in arms) - min(arm[4] for arm in arms)).days + 1
    arm = values[control]
    sd = None if asked.type in RATES else arm.variance**0.5
    return History(arm.mean, sd, sum(moments.n for moments in values.values()) / days)
