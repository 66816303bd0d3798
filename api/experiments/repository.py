"""Experiments in PostgreSQL: the current state, every version, and the message of each change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import errors
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from api.database import Connection
from api.experiments.schemas import ExperimentIn, Status

CHANNEL = "neonblue_experiments"
"""Notifications of changes; the payload is the experiment's id."""

_COLUMNS = """
SELECT experiments.id, key, name, hypothesis, source, unit_type, population, status, salt, allocation, version,
    created_at, started_at, concluded_at,
    (SELECT jsonb_agg(jsonb_build_object('key', v.key, 'name', v.name, 'weight', v.weight,
        'is_control', v.is_control, 'payload', v.payload) ORDER BY v.position)
     FROM variants AS v WHERE v.experiment_id = experiments.id) AS variants,
    coalesce((SELECT jsonb_agg(jsonb_build_object('key', m.key, 'version', m.version, 'type', m.type,
        'role', m.role, 'direction', m.direction, 'event_type', m.event_type,
        'property_filter', m.property_filter, 'aggregation', m.aggregation,
        'window_seconds', m.window_seconds, 'cap', m.cap::text) ORDER BY m.id)
     FROM metrics AS m WHERE m.experiment_id = experiments.id), '[]') AS metrics
FROM experiments
"""
_BY_KEY = _COLUMNS + "WHERE key = %s"
_BY_KEY_LOCKED = _BY_KEY + " FOR UPDATE"
_BY_ID = _COLUMNS + "WHERE experiments.id = %s"
_ALL = _COLUMNS + "ORDER BY experiments.id"
_PAGE = (
    _COLUMNS
    + "WHERE experiments.id < %s AND (%s::text IS NULL OR status = %s) ORDER BY experiments.id DESC LIMIT %s"
)
_INSERT = """
INSERT INTO experiments (key, name, hypothesis, source, unit_type, population, salt, allocation)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s) RETURNING id
"""
_INSERT_VARIANT = """
INSERT INTO variants (experiment_id, key, name, weight, is_control, position, payload)
VALUES (%s, %s, %s, %s, %s, %s, %s)
"""
_INSERT_METRIC = """
INSERT INTO metrics (experiment_id, key, type, role, direction, event_type, property_filter, aggregation,
    window_seconds, cap)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""
_STEP = """
UPDATE experiments SET status = %(status)s, version = version + 1,
    started_at = CASE WHEN %(status)s = 'running' THEN coalesce(started_at, now()) ELSE started_at END,
    concluded_at = CASE WHEN %(status)s = 'concluded' THEN now() ELSE concluded_at END
WHERE id = %(id)s
"""
_VERSION = """
INSERT INTO experiment_versions (experiment_id, version, snapshot, created_by, reason) VALUES (%s, %s, %s, %s, %s)
"""
Row = dict[str, Any]
"""A row as read, with its variants and metrics: handed on to a typed model at once."""


class KeyTaken(Exception):  # noqa: N818 - a fact the service turns into its answer
    """There is an experiment with this key."""


async def read_one(connection: Connection, key: str, *, lock: bool = False) -> Row | None:
    """The experiment of this key; locked until the transaction's end if asked."""
    return await _fetch_one(connection, _BY_KEY_LOCKED if lock else _BY_KEY, (key,))


async def read_by_id(connection: Connection, experiment_id: int) -> Row | None:
    return await _fetch_one(connection, _BY_ID, (experiment_id,))


async def read_all(connection: Connection) -> list[Row]:
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_ALL.encode())
        return await cursor.fetchall()


async def read_page(connection: Connection, before: int, status: Status | None, limit: int) -> list[Row]:
    """At most `limit` experiments with ids below `before`, newest first."""
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_PAGE.encode(), (before, status, status, limit))
        return await cursor.fetchall()


async def insert(connection: Connection, new: ExperimentIn, salt: str) -> int:
    """Store a draft; returns its id. Raises KeyTaken."""
    try:
        cursor = await connection.execute(
            _INSERT,
            (
                new.key, new.name, new.hypothesis, new.source, new.unit_type, new.population, salt,
                new.allocation,
            ),
        )  # fmt: skip
    except errors.UniqueViolation:
        raise KeyTaken(new.key) from None
    row = await cursor.fetchone()
    if row is None:
        raise RuntimeError("the insert returned no id")
    experiment_id: int = row[0]
    await _insert_parts(connection, experiment_id, new)
    return experiment_id


async def set_status(connection: Connection, experiment_id: int, status: Status) -> None:
    """Move to a state, as a new version."""
    await connection.execute(_STEP, {"id": experiment_id, "status": str(status)})


async def insert_version(
    connection: Connection, experiment_id: int, version: int, snapshot: bytes, actor: str, reason: str | None
) -> None:
    """Keep a version and tell the other processes, which hear of it after the commit."""
    await connection.execute(_VERSION.encode(), (experiment_id, version, snapshot.decode(), actor, reason))
    await connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, str(experiment_id)))


async def _insert_parts(connection: Connection, experiment_id: int, new: ExperimentIn) -> None:
    variants: Sequence[tuple[Any, ...]] = [
        (
            experiment_id, variant.key, variant.name, variant.weight, variant.is_control, position,
            None if variant.payload is None else Jsonb(variant.payload),
        )
        for position, variant in enumerate(new.variants)
    ]  # fmt: skip
    metrics: Sequence[tuple[Any, ...]] = [
        (
            experiment_id, metric.key, metric.type, metric.role, metric.direction, metric.event_type,
            None if metric.property_filter is None else Jsonb(metric.property_filter), metric.aggregation,
            metric.window_seconds, metric.cap,
        )
        for metric in new.metrics
    ]  # fmt: skip
    async with connection.cursor() as cursor:
        await cursor.executemany(_INSERT_VARIANT, variants)
        await cursor.executemany(_INSERT_METRIC, metrics)


async def _fetch_one(connection: Connection, statement: str, values: tuple[Any, ...]) -> Row | None:
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(statement.encode(), values)
        return await cursor.fetchone()
