"""Holdouts over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response

from api.access.dependencies import Editor, Viewer
from api.fields import Key
from api.holdouts.schemas import HoldoutNew, HoldoutOut, HoldoutPage, HoldoutPatch
from api.holdouts.service import HoldoutService
from api.http.etags import IfMatch, version_tag
from api.http.pages import Cursor, Limit, read_cursor
from api.http.parts import part

router = APIRouter(prefix="/v1/holdouts", tags=["holdouts"])

Service = Annotated[HoldoutService, Depends(part(HoldoutService))]

KeyPath = Annotated[Key, Path(examples=["2026"])]


@router.post("", status_code=201)
async def create_holdout(new: HoldoutNew, service: Service, actor: Editor, response: Response) -> HoldoutOut:
    """Create a holdout: units in it enter no experiment from now on."""
    return _tagged(response, await service.create(new, actor))


@router.get("")
async def list_holdouts(service: Service, _: Viewer, cursor: Cursor = None, limit: Limit = 50) -> HoldoutPage:
    """Holdouts, newest first."""
    return await service.page(read_cursor(cursor), limit)


@router.get("/{key}")
async def get_holdout(key: KeyPath, service: Service, _: Viewer, response: Response) -> HoldoutOut:
    """One holdout."""
    return _tagged(response, await service.get(key))


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
    return _tagged(response, await service.patch(key, patch, if_match, actor))


@router.delete("/{key}", status_code=204)
async def delete_holdout(key: KeyPath, service: Service, actor: Editor) -> None:
    """Delete a holdout that no experiment names: its units may enter experiments again."""
    await service.delete(key, actor)


def _tagged(response: Response, holdout: HoldoutOut) -> HoldoutOut:
    response.headers["etag"] = version_tag(holdout.version)
    return holdout
