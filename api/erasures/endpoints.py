"""Erasures over HTTP."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response

from api.access.dependencies import Admin, Editor, Viewer
from api.erasures.schemas import Receipt, Verification
from api.erasures.service import ErasureService
from api.http.parts import part
from api.identity.in_paths import ID_PARAMETER, UnitType, UserId

router = APIRouter(prefix="/v1/erasures", tags=["erasures"])
of_people = APIRouter(prefix="/v1/users", tags=["users"])

Service = Annotated[ErasureService, Depends(part(ErasureService))]


@router.post("/verify")
async def verify(service: Service, _: Editor) -> Verification:
    """Look at every open erasure and close those of which nothing can come back any more."""
    return await service.verify()


@router.get("/{erasure_id}")
async def get(erasure_id: UUID, service: Service, _: Viewer) -> Receipt:
    """The receipt of an erasure: what was removed where and when, and what is pending until which date."""
    return await service.get(erasure_id)


@of_people.delete("/{user_id:path}", openapi_extra=ID_PARAMETER, status_code=202)
async def erase(
    user_id: UserId, unit_type: UnitType, response: Response, service: Service, actor: Admin
) -> Receipt:
    """Erase the person from every store. Gone from PostgreSQL when this answers; the receipt tells of the rest."""
    receipt = await service.erase(unit_type, user_id, actor)
    response.headers["location"] = f"/v1/erasures/{receipt.id}"
    return receipt
