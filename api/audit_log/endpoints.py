"""The audit log over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from api.access.dependencies import Admin
from api.audit_log.schemas import AuditFilter, AuditPage
from api.audit_log.service import AuditLog
from api.http.parts import part

router = APIRouter(prefix="/v1/audit", tags=["access"])

Log = Annotated[AuditLog, Depends(part(AuditLog))]


@router.get("")
async def list_audit_entries(wanted: Annotated[AuditFilter, Query()], log: Log, _: Admin) -> AuditPage:
    """Who changed, read or was refused what, newest first. `neonblue audit verify` checks that no entry was altered.

    A person's attributes, assignments and export have an entry each time they are read (`read`, `export`), as have
    dead letters that are opened on the pipeline's page, and logging in and out. Other reads (`read_calls`) and refusals
    for want of a right (`refused_calls`, `refused_log_ins`) share one entry for a caller, a route and a status, by
    default of a minute; `after` holds how many they were.
    """
    return await log.page(wanted)
