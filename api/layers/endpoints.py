"""Layers over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response

from api.access.dependencies import Editor, Viewer
from api.fields import Key
from api.http.etags import IfMatch, tagged
from api.http.pages import Cursor, Limit, read_cursor
from api.http.parts import part
from api.layers.schemas import LayerNew, LayerOut, LayerPage, LayerPatch
from api.layers.service import LayerService

router = APIRouter(prefix="/v1/layers", tags=["layers"])

Service = Annotated[LayerService, Depends(part(LayerService))]

KeyPath = Annotated[Key, Path(examples=["checkout"])]


@router.post("", status_code=201)
async def create_layer(new: LayerNew, service: Service, actor: Editor, response: Response) -> LayerOut:
    """Create a layer: experiments that share it never share a unit."""
    layer = await service.create(new, actor)
    return tagged(response, layer, layer.version)


@router.get("")
async def list_layers(service: Service, _: Viewer, cursor: Cursor = None, limit: Limit = 50) -> LayerPage:
    """Layers, newest first."""
    return await service.page(read_cursor(cursor), limit)


@router.get("/{key}")
async def get_layer(key: KeyPath, service: Service, _: Viewer, response: Response) -> LayerOut:
    """One layer, with the slots that are held and the room that is left."""
    layer = await service.get(key)
    return tagged(response, layer, layer.version)


@router.patch("/{key}")
async def change_layer(
    key: KeyPath,
    patch: LayerPatch,
    service: Service,
    actor: Editor,
    response: Response,
    if_match: IfMatch = None,
) -> LayerOut:
    """Rename a layer. Its salt stays: it decides who is in which slot."""
    layer = await service.patch(key, patch, if_match, actor)
    return tagged(response, layer, layer.version)


@router.delete("/{key}", status_code=204)
async def delete_layer(key: KeyPath, service: Service, actor: Editor) -> None:
    """Delete a layer that no experiment refers to."""
    await service.delete(key, actor)
