"""People over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse

from api.access.dependencies import Admin, Editor, Viewer
from api.http.parts import part
from api.identity.in_paths import ID_PARAMETER, UnitType, UserId, is_all_id
from api.users.export import Exporter
from api.users.schemas import AttributesIn, UserOut
from api.users.service import UserService

router = APIRouter(prefix="/v1/users", tags=["users"])

Service = Annotated[UserService, Depends(part(UserService))]
Export = Annotated[Exporter, Depends(part(Exporter))]


@router.get(
    "/{user_id:path}/export",
    openapi_extra=ID_PARAMETER,
    response_class=StreamingResponse,
    responses={200: {"content": {"application/json": {"schema": {"type": "object"}}}}},
)
async def export(
    request: Request, user_id: UserId, unit_type: UnitType, service: Service, exporter: Export, actor: Admin
) -> Response:
    """Everything held on the person: attributes, assignments, events, and what else names it. As JSON."""
    if is_all_id(request):
        user = await service.get(unit_type, user_id, actor)
        return Response(user.model_dump_json(), media_type="application/json")
    document = await exporter.export(unit_type, user_id, actor)
    return StreamingResponse(
        document,
        media_type="application/json",
        headers={"content-disposition": 'attachment; filename="export.json"'},
    )


@router.get("/{user_id:path}", openapi_extra=ID_PARAMETER)
async def get(user_id: UserId, unit_type: UnitType, service: Service, actor: Viewer) -> UserOut:
    """What is known of the person."""
    return await service.get(unit_type, user_id, actor)


@router.put("/{user_id:path}", openapi_extra=ID_PARAMETER, responses={201: {"model": UserOut}})
async def put(
    user_id: UserId,
    unit_type: UnitType,
    body: AttributesIn,
    response: Response,
    service: Service,
    actor: Editor,
) -> UserOut:
    """Make these the person's attributes; a person not known before becomes so."""
    user, new = await service.put(unit_type, user_id, body.attributes, actor)
    response.status_code = 201 if new else 200
    return user


@router.patch("/{user_id:path}", openapi_extra=ID_PARAMETER, responses={201: {"model": UserOut}})
async def patch(
    user_id: UserId,
    unit_type: UnitType,
    body: AttributesIn,
    response: Response,
    service: Service,
    actor: Editor,
) -> UserOut:
    """Merge these into the person's attributes (RFC 7396): a null removes."""
    user, new = await service.patch(unit_type, user_id, body.attributes, actor)
    response.status_code = 201 if new else 200
    return user
