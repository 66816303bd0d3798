"""The audit log over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from api.audit.record import Actor
from api.audit.repository import read_page
from api.audit.schemas import AuditEntry, AuditFilter, AuditPage
from api.http.dependencies import ServicesDep, require
from api.http.pages import cut, read_cursor
from api.http.security import Scope

router = APIRouter(prefix="/v1/audit", tags=["access"])

Admin = Annotated[Actor, Depends(require(Scope.ADMIN))]


@router.get("")
async def list_audit_entries(
    wanted: Annotated[AuditFilter, Query()], services: ServicesDep, _: Admin
) -> AuditPage:
    """Who changed what, newest first. `neonblue audit verify` checks that no entry was altered."""
    async with services.pool.connection() as connection:
        rows = await read_page(connection, wanted, read_cursor(wanted.cursor), wanted.limit + 1)
    items, next_cursor = cut(rows, wanted.limit, key=lambda row: row["id"])
    return AuditPage(items=[AuditEntry.model_validate(row) for row in items], next_cursor=next_cursor)
