"""Layers in PostgreSQL, and who holds which of their slots."""

from __future__ import annotations

from typing import Any

from psycopg import errors
from psycopg.rows import dict_row

from api.layers.slots import Slots
from api.postgres.database import Connection

Row = dict[str, Any]

_COLUMNS = """
SELECT id, key, name, salt, version, created_at,
    coalesce((SELECT jsonb_agg(jsonb_build_object('experiment', e.key, 'status', e.status,
        'start', e.layer_start, 'end', e.layer_end) ORDER BY e.layer_start)
     FROM experiments AS e WHERE e.layer_id = layers.id AND e.status NOT IN ('concluded', 'archived')), '[]')
        AS slots
FROM layers
"""
_ONE = _COLUMNS + "WHERE key = %s"
_PAGE = _COLUMNS + "WHERE id < %s ORDER BY id DESC LIMIT %s"
_LOCK = "SELECT id FROM layers WHERE key = %s FOR UPDATE"
_TAKEN = """
SELECT layer_start, layer_end FROM experiments
WHERE layer_id = %s AND status NOT IN ('concluded', 'archived') AND id IS DISTINCT FROM %s
"""
_INSERT = "INSERT INTO layers (key, name, salt) VALUES (%s, %s, %s)"
_RENAME = "UPDATE layers SET name = %s, version = version + 1 WHERE id = %s"


class LayerKeyTaken(Exception):  # noqa: N818 - a fact the service turns into its answer
    """There is a layer with this key."""


class LayerInUse(Exception):  # noqa: N818
    """Experiments hold slots of it, or held some: their assignments stay readable by it."""


async def lock(connection: Connection, key: str) -> int | None:
    """The layer's id; nobody else gives out its slots until the transaction's end."""
    cursor = await connection.execute(_LOCK, (key,))
    row = await cursor.fetchone()
    return None if row is None else int(row[0])


async def read_taken(connection: Connection, layer_id: int, but: int | None) -> list[Slots]:
    """The slots that experiments hold, but for those of the experiment `but`."""
    cursor = await connection.execute(_TAKEN, (layer_id, but))
    return [Slots(start, end) for start, end in await cursor.fetchall()]


async def read_one(connection: Connection, key: str) -> Row | None:
    rows = await _fetch(connection, _ONE, (key,))
    return rows[0] if rows else None


async def read_page(connection: Connection, before: int, limit: int) -> list[Row]:
    return await _fetch(connection, _PAGE, (before, limit))


async def insert(connection: Connection, key: str, name: str | None, salt: str) -> None:
    """Raises LayerKeyTaken."""
    try:
        await connection.execute(_INSERT, (key, name, salt))
    except errors.UniqueViolation:
        raise LayerKeyTaken(key) from None


async def rename(connection: Connection, layer_id: int, name: str | None) -> None:
    await connection.execute(_RENAME, (name, layer_id))


async def delete(connection: Connection, layer_id: int) -> None:
    """Raises LayerInUse."""
    try:
        await connection.execute("DELETE FROM layers WHERE id = %s", (layer_id,))
    except errors.ForeignKeyViolation:
        raise LayerInUse from None


async def _fetch(connection: Connection, statement: str, values: tuple[Any, ...]) -> list[Row]:
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(statement.encode(), values)
        return await cursor.fetchall()
