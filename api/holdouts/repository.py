"""Holdouts in PostgreSQL, and which experiments respect them."""

from __future__ import annotations

from typing import Any

from psycopg import errors
from psycopg.rows import dict_row

from api.postgres.database import Connection

Row = dict[str, Any]

_COLUMNS = "SELECT id, key, name, salt, share, version, created_at FROM holdouts "
_ONE = _COLUMNS + "WHERE key = %s"
_PAGE = _COLUMNS + "WHERE id < %s ORDER BY id DESC LIMIT %s"
_INSERT = "INSERT INTO holdouts (key, name, salt, share) VALUES (%s, %s, %s, %s)"
_UPDATE = "UPDATE holdouts SET name = %s, share = %s, version = version + 1 WHERE id = %s"
_RESPECTING = """
SELECT key FROM experiments
WHERE source = 'internal' AND status IN ('running', 'paused') AND (holdouts IS NULL OR %s = ANY(holdouts))
ORDER BY id
"""
_NAMING = """
SELECT key FROM experiments
WHERE %s = ANY(holdouts)
    AND (
        status NOT IN ('concluded', 'archived')
        OR status = 'concluded' AND (release IS NOT NULL OR decision ->> 'outcome' = 'ship')
    )
ORDER BY id LIMIT 20
"""


class HoldoutKeyTaken(Exception):  # noqa: N818 - a fact the service turns into its answer
    """There is a holdout with this key."""


async def read_one(connection: Connection, key: str) -> Row | None:
    rows = await _fetch(connection, _ONE, (key,))
    return rows[0] if rows else None


async def read_page(connection: Connection, before: int, limit: int) -> list[Row]:
    return await _fetch(connection, _PAGE, (before, limit))


async def insert(connection: Connection, key: str, name: str | None, salt: str, share: int) -> None:
    """Raises HoldoutKeyTaken."""
    try:
        await connection.execute(_INSERT, (key, name, salt, share))
    except errors.UniqueViolation:
        raise HoldoutKeyTaken(key) from None


async def update(connection: Connection, holdout_id: int, name: str | None, share: int) -> None:
    await connection.execute(_UPDATE, (name, share, holdout_id))


async def delete(connection: Connection, holdout_id: int) -> None:
    await connection.execute("DELETE FROM holdouts WHERE id = %s", (holdout_id,))


async def read_respecting(connection: Connection, key: str) -> list[str]:
    """Keys of the started experiments that leave out the holdout's units."""
    cursor = await connection.execute(_RESPECTING, (key,))
    return [found for (found,) in await cursor.fetchall()]


async def read_naming(connection: Connection, key: str) -> list[str]:
    """Keys of at most 20 experiments that have not ended and name the holdout."""
    cursor = await connection.execute(_NAMING, (key,))
    return [found for (found,) in await cursor.fetchall()]


async def _fetch(connection: Connection, statement: str, values: tuple[Any, ...]) -> list[Row]:
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(statement.encode(), values)
        return await cursor.fetchall()
