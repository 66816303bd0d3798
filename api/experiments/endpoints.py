"""Experiments over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from api.access.dependencies import Editor, ServicesDep, Viewer
from api.edge.services import Services
from api.experiments import fitness, verdicts
from api.experiments.answers import (
    DueList,
    ExperimentAnswer,
    ExperimentOut,
    ExperimentPage,
    VersionPage,
    WarningOut,
)
from api.experiments.schemas import DecisionIn, ExperimentIn, ExperimentPatch, StepIn
from api.fields import Key as KeyText
from api.fields import Name, SearchText, Tag
from api.http.etags import IfMatch, version_tag
from api.http.pages import Cursor, Limit, read_cursor
from api.http.problems import Problem
from neonblue.contract.life_cycle import Status, Step
from neonblue.results.answer import Answer

__all__ = ["Key", "Viewer", "router"]

router = APIRouter(prefix="/v1/experiments", tags=["experiments"])

Key = Annotated[KeyText, Path(examples=["checkout-2026"])]
_SAID_SECONDS = 3.0
"""How long a decision waits for the results that it is compared with."""

DryRun = Annotated[bool, Query(description="Validate all of it, and store nothing")]
Statuses = Annotated[list[Status], Query(max_length=len(Status), description="Any of these")]


@router.post("", status_code=201, responses={200: {"model": ExperimentAnswer, "description": "Of a dry run"}})
async def create_experiment(
    new: ExperimentIn, services: ServicesDep, actor: Editor, response: Response, dry_run: DryRun = False
) -> ExperimentAnswer:
    """Create a draft.

    A dry run is refused as the creation would be; else it answers 200 with the draft as it would be, whose `id` is 0.
    """
    if dry_run:
        response.status_code = 200
        return answered(await services.experiments.would_create(new, actor))
    return tagged(response, await services.experiments.create(new, actor))


@router.get("")
async def list_experiments(
    services: ServicesDep,
    _: Viewer,
    cursor: Cursor = None,
    limit: Limit = 50,
    status: Statuses = [],  # noqa: B006 - FastAPI copies it
    tag: Annotated[Tag | None, Query()] = None,
    owner: Annotated[Name | None, Query()] = None,
    layer: Annotated[KeyText | None, Query()] = None,
    text: SearchText = None,
) -> ExperimentPage:
    """Experiments, newest first."""
    filters = {"status": status or None, "tag": tag, "owner": owner, "layer": layer, "text": text}
    return await services.experiments.page(read_cursor(cursor), filters, limit)


@router.post("/due")
async def take_due_steps(services: ServicesDep, actor: Editor) -> DueList:
    """Take every scheduled start and stop whose time has come. Safe to repeat."""
    return await services.life_cycle.take_due(actor)


@router.get("/{key}")
async def get_experiment(key: Key, services: ServicesDep, _: Viewer, response: Response) -> ExperimentAnswer:
    """One experiment."""
    return tagged(response, await services.experiments.get(key))


@router.patch("/{key}")
async def change_experiment(
    key: Key,
    patch: ExperimentPatch,
    services: ServicesDep,
    actor: Editor,
    response: Response,
    if_match: IfMatch = None,
) -> ExperimentAnswer:
    """Change what the experiment's state allows; a change that it does not is refused, each field by name."""
    experiment = await services.experiments.patch(key, patch, if_match, actor)
    if patch.decision is None:
        return tagged(response, experiment)
    return tagged(response, experiment, verdicts.against(patch.decision, await _said(services, key)))


@router.delete("/{key}", status_code=204)
async def delete_experiment(key: Key, services: ServicesDep, actor: Editor, if_match: IfMatch = None) -> None:
    """Delete a draft. What ever ran is archived, not deleted."""
    await services.experiments.delete(key, if_match, actor)


@router.get("/{key}/versions")
async def list_experiment_versions(
    key: Key, services: ServicesDep, _: Viewer, cursor: Cursor = None, limit: Limit = 50
) -> VersionPage:
    """Every change: who made it, when, why, and what differed. Newest first."""
    return await services.experiments.versions(key, read_cursor(cursor), limit)


