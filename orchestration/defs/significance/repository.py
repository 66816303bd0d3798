"""What the significance tests read from ClickHouse and write back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
import psycopg
from clickhouse_connect.driver.client import Client

from neonblue import __version__
from neonblue.contract.looks import LookMessage, stored_look
from neonblue.contract.messages import ExperimentMessage

if TYPE_CHECKING:
    from neonblue.analysis import ExperimentRows, Question
    from neonblue.statistics import Decision
    from orchestration.defs.significance.analysis import ResultRow

_CONFIGURATIONS = """
SELECT experiment_id, version, snapshot
FROM experiments
WHERE {key:String} IN ('', key)
ORDER BY experiment_id, version, received_at DESC
LIMIT 1 BY experiment_id, version
"""
_LOOKS = """
SELECT experiment_id, experiments.key, number, closed_to, taken_at, configuration_version, looks.inference,
    looks.planned_units, alpha, cells::text
FROM experiment_looks AS looks JOIN experiments ON experiments.id = experiment_id
WHERE experiment_id = ANY(%s)
ORDER BY experiment_id, number
"""
_WATERMARK = "SELECT max(received_at) FROM events_processed"


@dataclass(frozen=True, slots=True)
class ExperimentData:
    """All that one experiment's analysis needs. counted_to: everything that was ingested by then is in the rows."""

    configurations: dict[int, ExperimentMessage]
    rows: ExperimentRows
    counted_to: datetime

    @property
    def newest(self) -> ExperimentMessage:
        """The configuration that holds now."""
        return self.configurations[max(self.configurations)]

    def ask(self, looks: Sequence[LookMessage] = (), *, taking: bool = False) -> Question:
        """The question to the statistics engine. looks: those kept; taking: whether one that is due is taken."""
        from neonblue.analysis import ask

        today = self.counted_to.date()
        return ask(self.configurations, self.rows, today, looks, now=self.counted_to, taking=taking)


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


def has_started(experiment: ExperimentMessage) -> bool:
    """Whether units could enter it. A deleted draft is archived, and never started."""
    deleted = experiment.status == "archived" and experiment.started_at is None
    return experiment.status not in ("draft", "scheduled") and not deleted


def read_experiments(client: Client, key: str = "") -> list[ExperimentData]:
    """Every experiment that has started, with its sums as the models hold them; that of the key where it is given."""
    from neonblue.results.sums import read_rows
    from neonblue.results.warehouse import Warehouse

    started = [
        versions
        for versions in read_configurations(client, key).values()
        if has_started(versions[max(versions)])
    ]
    warehouse = Warehouse.of(client, live=False)
    counted_to = warehouse.counted_to() or datetime.now(UTC)
    rows = read_rows(warehouse, started, counted_to)
    return [
        ExperimentData(versions, rows[versions[max(versions)].experiment_id], counted_to)
        for versions in started
    ]


def read_looks(connection: psycopg.Connection, experiments: Iterable[int]) -> dict[int, list[LookMessage]]:
    """The looks that are kept of these experiments, by experiment, in order."""
    found: dict[int, list[LookMessage]] = defaultdict(list)
    for experiment, *columns in connection.execute(_LOOKS, (list(experiments),)):
        found[experiment].append(stored_look(*columns))
    return found


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


def _record(row: ResultRow | RunStamp) -> dict[str, Any]:
    return {field.name: getattr(row, field.name) for field in fields(row)}
