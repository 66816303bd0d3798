"""The configuration and OFREP over HTTP."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Header, Path, Request, Response

from api.access.dependencies import Assigner
from api.evaluation.ofrep import OfrepService
from api.evaluation.schemas import REQUEST_BODY
from api.experiments.registry import Registry
from api.http.etags import content_tag, is_current
from api.http.parts import part
from api.http.problems import unavailable

router = APIRouter(tags=["evaluation"])

Experiments = Annotated[Registry, Depends(part(Registry))]
Ofrep = Annotated[OfrepService, Depends(part(OfrepService))]
IfNoneMatch = Annotated[str | None, Header(description="The ETag of the last answer")]
FlagKey = Annotated[str, Path(description="The experiment's key")]

_MEDIA_TYPE = "application/json"


@router.get(
    "/v1/configuration",
    responses={
        200: {
            "description": "All that runs, and what others give that ran",
            "content": {_MEDIA_TYPE: {"schema": {"type": "object"}}},
        },
        304: {"description": "Nothing has changed"},
    },
)
async def configuration(experiments: Experiments, _: Assigner, if_none_match: IfNoneMatch = None) -> Response:
    """What evaluating without this API needs: each running experiment's salt, ranges, layer, holdouts, targeting.

    `served`: what a key gives whose experiment is paused or concluded. Testers are named by their bucket alone, drafts
    not at all.
    """
    if not experiments.loaded:
        raise unavailable("The experiments are not loaded yet")
    document = experiments.document()
    tag = f'"{document.revision}"'
    if is_current(if_none_match, tag):
        return Response(status_code=304, headers={"etag": tag})
    return Response(msgspec.json.encode(document), media_type=_MEDIA_TYPE, headers={"etag": tag})


@router.post(
    "/ofrep/v1/evaluate/flags/{key}",
    openapi_extra=REQUEST_BODY,
    responses={
        200: {"description": "The flag's value", "content": {_MEDIA_TYPE: {"schema": {"type": "object"}}}},
        400: {"description": "The context can't be used"},
        404: {"description": "No experiment that is in use has this key"},
    },
)
async def evaluate_flag(key: FlagKey, request: Request, ofrep: Ofrep, _: Assigner) -> Response:
    """OpenFeature: the variant of one experiment as a flag. Records the exposure."""
    reply = await ofrep.one(key, await request.body())
    return Response(reply.body, reply.status, media_type=_MEDIA_TYPE)


@router.post(
    "/ofrep/v1/evaluate/flags",
    openapi_extra=REQUEST_BODY,
    responses={
        200: {"description": "All flags", "content": {_MEDIA_TYPE: {"schema": {"type": "object"}}}},
        304: {"description": "Nothing has changed for this unit"},
        400: {"description": "The context can't be used"},
    },
)
async def evaluate_flags(
    request: Request, ofrep: Ofrep, _: Assigner, if_none_match: IfNoneMatch = None
) -> Response:
    """OpenFeature: every experiment of the unit's type that runs, is paused or concluded. Records no exposure.

    Stores nothing but the assignments of experiments whose population is the assigned; the others answer with what
    is stored, else with what the unit will get.
    """
    reply = await ofrep.all(await request.body())
    if reply.status != 200:
        return Response(reply.body, reply.status, media_type=_MEDIA_TYPE)
    tag = content_tag(reply.body)
    if is_current(if_none_match, tag):
        return Response(status_code=304, headers={"etag": tag})
    return Response(reply.body, media_type=_MEDIA_TYPE, headers={"etag": tag})
