"""What a ramp's next step hangs on, out of ClickHouse."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from clickhouse_connect.driver.client import Client

from neonblue.contract.durations import read_duration
from neonblue.contract.guardrails import watched_guardrails
from neonblue.contract.messages import ExperimentMessage, RampMessage
from neonblue.guardrails.answered import unaccepted
from neonblue.guardrails.breaches import Breach, breaches
from neonblue.results.warehouse import Mart, NotBuilt, Warehouse
from orchestration.defs.guardrails.repository import read_answered, read_sums

_UNITS = """
SELECT count() FROM {units:Identifier} WHERE experiment_id = {experiment:UInt32}
"""


def count_units(client: Client, experiment: ExperimentMessage) -> int | None:
    """How many units the analysis has of it, over all arms; None: the models do not say yet."""
    try:
        relation = Warehouse.of(client).relation(Mart.FIRST_EXPOSURES)
    except NotBuilt:
        return None
    parameters = {"units": relation, "experiment": experiment.experiment_id}
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
    if watermark is None or watermark < _held_until(experiment.ramp):
        return None  # not all of the present step's time is counted
    try:
        (rows,) = read_sums(client, [(configurations, watched)], watermark)
    except NotBuilt:
        return None
    earlier = read_answered(client, [experiment.experiment_id]).get(experiment.experiment_id, ())
    return breaches(experiment, unaccepted(rows, configurations, earlier), configurations)


def _held_until(ramp: RampMessage | None) -> datetime:
    """When the time of its step is over; before all times where it has taken none."""
    if ramp is None or not ramp.position or ramp.step_since is None:
        return datetime.min.replace(tzinfo=UTC)
    return datetime.fromisoformat(ramp.step_since) + read_duration(ramp.steps[ramp.position - 1].hold)
