"""Published results: written once, whole, and read back as they were."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import msgspec
from clickhouse_connect.driver.client import Client

from neonblue.analysis import ArmUnits, MomentRow
from neonblue.analysis.answer import Answer
from neonblue.analysis.instants import Instant
from neonblue.contract.messages import ExperimentMessage
from neonblue.results.look import Look

_COLUMNS = (
    "snapshot_id", "experiment_id", "experiment_key", "computed_at", "watermark", "run_id", "configuration_version",
    "code_version", "metric_versions", "offsets", "configuration", "moments", "units", "results",
)  # fmt: skip
_AS_OF = """
SELECT snapshot_id, run_id, offsets, configuration, moments, units, results
FROM result_snapshots
WHERE experiment_id = {experiment:UInt32} AND computed_at <= {as_of:DateTime64(6, 'UTC')}
ORDER BY computed_at DESC, snapshot_id
LIMIT 1
"""
_LISTED = """
SELECT snapshot_id, computed_at, watermark, run_id, configuration_version, code_version
FROM result_snapshots
WHERE experiment_id = {experiment:UInt32}
ORDER BY computed_at DESC, snapshot_id
LIMIT {limit:UInt32}
"""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A published result, with all it was made from. offsets: by partition, what every view had reached."""

    snapshot_id: str
    run_id: str
    offsets: dict[str, int]
    configuration: ExperimentMessage
    moments: tuple[MomentRow, ...]
    units: tuple[ArmUnits, ...]
    answer: Answer


def snapshot_of(seen: Look, offsets: dict[str, int], run_id: str) -> Snapshot | None:
    """The look as it is to be published; None where it has no numbers.

    The id follows from experiment, run and time, so that a retry stores the same snapshot.
    """
    if seen.configuration is None or seen.rows is None or not seen.answer.items:
        return None
    identity = f"{seen.configuration.experiment_id}-{seen.stamp.computed_at:%Y%m%dT%H%M%S%f}-{run_id}"
    return Snapshot(
        identity,
        run_id,
        offsets,
        seen.configuration,
        tuple(seen.rows.moments),
        tuple(seen.rows.units),
        seen.answer,
    )


def store_snapshot(client: Client, snapshot: Snapshot) -> None:
    """Append the snapshot. Raises ClickHouse's or the network's error."""
    answer, configuration = snapshot.answer, snapshot.configuration
    values = {
        "snapshot_id": snapshot.snapshot_id,
        "experiment_id": configuration.experiment_id,
        "experiment_key": configuration.key,
        "computed_at": answer.computed_at,
        "watermark": answer.watermark,
        "run_id": snapshot.run_id,
        "configuration_version": configuration.version,
        "code_version": answer.code_version,
        "metric_versions": _text({metric.key: metric.version for metric in configuration.metrics}),
        "offsets": _text(snapshot.offsets),
        "configuration": _text(configuration),
        "moments": _text(snapshot.moments),
        "units": _text(snapshot.units),
        "results": _text(answer),
    }
    client.insert("result_snapshots", [[values[name] for name in _COLUMNS]], column_names=list(_COLUMNS))


def read_snapshot(client: Client, experiment_id: int, as_of: datetime) -> Snapshot | None:
    """The newest result published by `as_of`; None where there was none yet."""
    parameters = {"experiment": experiment_id, "as_of": as_of.astimezone(UTC).replace(tzinfo=None)}
    for row in client.query(_AS_OF, parameters=parameters).result_rows:
        identity, run_id, offsets, configuration, moments, units, results = row
        return Snapshot(
            identity,
            run_id,
            msgspec.json.decode(offsets, type=dict[str, int]),
            msgspec.json.decode(configuration, type=ExperimentMessage),
            msgspec.json.decode(moments, type=tuple[MomentRow, ...]),
            msgspec.json.decode(units, type=tuple[ArmUnits, ...]),
            msgspec.json.decode(results, type=Answer),
        )
    return None


@dataclass(frozen=True, slots=True)
class SnapshotLine:
    """One published result in the list of them."""

    snapshot_id: str
    computed_at: Instant
    watermark: Instant | None
    run_id: str
    configuration_version: int
    code_version: str


def list_snapshots(client: Client, experiment_id: int, limit: int = 100) -> list[SnapshotLine]:
    """What was published, newest first."""
    found = client.query(_LISTED, parameters={"experiment": experiment_id, "limit": limit}).result_rows
    return [SnapshotLine(*row) for row in found]


def last_day(snapshot: Snapshot) -> date | None:
    """The newest first-exposure day in the snapshot."""
    return max((row.exposure_date for row in snapshot.moments), default=None)


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode()
