"""Holdouts over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response

from api.access.dependencies import Editor, ServicesDep, Viewer
from api.fields import Key
from api.holdouts.schemas import HoldoutNew, HoldoutOut, HoldoutPage, HoldoutPatch
from api.http.etags import IfMatch, version_tag
from api.http.pages import Cursor, Limit, read_cursor

router = APIRouter(prefix="/v1/holdouts", tags=["holdouts"])

KeyPath = Annotated[Key, Path(examples=["2026"])]


@router.post("", status_code=201)
async def create_holdout(
    new: HoldoutNew, services: ServicesDep, actor: Editor, response: Response
) -> HoldoutOut:
    """Create a holdout: units in it enter no experiment from now on."""
    return _tagged(response, await services.holdouts.create(new, actor))


@router.get("")
async def list_holdouts(
    services: ServicesDep, _: Viewer, cursor: Cursor = None, limit: Limit = 50
) -> HoldoutPage:
    """Holdouts, newest first."""
    return await services.holdouts.page(read_cursor(cursor), limit)


@router.get("/{key}")
async def get_holdout(key: KeyPath, services: ServicesDep, _: Viewer, response: Response) -> HoldoutOut:
    """One holdout."""
    return _tagged(response, await services.holdouts.get(key))


@router.patch("/{key}")
async def change_holdout(
    key: KeyPath,
    patch: HoldoutPatch,
    services: ServicesDep,
    actor: Editor,
    response: Response,
    if_match: IfMatch = None,
) -> HoldoutOut:
    """Change a holdout. While experiments that respect it run, its share may only grow."""
    return _tagged(response, await services.holdouts.patch(key, patch, if_match, actor))


@router.delete("/{key}", status_code=204)
async def delete_holdout(key: KeyPath, services: ServicesDep, actor: Editor) -> None:
    """Delete a holdout that no experiment names: its units may enter experiments again."""
    await services.holdouts.delete(key, actor)


def _tagged(response: Response, holdout: HoldoutOut) -> HoldoutOut:
    response.headers["etag"] = version_tag(holdout.version)
    return holdout
