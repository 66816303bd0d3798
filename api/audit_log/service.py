"""The audit log, read."""

from __future__ import annotations

from dataclasses import dataclass

from api.audit_log.repository import read_page
from api.audit_log.schemas import AuditEntry, AuditFilter, AuditPage
from api.http.pages import cut, read_cursor
from api.identity.identify import Identify
from api.identity.pseudonyms import known_pseudonym
from api.postgres.database import Pool


@dataclass(frozen=True, slots=True)
class AuditLog:
    pool: Pool
    identify: Identify

    async def page(self, wanted: AuditFilter) -> AuditPage:
        """Newest first. Of a person: none once it is erased. Raises Problem `invalid_cursor`."""
        before = read_cursor(wanted.cursor)
        async with self.pool.connection() as connection:
            person = None
            if wanted.user_id is not None:
                person = await known_pseudonym(connection, wanted.unit_type, self.identify(wanted.user_id))
                if person is None:
                    return AuditPage(items=[], next_cursor=None)
            rows = await read_page(connection, wanted, person, before, wanted.limit + 1)
        items, next_cursor = cut(rows, wanted.limit, key=lambda row: row["id"])
        return AuditPage(items=[AuditEntry.model_validate(row) for row in items], next_cursor=next_cursor)
