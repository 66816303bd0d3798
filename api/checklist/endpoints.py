"""Checklists over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends

from api.access.dependencies import Viewer
from api.checklist.schemas import Checklist
from api.checklist.service import ChecklistService
from api.experiments.endpoints import Key
from api.http.parts import part

router = APIRouter(prefix="/v1/experiments", tags=["experiments"])

Service = Annotated[ChecklistService, Depends(part(ChecklistService))]


@router.get("/{key}/checklist")
async def get_checklist(key: Key, service: Service, _: Viewer) -> Checklist:
    """Whether it is ready to start; once it has started, whether its numbers can be trusted.

    What needs ClickHouse is told as a warning, not known, where that does not answer within two seconds.
    """
    return await service.of(key)
