"""The receipt of an erasure."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from api.access.callers import Caller
from api.access.dependencies import require_visitor
from api.access.tokens import Scope
from api.erasures.service import ErasureService
from api.http.parts import part
from api.web.erasure.page import erasure_page
from api.web.shared.frame import Frame, answer, root_of, visitor_of
from neonblue.settings import Settings

router = APIRouter(tags=["pages"], include_in_schema=False)

Erasures = Annotated[ErasureService, Depends(part(ErasureService))]
Configured = Annotated[Settings, Depends(part(Settings))]
Reader = Annotated[Caller, Depends(require_visitor(Scope.VIEWER))]


@router.get("/erasures/{erasure_id}")
async def receipt(
    request: Request, erasure_id: UUID, caller: Reader, erasures: Erasures, settings: Configured
) -> Response:
    """What was removed where and when, and what is pending until which date."""
    page = erasure_page(await erasures.get(erasure_id))
    frame = Frame(root_of(request), "Erasure", visitor_of(caller), settings.dagster.page, place="users")
    return answer("erasure.html", frame, page=page)
