"""Looks over HTTP."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Response

from api.access.dependencies import Admin, Viewer
from api.experiments.endpoints import Key
from api.http.parts import part
from api.looks.schemas import LookIn, LookList, LookOut
from api.looks.service import LookService
from neonblue.contract.looks import LookMessage

router = APIRouter(prefix="/v1/experiments", tags=["looks"])

Service = Annotated[LookService, Depends(part(LookService))]

Platform = Admin
"""The platform itself: who edits experiments must not be able to write what they found."""

_TAKEN: dict[int | str, dict[str, Any]] = {
    200: {"model": LookOut, "description": "It was taken before: the look that stands"}
}


@router.post("/{key}/looks", status_code=201, responses=_TAKEN)
async def keep_look(key: Key, look: LookIn, service: Service, actor: Platform, response: Response) -> LookOut:
    """Keep the experiment's next look, for good. Of two up to the same time the first stands and is the answer."""
    kept, new = await service.keep(key, look, actor)
    if not new:
        response.status_code = 200
    return _shown(kept)


@router.get("/{key}/looks")
async def list_looks(key: Key, service: Service, _: Viewer) -> LookList:
    """Every look that was taken at the experiment, in order: what was judged, spent and decided."""
    return LookList(items=[_shown(look) for look in await service.all(key)])


def _shown(look: LookMessage) -> LookOut:
    return LookOut.model_validate(msgspec.to_builtins(look))
