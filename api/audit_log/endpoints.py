"""The audit log over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from api.access.dependencies import ServicesDep, require
from api.access.tokens import Scope
from api.audit.record import Actor
from api.audit_log.repository import read_page
from api.audit_log.schemas import AuditEntry, AuditFilter, AuditPage
from api.http.pages import cut, read_cursor
from api.identity.pseudonyms import known_pseudonym

router = APIRouter(prefix="/v1/audit", tags=["access"])

Admin = Annotated[Actor, Depends(require(Scope.ADMIN))]


@router.get("")
async def list_audit_entries(
    wanted: Annotated[AuditFilter, Query()], services: ServicesDep, _: Admin
) -> AuditPage:
    """Who changed, read or was refused what, newest first. `neonblue audit verify` checks that no entry was altered.

    A person's attributes, assignments and export have an entry each time they are read (`read`, `export`), as have
    logging in and out. Other reads (`read_calls`) and refusals for want of a right (`refused_calls`, `refused_log_ins`)
    share one entry for a caller, a route and a status, by default of a minute; `after` holds how many they were.
    """
    before = read_cursor(wanted.cursor)
    async with services.pool.connection() as connection:
        person = None
        if wanted.user_id is not None:
            stored = services.users.identify(wanted.user_id)
            person = await known_pseudonym(connection, wanted.unit_type, stored)
            if person is None:
                return AuditPage(items=[], next_cursor=None)
        rows = await read_page(connection, wanted, person, before, wanted.limit + 1)
    items, next_cursor = cut(rows, wanted.limit, key=lambda row: row["id"])
    return AuditPage(items=[AuditEntry.model_validate(row) for row in items], next_cursor=next_cursor)
