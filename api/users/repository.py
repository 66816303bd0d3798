"""People in PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from psycopg.types.json import Jsonb

from api.postgres.database import Connection

_READ = """
SELECT attributes, created_at FROM users WHERE (unit_type, external_id) = (%s, %s)
"""
_LOCKED = _READ + " FOR UPDATE"
_MAKE = """
INSERT INTO users (unit_type, external_id) VALUES (%s, %s) ON CONFLICT DO NOTHING
"""
_SET = """
UPDATE users SET attributes = %s WHERE (unit_type, external_id) = (%s, %s)
"""
_PAGES = "SELECT pg_relation_size('users') / current_setting('block_size')::bigint"
_SAMPLE = """
SELECT attributes FROM users TABLESAMPLE SYSTEM (%s::real)
WHERE unit_type = %s AND attributes IS NOT NULL AND attributes <> '{}'
ORDER BY random() LIMIT %s
"""
_SAMPLED_PAGES = 300


@dataclass(frozen=True, slots=True)
class Person:
    """Who: unit type and stored id."""

    unit_type: str
    user_id: str


@dataclass(frozen=True, slots=True)
class Held:
    """The row of `users`."""

    attributes: dict[str, Any]
    created_at: datetime


async def read(connection: Connection, person: Person) -> Held | None:
    """What is known of the person; None where it has no row."""
    return await _read(connection, _READ, person)


async def read_or_make(connection: Connection, person: Person) -> Held:
    """As `read`, made where it is missing, and locked until the transaction's end."""
    await connection.execute(_MAKE, (person.unit_type, person.user_id))
    held = await _read(connection, _LOCKED, person)
    if held is None:
        raise RuntimeError("the person's row was deleted meanwhile")
    return held


async def read_sample(connection: Connection, unit_type: str, limit: int) -> list[dict[str, Any]]:
    """The attributes of at most so many units of this type, drawn at random. Of a large table some pages are read."""
    cursor = await connection.execute(_PAGES)
    row = await cursor.fetchone()
    pages = 0 if row is None else int(row[0])
    percent = min(100.0, 100.0 * _SAMPLED_PAGES / max(pages, 1))
    cursor = await connection.execute(_SAMPLE, (percent, unit_type, limit))
    return [attributes for (attributes,) in await cursor.fetchall()]


async def set_attributes(connection: Connection, person: Person, attributes: Mapping[str, Any]) -> None:
    """Replace what is known."""
    value = Jsonb(attributes, dumps=msgspec.json.encode)
    await connection.execute(_SET, (value, person.unit_type, person.user_id))


async def _read(connection: Connection, statement: str, person: Person) -> Held | None:
    cursor = await connection.execute(statement.encode(), (person.unit_type, person.user_id))
    row = await cursor.fetchone()
    return None if row is None else Held(row[0] or {}, row[1])
