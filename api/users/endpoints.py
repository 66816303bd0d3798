"""People over HTTP."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import unquote_to_bytes

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse

from api.access.dependencies import ServicesDep, require
from api.access.tokens import Scope
from api.audit import Actor
from api.erasures.schemas import Receipt
from api.http.problems import Problem
from api.users.schemas import AttributesIn, UserOut
from neonblue.contract.limits import KEY_LENGTH
from neonblue.contract.requests import DEFAULT_UNIT_TYPE
from neonblue.contract.texts import check_text
from neonblue.contract.violation import ContractError

router = APIRouter(prefix="/v1/users", tags=["users"])

_EXPORT = "export"
_PRINTABLE = r"^[^\x00-\x1f]+$"
_PLACE = 3
"""Of the id among the parts of `/v1/users/{user_id}`."""

Viewer = Annotated[Actor, Depends(require(Scope.VIEWER))]
Editor = Annotated[Actor, Depends(require(Scope.EDITOR))]
Admin = Annotated[Actor, Depends(require(Scope.ADMIN))]


def _unit_type(
    unit_type: Annotated[
        str,
        Query(
            min_length=1, max_length=KEY_LENGTH, pattern=_PRINTABLE, description="Of the id: user, device, …"
        ),
    ] = DEFAULT_UNIT_TYPE,
) -> str:
    return _checked(unit_type, "unit_type")


def _user_id(request: Request) -> str:
    """The id as it was sent: it may hold anything, slashes too (as %2F), so it is read from the undecoded path."""
    parts = _parts(request)
    text = unquote_to_bytes(b"/".join(parts)).decode(errors="replace")
    if not 1 <= len(text) <= KEY_LENGTH:
        raise Problem(422, "too_long", f"An id has 1 to {KEY_LENGTH} characters", field="user_id")
    return _checked(text, "user_id")


UnitType = Annotated[str, Depends(_unit_type)]
UserId = Annotated[str, Depends(_user_id)]
_ID = {
    "parameters": [
        {
            "name": "user_id",
            "in": "path",
            "required": True,
            "description": "The client's own id, percent-encoded",
            "schema": {"type": "string", "minLength": 1, "maxLength": KEY_LENGTH, "pattern": _PRINTABLE},
        }
    ]
}


@router.get(
    "/{user_id:path}/export",
    openapi_extra=_ID,
    response_class=StreamingResponse,
    responses={200: {"content": {"application/json": {"schema": {"type": "object"}}}}},
)
async def export(
    request: Request, user_id: UserId, unit_type: UnitType, services: ServicesDep, actor: Admin
) -> Response:
    """Everything held on the person: attributes, assignments, events, and what else names it. As JSON."""
    if _is_user(request):
        user = await services.users.get(unit_type, user_id, actor)
        return Response(user.model_dump_json(), media_type="application/json")
    document = await services.exporter.export(unit_type, user_id, actor)
    return StreamingResponse(
        document,
        media_type="application/json",
        headers={"content-disposition": 'attachment; filename="export.json"'},
    )


@router.get("/{user_id:path}", openapi_extra=_ID)
async def get(user_id: UserId, unit_type: UnitType, services: ServicesDep, actor: Viewer) -> UserOut:
    """What is known of the person."""
    return await services.users.get(unit_type, user_id, actor)


@router.put("/{user_id:path}", openapi_extra=_ID, responses={201: {"model": UserOut}})
async def put(
    user_id: UserId,
    unit_type: UnitType,
    body: AttributesIn,
    response: Response,
    services: ServicesDep,
    actor: Editor,
) -> UserOut:
    """Make these the person's attributes; a person not known before becomes so."""
    user, new = await services.users.put(unit_type, user_id, body.attributes, actor)
    response.status_code = 201 if new else 200
    return user


@router.patch("/{user_id:path}", openapi_extra=_ID, responses={201: {"model": UserOut}})
async def patch(
    user_id: UserId,
    unit_type: UnitType,
    body: AttributesIn,
    response: Response,
    services: ServicesDep,
    actor: Editor,
) -> UserOut:
    """Merge these into the person's attributes (RFC 7396): a null removes."""
    user, new = await services.users.patch(unit_type, user_id, body.attributes, actor)
    response.status_code = 201 if new else 200
    return user


@router.delete("/{user_id:path}", openapi_extra=_ID, status_code=202)
async def erase(
    user_id: UserId, unit_type: UnitType, response: Response, services: ServicesDep, actor: Admin
) -> Receipt:
    """Erase the person from every store. Gone from PostgreSQL when this answers; the receipt tells of the rest."""
    receipt = await services.erasures.erase(unit_type, user_id, actor)
    response.headers["location"] = f"/v1/erasures/{receipt.id}"
    return receipt


def _parts(request: Request) -> list[bytes]:
    raw: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    parts = raw.partition(b"?")[0].split(b"/")[_PLACE:]
    export_route = request.scope["route"].path.endswith(f"/{_EXPORT}")
    return parts[:-1] if export_route and not _is_user(request) else parts


def _is_user(request: Request) -> bool:
    """Whether a path that ends in `/export` is all id: its slash was encoded."""
    raw: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    return raw.partition(b"?")[0].rpartition(b"/")[2] != _EXPORT.encode()


def _checked(text: str, field: str) -> str:
    try:
        check_text(text, field)
    except ContractError as error:
        raise Problem(422, error.violation.code, error.violation.message, field=field) from None
    return text
