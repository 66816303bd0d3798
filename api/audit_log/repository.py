"""The audit log in PostgreSQL."""

from __future__ import annotations

from typing import Any

from psycopg.rows import dict_row

from api.audit_log.schemas import AuditFilter
from api.postgres.database import Connection

_PAGE = """
SELECT id, at, actor, address, request_id, action, object_type, object_id, before, after,
    encode(hash, 'hex') AS hash
FROM audit_log
WHERE id < %(before)s
    AND (%(actor)s::text IS NULL OR actor = %(actor)s)
    AND (%(action)s::text IS NULL OR action = %(action)s)
    AND (%(object_type)s::text IS NULL OR object_type = %(object_type)s)
    AND (%(object_id)s::text IS NULL OR object_id = %(object_id)s)
    AND (%(person)s::text IS NULL OR object_type = 'user' AND object_id = %(person)s)
    AND (%(request_id)s::text IS NULL OR request_id = %(request_id)s)
    AND (%(since)s::timestamptz IS NULL OR at >= %(since)s)
    AND (%(until)s::timestamptz IS NULL OR at < %(until)s)
ORDER BY id DESC LIMIT %(limit)s
"""
_BEYOND_ALL = 2**63 - 1


async def read_page(
    connection: Connection, wanted: AuditFilter, person: str | None, before: int | None, limit: int
) -> list[dict[str, Any]]:
    """Newest first, from the id `before` on. `person`: the pseudonym of whom they must be about."""
    last = _BEYOND_ALL if before is None else before
    values = wanted.model_dump() | {"person": person, "before": last, "limit": limit}
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_PAGE.encode(), values)
        return await cursor.fetchall()
