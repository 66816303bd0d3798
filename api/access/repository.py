"""Tokens in PostgreSQL."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from psycopg.rows import dict_row

from api.access.schemas import TokenIn
from api.postgres.database import Connection

Row = dict[str, Any]

_COLUMNS = """id, name, hint, scopes, origins, rate_limit, created_at, created_by, expires_at, revoked_at,
    last_used_at"""
_INSERT = f"""
INSERT INTO api_tokens (name, token_hash, hint, scopes, origins, rate_limit, expires_at, created_by)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s) RETURNING {_COLUMNS}
"""  # noqa: S608 - no value is in the text
_ONE = f"SELECT {_COLUMNS} FROM api_tokens WHERE id = %s"  # noqa: S608
_LOCKED = _ONE + " FOR UPDATE"
_PAGE = f"SELECT {_COLUMNS} FROM api_tokens WHERE id < %s ORDER BY id DESC LIMIT %s"  # noqa: S608
_REVOKE = f"UPDATE api_tokens SET revoked_at = now() WHERE id = %s RETURNING {_COLUMNS}"  # noqa: S608
_ADMINISTRATORS = """
SELECT id FROM api_tokens
WHERE 'admin' = ANY (scopes) AND revoked_at IS NULL AND coalesce(expires_at > now(), true) ORDER BY id FOR UPDATE
"""
_BEYOND_ALL = 2**31 - 1


async def insert(connection: Connection, new: TokenIn, digest: bytes, hint: str, by: str) -> Row:
    """Store a token's hash."""
    expires: datetime | None = new.expires_at
    values = (new.name, digest, hint, list(new.scopes), new.origins, new.rate_limit, expires, by)
    found = await _fetch(connection, _INSERT, values)
    return found[0]


async def read_one(connection: Connection, token_id: int, *, lock: bool = False) -> Row | None:
    found = await _fetch(connection, _LOCKED if lock else _ONE, (token_id,))
    return found[0] if found else None


async def read_page(connection: Connection, before: int | None, limit: int) -> list[Row]:
    """Newest first, from the id `before` on."""
    return await _fetch(connection, _PAGE, (_BEYOND_ALL if before is None else before, limit))


async def revoke(connection: Connection, token_id: int) -> Row:
    found = await _fetch(connection, _REVOKE, (token_id,))
    return found[0]


async def lock_administrators(connection: Connection) -> set[int]:
    """The ids of all administrators' tokens that are valid; none can be revoked meanwhile."""
    return {row["id"] for row in await _fetch(connection, _ADMINISTRATORS, ())}


async def _fetch(connection: Connection, statement: str, values: tuple[Any, ...]) -> list[Row]:
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(statement.encode(), values)
        return await cursor.fetchall()
