"""Experiments over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from api.audit import Actor
from api.experiments.schemas import ExperimentIn, ExperimentOut, ExperimentPage, Status, Step
from api.http.dependencies import ServicesDep, require
from api.http.security import Scope

router = APIRouter(prefix="/v1/experiments", tags=["experiments"])

Viewer = Annotated[Actor, Depends(require(Scope.VIEWER))]
Editor = Annotated[Actor, Depends(require(Scope.EDITOR))]
Key = Annotated[str, Path(min_length=1, max_length=256, pattern=r"^[A-Za-z0-9._-]+$")]
Cursor = Annotated[int | None, Query(ge=1, le=2**31 - 1, description="`next_cursor` of the page before")]
Limit = Annotated[int, Query(ge=1, le=200)]


@router.post("", status_code=201)
async def create(new: ExperimentIn, services: ServicesDep, actor: Editor) -> ExperimentOut:
    """Create a draft."""
    return await services.experiments.create(new, actor)


@router.get("")
async def page(
    services: ServicesDep, _: Viewer, cursor: Cursor = None, status: Status | None = None, limit: Limit = 50
) -> ExperimentPage:
    """Experiments, newest first."""
    return await services.experiments.page(cursor, status, limit)


@router.get("/{key}")
async def get(key: Key, services: ServicesDep, _: Viewer) -> ExperimentOut:
    """One experiment."""
    return await services.experiments.get(key)


@router.post("/{key}/start")
async def start(key: Key, services: ServicesDep, actor: Editor) -> ExperimentOut:
    """Start a draft: units are assigned from now on."""
    return await services.experiments.step(key, Step.START, actor)


@router.post("/{key}/conclude")
async def conclude(key: Key, services: ServicesDep, actor: Editor) -> ExperimentOut:
    """Conclude a running experiment: no unit is assigned any more."""
    return await services.experiments.step(key, Step.CONCLUDE, actor)
