"""The audit log for administrators."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from api.access.callers import Caller
from api.access.dependencies import require_visitor
from api.access.tokens import Scope
from api.audit_log.schemas import AuditFilter
from api.audit_log.service import AuditLog
from api.http.parts import part
from api.http.problems import Problem
from api.web.audit.page import FIELDS, Wanted, audit_page
from api.web.shared.forms import read_as, refused
from api.web.shared.frame import Frame, answer, root_of, visitor_of
from neonblue.settings import Settings

router = APIRouter(tags=["pages"], include_in_schema=False)

Log = Annotated[AuditLog, Depends(part(AuditLog))]
Configured = Annotated[Settings, Depends(part(Settings))]
Admin = Annotated[Caller, Depends(require_visitor(Scope.ADMIN))]


@router.get("/audit")
async def audit(
    request: Request, caller: Admin, log: Log, settings: Configured, cursor: str = ""
) -> Response:
    """Who changed, read or was refused what, newest first."""
    wanted = Wanted({name: request.query_params.get(name, "") for name in FIELDS})
    frame = Frame(root_of(request), "Audit", visitor_of(caller), settings.dagster.page, place="audit")
    try:
        asked = read_as(AuditFilter, wanted.asked | ({"cursor": cursor} if cursor else {}))
        found = await log.page(asked)
    except Problem as problem:
        if problem.status != 422:
            raise
        request.state.problem = problem
        page = audit_page(wanted, (), refused=refused(problem, wanted.typed, FIELDS))
        return answer("audit.html", frame, problem.status, page=page)
    page = audit_page(wanted, found.items, (cursor, found.next_cursor))
    return answer("audit.html", frame, page=page)
