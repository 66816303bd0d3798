"""What each change of an experiment leaves behind: a version, a message down the stream, an audit entry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
import psycopg
import structlog
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from api.audit import Actor, Change, record
from api.experiments import repository
from api.experiments.answers import ExperimentOut
from api.experiments.changes import difference
from api.experiments.registry import Registry
from api.experiments.repository import CHANNEL, Row
from api.experiments.schemas import DecisionIn
from api.http.problems import Problem
from api.postgres.copying import write_outbox
from api.postgres.database import Connection
from neonblue.contract.instants import format_instant
from neonblue.contract.limits import OUTBOX_ROW_BYTES
from neonblue.contract.messages import (
    DecisionMessage,
    ExperimentMessage,
    LayerMessage,
    MetricMessage,
    RampMessage,
    RampStepMessage,
    ReleaseAtEndMessage,
    ReleaseMessage,
    VariantMessage,
    WatchedMessage,
    encode_message,
)
from neonblue.contract.outbox import Aggregate, Happening, OutboxRow

log = structlog.get_logger("api.experiments")

_ADVANCE = "UPDATE experiments SET version = version + 1 WHERE id = %s"
_INSERT = """
INSERT INTO experiment_versions (experiment_id, version, action, difference, snapshot, created_by, reason)
VALUES (%s, %s, %s, %s, %s, %s, %s)
"""
_PAGE = """
SELECT v.version, v.action, v.created_at, v.created_by, v.reason, v.difference
FROM experiment_versions AS v JOIN experiments AS e ON e.id = v.experiment_id
WHERE e.key = %s AND v.version < %s ORDER BY v.version DESC LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class Occasion:
    """What was done, by whom, and why."""

    action: str
    actor: Actor
    reason: str | None = None


async def keep_version(
    connection: Connection,
    before: Row | None,
    key: str,
    occasion: Occasion,
    told: Mapping[str, Any] | None = None,
) -> Row:
    """Leave what a change leaves, in its transaction, and return the state after it.

    told: of the difference, what no field of the experiment shows. Raises Problem `too_large` for a snapshot
    that the stream would not carry.
    """
    if before is not None:
        await connection.execute(_ADVANCE, (before["id"],))
    after = await repository.read_one(connection, key)
    if after is None:
        raise RuntimeError("the experiment vanished under its lock")
    snapshot = encode_message(snapshot_of(after, datetime.now(UTC)))
    if len(snapshot) > OUTBOX_ROW_BYTES:
        raise Problem(
            422, "too_large", f"The experiment as a message is larger than {OUTBOX_ROW_BYTES} bytes"
        )
    shown = ExperimentOut.model_validate(before) if before is not None else None
    changed = difference(shown, ExperimentOut.model_validate(after)) | dict(told or {})
    await connection.execute(
        _INSERT,
        (
            after["id"], after["version"], occasion.action, Jsonb(changed), snapshot.decode(), occasion.actor.name,
            occasion.reason,
        ),
    )  # fmt: skip
    await announce(connection, after["id"], snapshot)
    await record(connection, occasion.actor, Change(occasion.action, "experiment", key, before, after))
    return after


async def announce(connection: Connection, experiment_id: int, snapshot: bytes) -> None:
    """Send a snapshot down the stream and tell the API's processes; both happen at the commit."""
    row = OutboxRow(Aggregate.EXPERIMENT, str(experiment_id), Happening.EXPERIMENT_CHANGED, snapshot)
    await write_outbox(connection, [row])
    await connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, str(experiment_id)))


async def read_versions(connection: Connection, key: str, before: int, limit: int) -> list[Row]:
    """At most `limit` versions below `before`, newest first."""
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_PAGE, (key, before, limit))
        return await cursor.fetchall()


async def refresh(registry: Registry, experiment_id: int) -> None:
    """Have this process know a change that is committed: failing to is no failure of the change."""
    try:
        await registry.load(experiment_id)
    except psycopg.Error as error:
        log.warning("refresh_failed", experiment_id=experiment_id, error=type(error).__name__)


def decided(decision: DecisionIn, actor: Actor) -> Row:
    """The decision as it is stored: with who made it, now."""
    at = format_instant(datetime.now(UTC))
    return decision.model_dump(include=set(DecisionIn.model_fields)) | {
        "decided_by": actor.name,
        "decided_at": at,
    }


def snapshot_of(row: Row, received_at: datetime) -> ExperimentMessage:
    """The experiment as it travels in the outbox."""
    return ExperimentMessage(
        experiment_id=row["id"],
        key=row["key"],
        name=row["name"],
        hypothesis=row["hypothesis"],
        owner=row["owner"],
        tags=row["tags"],
        source=row["source"],
        unit_type=row["unit_type"],
        population=row["population"],
        status=row["status"],
        version=row["version"],
        salt=row["salt"],
        allocation=row["allocation"],
        layer=None if row["layer"] is None else LayerMessage(**row["layer"]),
        holdouts=[rule["key"] for rule in row["holdout_rules"]],
        targeting=row["targeting"],
        enrolment=row["enrolment"],
        outside=row["outside"],
        variants=[_variant(variant) for variant in row["variants"]],
        metrics=[msgspec.convert(metric, MetricMessage) for metric in row["metrics"]],
        watched=[msgspec.convert(metric, WatchedMessage) for metric in row["watched"]],
        planned_days=row["planned_days"],
        planned_units=row["planned_units"],
        inference=row["inference"],
        scheduled_start_at=_instant(row["scheduled_start_at"]),
        scheduled_stop_at=_instant(row["scheduled_stop_at"]),
        started_at=_instant(row["started_at"]),
        concluded_at=_instant(row["concluded_at"]),
        decision=None if row["decision"] is None else DecisionMessage(**row["decision"]),
        release=None if row["release"] is None else _release(row["release"]),
        ramp=None if row["ramp"] is None else _ramp(row["ramp"]),
        received_at=format_instant(received_at),
    )


def _variant(row: Row) -> VariantMessage:
    """Without its payload, which is the client's alone."""
    return VariantMessage(**{name: row[name] for name in VariantMessage.__struct_fields__})


def _release(row: Row) -> ReleaseMessage:
    """As it is served now; how its share will grow is nobody's business but the API's."""
    return ReleaseMessage(**{name: row[name] for name in ReleaseMessage.__struct_fields__})


def _ramp(row: Row) -> RampMessage:
    since, end = row["step_since"], row["release_at_end"]
    return RampMessage(
        steps=[RampStepMessage(**step) for step in row["steps"]],
        on_breach=row["on_breach"],
        release_at_end=None if end is None else ReleaseAtEndMessage(**end),
        position=row["position"],
        step_since=None if since is None else format_instant(datetime.fromisoformat(since)),
        held=row["held"],
    )


def _instant(instant: datetime | None) -> str | None:
    return None if instant is None else format_instant(instant)
