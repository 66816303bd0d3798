"""Forced variants over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from api.access.dependencies import Editor, Viewer
from api.experiments.answers import ForcedVariants
from api.experiments.endpoints import Key
from api.experiments.forced import ForcedVariantService
from api.experiments.schemas import ForcedVariantIn
from api.fields import PlainKey
from api.http.parts import part

router = APIRouter(prefix="/v1/experiments/{key}/forced-variants", tags=["experiments"])

Service = Annotated[ForcedVariantService, Depends(part(ForcedVariantService))]


@router.get("")
async def list_forced_variants(key: Key, service: Service, _: Viewer) -> ForcedVariants:
    """The testers of an experiment."""
    return await service.all(key)


@router.put("")
async def force_variant(key: Key, forced: ForcedVariantIn, service: Service, actor: Editor) -> ForcedVariants:
    """Have a tester see a variant. Testers are kept out of analysis."""
    return await service.put(key, forced, actor)


@router.delete("", status_code=204)
async def stop_forcing_variant(
    key: Key,
    service: Service,
    actor: Editor,
    user_id: Annotated[PlainKey, Query(examples=["tester-1"])],
    unit_type: Annotated[PlainKey | None, Query(description="The experiment's, where absent")] = None,
) -> None:
    """Have a unit be assigned as any other."""
    await service.delete(key, unit_type, user_id, actor)
