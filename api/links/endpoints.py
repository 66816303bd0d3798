"""Links over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends

from api.access.dependencies import Assigner
from api.http.parts import part
from api.links.schemas import LinkIn, LinkOut
from api.links.service import LinkService

router = APIRouter(prefix="/v1/users/links", tags=["users"])

Service = Annotated[LinkService, Depends(part(LinkService))]


@router.post("")
async def link(new: LinkIn, service: Service, _: Assigner) -> LinkOut:
    """Say that an anonymous id is this person's.

    In each experiment the variant given first stays: the person takes over the anonymous id's, and from now on the
    anonymous id is assigned as the person is. Where both have a variant already and the two differ, each keeps its
    own, and the person is left out of that experiment's analysis.
    """
    return await service.link(new)
