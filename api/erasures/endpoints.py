"""Erasures over HTTP."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends

from api.access.dependencies import ServicesDep, require
from api.access.tokens import Scope
from api.audit import Actor
from api.erasures.schemas import Receipt, Verification

router = APIRouter(prefix="/v1/erasures", tags=["erasures"])

Viewer = Annotated[Actor, Depends(require(Scope.VIEWER))]
Editor = Annotated[Actor, Depends(require(Scope.EDITOR))]


@router.post("/verify")
async def verify(services: ServicesDep, _: Editor) -> Verification:
    """Look at every open erasure and close those of which nothing can come back any more."""
    return await services.erasures.verify()


@router.get("/{erasure_id}")
async def get(erasure_id: UUID, services: ServicesDep, _: Viewer) -> Receipt:
    """The receipt of an erasure: what was removed where and when, and what is pending until which date."""
    return await services.erasures.get(erasure_id)
