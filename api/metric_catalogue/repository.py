"""The catalogue in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import errors
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from api.postgres.database import Connection

Row = dict[str, Any]

_COLUMNS = """
SELECT m.id, m.key, m.name, m.description, m.owner, m.tags, m.watched, m.version AS revision, m.created_at,
    v.version, v.definition,
    EXISTS (SELECT FROM experiment_metrics AS used WHERE used.metric_id = m.id AND used.version = v.version)
        OR EXISTS (SELECT FROM experiment_watched AS used WHERE used.metric_id = m.id AND used.version = v.version)
        AS in_use
FROM metrics AS m JOIN metric_versions AS v ON v.metric_id = m.id AND v.version = m.latest
"""
_ONE = _COLUMNS + "WHERE m.key = %s"
_PAGE = (
    _COLUMNS
    + """
WHERE m.id < %(before)s
    AND (%(type)s::text IS NULL OR v.definition ->> 'type' = %(type)s)
    AND (%(tag)s::text IS NULL OR m.tags @> ARRAY[%(tag)s])
    AND (%(owner)s::text IS NULL OR m.owner = %(owner)s)
    AND (%(text)s::text IS NULL OR strpos(lower(concat_ws(' ', m.key, m.name, m.description)), lower(%(text)s)) > 0)
ORDER BY m.id DESC LIMIT %(limit)s
"""
)
_LOCK = "SELECT id FROM metrics WHERE key = %s FOR UPDATE"
_HOLD = "SELECT id FROM metrics WHERE key = %s FOR SHARE"
_VERSIONS = """
SELECT m.key, v.version, v.definition, v.created_at, v.created_by, v.reason
FROM metric_versions AS v JOIN metrics AS m ON m.id = v.metric_id
WHERE m.key = %s ORDER BY v.version DESC
"""
_REFERRED = """
SELECT m.id, v.version, v.definition
FROM metrics AS m JOIN metric_versions AS v ON v.metric_id = m.id
WHERE m.key = %(key)s AND v.version = coalesce(%(version)s::integer, m.latest)
"""
_USES = """
SELECT m.key, count(*)
FROM metrics AS m
CROSS JOIN LATERAL (
    SELECT experiment_id FROM experiment_metrics WHERE metric_id = m.id
    UNION
    SELECT experiment_id FROM experiment_watched WHERE metric_id = m.id
) AS used
WHERE m.key = ANY(%s) GROUP BY m.key
"""
_USERS = """
SELECT e.id, e.key, e.name, e.status, used.version, used.role, used.is_measured, used.is_active
FROM (
    SELECT DISTINCT ON (experiment_id) experiment_id, version, role, is_measured, is_active
    FROM (
        SELECT experiment_id, version, definition ->> 'role' AS role, true AS is_measured, true AS is_active
        FROM experiment_metrics WHERE metric_id = %(metric_id)s
        UNION ALL
        SELECT experiment_id, version, NULL, false, active FROM experiment_watched WHERE metric_id = %(metric_id)s
    ) AS either
    ORDER BY experiment_id, is_measured DESC
) AS used
JOIN experiments AS e ON e.id = used.experiment_id
WHERE e.id < %(before)s ORDER BY e.id DESC LIMIT %(limit)s
"""
_INSERT = """
INSERT INTO metrics (key, name, description, owner, tags, watched) VALUES (%s, %s, %s, %s, %s, %s) RETURNING id
"""
_INSERT_VERSION = """
INSERT INTO metric_versions (metric_id, version, definition, created_by, reason) VALUES (%s, %s, %s, %s, %s)
"""
_DESCRIBE = """
UPDATE metrics SET name = %s, description = %s, owner = %s, tags = %s, watched = %s, version = version + 1 WHERE id = %s
"""
_REDEFINE = "UPDATE metric_versions SET definition = %s WHERE metric_id = %s AND version = %s"
_ADVANCE = "UPDATE metrics SET latest = %s, version = version + 1 WHERE id = %s"


class MetricKeyTaken(Exception):  # noqa: N818 - a fact the service turns into its answer
    """There is a metric with this key."""


async def insert(
    connection: Connection, key: str, described: tuple[Any, ...], definition: Row, actor: str
) -> None:
    """Store a metric with its first version. Raises MetricKeyTaken.

    described: name, description, owner, tags, watched.
    """
    try:
        cursor = await connection.execute(_INSERT, (key, *described))
    except errors.UniqueViolation:
        raise MetricKeyTaken(key) from None
    (metric_id,) = await cursor.fetchone() or (0,)
    await connection.execute(_INSERT_VERSION, (metric_id, 1, Jsonb(definition), actor, None))


async def lock(connection: Connection, key: str) -> None:
    """Keep others from changing the metric, or referring to it, until the transaction's end."""
    await connection.execute(_LOCK, (key,))


async def read_one(connection: Connection, key: str) -> Row | None:
    """The metric with its newest definition."""
    rows = await _fetch(connection, _ONE, (key,))
    return rows[0] if rows else None


async def read_page(connection: Connection, filters: Row) -> list[Row]:
    """`filters`: before, type, tag, owner, text, limit."""
    return await _fetch(connection, _PAGE, filters)


async def read_versions(connection: Connection, key: str) -> list[Row]:
    """Every version, newest first."""
    return await _fetch(connection, _VERSIONS, (key,))


async def count_uses(connection: Connection, keys: Sequence[str]) -> dict[str, int]:
    """How many experiments measure each metric, or are watched by it, in any version; without those that none does."""
    cursor = await connection.execute(_USES, (list(keys),))
    return dict(await cursor.fetchall())


async def read_users(connection: Connection, metric_id: int, before: int, limit: int) -> list[Row]:
    """The experiments that measure the metric, or are watched by it, in any version; newest first."""
    return await _fetch(connection, _USERS, {"metric_id": metric_id, "before": before, "limit": limit})


async def read_referred(connection: Connection, key: str, version: int | None) -> Row | None:
    """The version that a reference means; it keeps its meaning until the transaction's end."""
    await connection.execute(_HOLD, (key,))
    rows = await _fetch(connection, _REFERRED, {"key": key, "version": version})
    return rows[0] if rows else None


async def describe(connection: Connection, metric_id: int, described: tuple[Any, ...]) -> None:
    await connection.execute(_DESCRIBE, (*described, metric_id))


async def redefine(connection: Connection, metric_id: int, version: int, definition: Row) -> None:
    """Change what a version means: for versions that nothing refers to."""
    await connection.execute(_REDEFINE, (Jsonb(definition), metric_id, version))


async def add_version(
    connection: Connection, metric_id: int, version: int, definition: Row, actor: str, reason: str | None
) -> None:
    """A new meaning, from now on the newest."""
    await connection.execute(_INSERT_VERSION, (metric_id, version, Jsonb(definition), actor, reason))
    await connection.execute(_ADVANCE, (version, metric_id))


async def _fetch(connection: Connection, statement: str, values: Row | tuple[Any, ...]) -> list[Row]:
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(statement.encode(), values)
        return await cursor.fetchall()
