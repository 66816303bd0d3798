"""One person's assignments over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from api.access.dependencies import Viewer
from api.assignments.person import PersonReader
from api.assignments.schemas import PersonAssignments
from api.http.parts import part
from api.http.problems import Problem
from api.identity.in_paths import ID_PARAMETER, UnitType, UserId, is_all_id
from api.users.schemas import AttributesIn
from api.users.service import UserService

router = APIRouter(prefix="/v1/users", tags=["users"])

Reader = Annotated[PersonReader, Depends(part(PersonReader))]
Users = Annotated[UserService, Depends(part(UserService))]


@router.get("/{user_id:path}/assignments", openapi_extra=ID_PARAMETER, response_model=PersonAssignments)
async def person_assignments(
    request: Request, user_id: UserId, unit_type: UnitType, reader: Reader, users: Users, actor: Viewer
) -> PersonAssignments | Response:
    """Every experiment and release that the person is in: its variant, since when, what it met.

    `now` is what would be answered now if the application sent the attributes that are known of the person. Anonymous
    ids that are linked with the person count as it. Assigns nothing; leaves an entry in the audit log.
    """
    if is_all_id(request):
        user = await users.get(unit_type, user_id, actor)
        return Response(user.model_dump_json(), media_type="application/json")
    return await reader.everything(unit_type, user_id, actor)


@router.post("/{user_id:path}/assignments/trial", openapi_extra=ID_PARAMETER)
async def try_person(
    request: Request, user_id: UserId, unit_type: UnitType, body: AttributesIn, reader: Reader, actor: Viewer
) -> PersonAssignments:
    """What each experiment of such units would answer with these attributes alone, and why. Stores nothing.

    The person need not be known. What is stored of it counts, and leaves an entry in the audit log.
    """
    if is_all_id(request):
        raise Problem(404, "not_found", "There is no such call")
    return await reader.trial(unit_type, user_id, body.attributes, actor)