@router.post("/{key}/schedule")
async def schedule_experiment(
    key: Key,
    services: ServicesDep,
    actor: Editor,
    response: Response,
    why: StepIn | None = None,
    if_match: IfMatch = None,
) -> ExperimentAnswer:
    """Have a draft start at its `scheduled_start_at`."""
    return tagged(response, await services.life_cycle.take(key, Step.SCHEDULE, if_match, actor, _of(why)))


@router.post("/{key}/unschedule")
async def unschedule_experiment(
    key: Key,
    services: ServicesDep,
    actor: Editor,
    response: Response,
    why: StepIn | None = None,
    if_match: IfMatch = None,
) -> ExperimentAnswer:
    """Make a scheduled experiment a draft again."""
    return tagged(response, await services.life_cycle.take(key, Step.UNSCHEDULE, if_match, actor, _of(why)))


@router.post("/{key}/start")
async def start_experiment(
    key: Key,
    services: ServicesDep,
    actor: Editor,
    response: Response,
    why: StepIn | None = None,
    if_match: IfMatch = None,
) -> ExperimentAnswer:
    """Start now: units are assigned from now on, and the inference is chosen for good."""
    return tagged(response, await services.life_cycle.take(key, Step.START, if_match, actor, _of(why)))


@router.post("/{key}/pause")
async def pause_experiment(
    key: Key,
    services: ServicesDep,
    actor: Editor,
    response: Response,
    why: StepIn | None = None,
    if_match: IfMatch = None,
) -> ExperimentAnswer:
    """Pause: no new unit is assigned."""
    return tagged(response, await services.life_cycle.take(key, Step.PAUSE, if_match, actor, _of(why)))


@router.post("/{key}/resume")
async def resume_experiment(
    key: Key,
    services: ServicesDep,
    actor: Editor,
    response: Response,
    why: StepIn | None = None,
    if_match: IfMatch = None,
) -> ExperimentAnswer:
    """Go on with a paused experiment."""
    return tagged(response, await services.life_cycle.take(key, Step.RESUME, if_match, actor, _of(why)))


@router.post("/{key}/conclude")
async def conclude_experiment(
    key: Key,
    services: ServicesDep,
    actor: Editor,
    response: Response,
    decision: DecisionIn | None = None,
    if_match: IfMatch = None,
) -> ExperimentAnswer:
    """Conclude: no unit is assigned any more. Without a decision it is to come, by PATCH.

    A decision that the data do not bear out is recorded all the same; `warnings` says what they say.
    """
    said = None if decision is None else await _said(services, key)
    experiment = await services.life_cycle.conclude(key, decision, if_match, actor)
    return tagged(response, experiment, [] if decision is None else verdicts.against(decision, said))


@router.post("/{key}/archive")
async def archive_experiment(
    key: Key,
    services: ServicesDep,
    actor: Editor,
    response: Response,
    why: StepIn | None = None,
    if_match: IfMatch = None,
) -> ExperimentAnswer:
    """Put a concluded experiment away, for good."""
    return tagged(response, await services.life_cycle.take(key, Step.ARCHIVE, if_match, actor, _of(why)))


def tagged(
    response: Response, experiment: ExperimentOut, told: Sequence[WarningOut] = ()
) -> ExperimentAnswer:
    """The answer, with its state's ETag. told: warnings of this call alone, before those of the state."""
    response.headers["etag"] = version_tag(experiment.version)
    return answered(experiment, told)


def answered(experiment: ExperimentOut, told: Sequence[WarningOut] = ()) -> ExperimentAnswer:
    """The answer with its warnings. told: those of this call alone, before those of the state."""
    warnings = [*told, *fitness.warnings_of(experiment)]
    return ExperimentAnswer.model_validate(experiment.model_dump() | {"warnings": warnings})


async def _said(services: Services, key: str) -> Answer | None:
    """The results as they are now; None where they can't be read soon, which keeps nobody from deciding."""
    try:
        async with asyncio.timeout(_SAID_SECONDS):
            return await services.results.live(key)
    except (Problem, TimeoutError):
        return None


def _of(why: StepIn | None) -> str | None:
    return None if why is None else why.reason
