"""Holdouts over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response

from api.access.dependencies import Editor, Viewer
from api.fields import Key
from api.holdouts.schemas import HoldoutNew, HoldoutOut, HoldoutPage, HoldoutPatch
from api.holdouts.service import HoldoutService
from api.http.etags import IfMatch, tagged
from api.http.pages import Cursor, Limit, read_cursor
from api.http.parts import part

router = APIRouter(prefix="/v1/holdouts", tags=["holdouts"])

Service = Annotated[HoldoutService, Depends(part(HoldoutService))]

KeyPath = Annotated[Key, Path(examples=["2026"])]


@router.post("", status_code=201)
async def create_holdout(new: HoldoutNew, service: Service, actor: Editor, response: Response) -> HoldoutOut:
    """Create a holdout: units in it enter no experiment from now on."""
    holdout = await service.create(new, actor)
    return tagged(response, holdout, holdout.version)


@router.get("")
async def list_holdouts(service: Service, _: Viewer, cursor: Cursor = None, limit: Limit = 50) -> HoldoutPage:
    """Holdouts, newest first."""
    return await service.page(read_cursor(cursor), limit)


@router.get("/{key}")
async def get_holdout(key: KeyPath, service: Service, _: Viewer, response: Response) -> HoldoutOut:
    """One holdout."""
    holdout = await service.get(key)
    return tagged(response, holdout, holdout.version)


@router.patch("/{key}")
async def change_holdout(
    key: KeyPath,
    patch: HoldoutPatch,
    service: Service,
    actor: Editor,
    response: Response,
    if_match: IfMatch = None,
) -> HoldoutOut:
    """Change a holdout. While experiments that respect it run, its share may only grow."""
    holdout = await service.patch(key, patch, if_match, actor)
    return tagged(response, holdout, holdout.version)


@router.delete("/{key}", status_code=204)
async def delete_holdout(key: KeyPath, service: Service, actor: Editor) -> None:
    """Delete a holdout that no experiment names: its units may enter experiments again."""
    await service.delete(key, actor)
