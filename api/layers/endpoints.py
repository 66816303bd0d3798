"""Layers over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response

from api.access.dependencies import Editor, ServicesDep, Viewer
from api.fields import Key
from api.http.etags import IfMatch, version_tag
from api.http.pages import Cursor, Limit, read_cursor
from api.layers.schemas import LayerNew, LayerOut, LayerPage, LayerPatch

router = APIRouter(prefix="/v1/layers", tags=["layers"])

KeyPath = Annotated[Key, Path(examples=["checkout"])]


@router.post("", status_code=201)
async def create_layer(new: LayerNew, services: ServicesDep, actor: Editor, response: Response) -> LayerOut:
    """Create a layer: experiments that share it never share a unit."""
    return _tagged(response, await services.layers.create(new, actor))


@router.get("")
async def list_layers(
    services: ServicesDep, _: Viewer, cursor: Cursor = None, limit: Limit = 50
) -> LayerPage:
    """Layers, newest first."""
    return await services.layers.page(read_cursor(cursor), limit)


@router.get("/{key}")
async def get_layer(key: KeyPath, services: ServicesDep, _: Viewer, response: Response) -> LayerOut:
    """One layer, with the slots that are held and the room that is left."""
    return _tagged(response, await services.layers.get(key))


@router.patch("/{key}")
async def change_layer(
    key: KeyPath,
    patch: LayerPatch,
    services: ServicesDep,
    actor: Editor,
    response: Response,
    if_match: IfMatch = None,
) -> LayerOut:
    """Rename a layer. Its salt stays: it decides who is in which slot."""
    return _tagged(response, await services.layers.patch(key, patch, if_match, actor))


@router.delete("/{key}", status_code=204)
async def delete_layer(key: KeyPath, services: ServicesDep, actor: Editor) -> None:
    """Delete a layer that no experiment refers to."""
    await services.layers.delete(key, actor)


def _tagged(response: Response, layer: LayerOut) -> LayerOut:
    response.headers["etag"] = version_tag(layer.version)
    return layer
