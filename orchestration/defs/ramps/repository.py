"""What a ramp's next step hangs on, out of ClickHouse."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from clickhouse_connect.driver.client import Client

from neonblue.contract.guardrails import watched_guardrails
from neonblue.contract.messages import ExperimentMessage
from neonblue.guardrails.answered import unaccepted
from neonblue.guardrails.breaches import Breach, breaches
from neonblue.results.warehouse import NotBuilt
from orchestration.defs.guardrails.repository import read_answered, read_sums

_UNITS = """
SELECT uniqExact(user_id)
FROM assignments FINAL
WHERE experiment_id = {experiment:UInt32} AND unit_type = {unit_type:String}
    AND ({assigned:Bool} OR user_id IN (
        SELECT user_id FROM events_processed FINAL
        WHERE experiment_id = {experiment:UInt32} AND unit_type = {unit_type:String} AND event_type = 'exposure'
    ))
"""


def count_units(client: Client, experiment: ExperimentMessage) -> int:
    """How many units are in, over all arms: those that met their variant, or that have one, as the population says."""
    parameters = {
        "experiment": experiment.experiment_id,
        "unit_type": experiment.unit_type,
        "assigned": experiment.population == "assigned",
    }
    units: int = client.query(_UNITS, parameters=parameters).result_rows[0][0]
    return units


def read_breaches(
    client: Client, configurations: Mapping[int, ExperimentMessage], watermark: datetime | None
) -> list[Breach] | None:
    """The guardrails that are breached now, by what nobody has accepted; None: the models do not say yet.

    configurations: the experiment's snapshots by version. watermark: up to which the models have counted.
    """
    experiment = configurations[max(configurations)]
    watched = watched_guardrails(experiment)
    if not watched:
        return []
    since = None if experiment.ramp is None else experiment.ramp.step_since
    if watermark is None or (since is not None and watermark < datetime.fromisoformat(since)):
        return None  # nothing of the present step has been counted
    try:
        (rows,) = read_sums(client, [(configurations, watched)], watermark)
    except NotBuilt:
        return None
    earlier = read_answered(client, [experiment.experiment_id]).get(experiment.experiment_id, ())
    return breaches(experiment, unaccepted(rows, configurations, earlier), configurations)
