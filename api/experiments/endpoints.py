"""Experiments over HTTP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response

from api.access.dependencies import Editor, Viewer
from api.experiments import fitness, verdicts
from api.experiments.answers import (
    DueList,
    ExperimentAnswer,
    ExperimentOut,
    ExperimentPage,
    VersionPage,
    WarningOut,
)
from api.experiments.release_fields import ReleasePut
from api.experiments.schemas import (
    ArchiveIn,
    ConclusionIn,
    ExperimentIn,
    ExperimentPatch,
    StartIn,
    StepIn,
)
from api.experiments.service import ExperimentService
from api.experiments.steps import LifeCycle
from api.experiments.verdicts import LiveResults
from api.fields import Key as KeyText
from api.fields import Name, SearchText, Tag
from api.http.etags import IfMatch, tagged
from api.http.pages import Cursor, Limit, read_cursor
from api.http.parts import part
from neonblue.contract.life_cycle import Status, Step

router = APIRouter(prefix="/v1/experiments", tags=["experiments"])

Service = Annotated[ExperimentService, Depends(part(ExperimentService))]
Cycle = Annotated[LifeCycle, Depends(part(LifeCycle))]
Results = Annotated[LiveResults, Depends(part(LiveResults))]

Key = Annotated[KeyText, Path(examples=["checkout-2026"])]
DryRun = Annotated[bool, Query(description="Validate all of it, and store nothing")]
Statuses = Annotated[list[Status], Query(max_length=len(Status), description="Any of these")]

Stale = Annotated[
    bool,
    Query(
        description="True: only those whose key can probably go out of the code: concluded and decided for 14 days, or "
        "started 14 days ago or more, and not asked for in the last 14"
    ),
]


@router.post("", status_code=201, responses={200: {"model": ExperimentAnswer, "description": "Of a dry run"}})
async def create_experiment(
    new: ExperimentIn, service: Service, actor: Editor, response: Response, dry_run: DryRun = False
) -> ExperimentAnswer:
    """Create a draft.

    A dry run is refused as the creation would be; else it answers 200 with the draft as it would be, whose `id` is 0.
    """
    if dry_run:
        response.status_code = 200
        return _answered(await service.would_create(new, actor))
    return shown(response, await service.create(new, actor))


@router.get("")
async def list_experiments(
    service: Service,
    _: Viewer,
    cursor: Cursor = None,
    limit: Limit = 50,
    status: Statuses = [],  # noqa: B006 - FastAPI copies it
    tag: Annotated[Tag | None, Query()] = None,
    owner: Annotated[Name | None, Query()] = None,
    layer: Annotated[KeyText | None, Query()] = None,
    text: SearchText = None,
    stale: Stale = False,
) -> ExperimentPage:
    """Experiments, newest first."""
    filters = {
        "status": status or None,
        "tag": tag,
        "owner": owner,
        "layer": layer,
        "text": text,
        "stale": stale,
    }
    return await service.page(read_cursor(cursor), filters, limit)


@router.post("/due")
async def take_due_steps(life_cycle: Cycle, actor: Editor) -> DueList:
    """Take every scheduled start and stop whose time has come. Safe to repeat."""
    return await life_cycle.take_due(actor)


@router.get("/{key}")
async def get_experiment(key: Key, service: Service, _: Viewer, response: Response) -> ExperimentAnswer:
    """One experiment."""
    return shown(response, await service.get(key))


@router.patch("/{key}")
async def change_experiment(
    key: Key,
    patch: ExperimentPatch,
    service: Service,
    results: Results,
    actor: Editor,
    response: Response,
    if_match: IfMatch = None,
) -> ExperimentAnswer:
    """Change what the experiment's state allows; a change that it does not is refused, each field by name."""
    experiment = await service.patch(key, patch, if_match, actor)
    if patch.decision is None:
        return shown(response, experiment)
    return shown(response, experiment, verdicts.against(patch.decision, await results.now(key)))


@router.delete("/{key}", status_code=204)
async def delete_experiment(key: Key, service: Service, actor: Editor, if_match: IfMatch = None) -> None:
    """Delete a draft. What ever ran is archived, not deleted."""
    await service.delete(key, if_match, actor)


@router.get("/{key}/versions")
async def list_experiment_versions(
    key: Key, service: Service, _: Viewer, cursor: Cursor = None, limit: Limit = 50
) -> VersionPage:
    """Every change: who made it, when, why, and what differed. Newest first."""
    return await service.versions(key, read_cursor(cursor), limit)


def _taking(step: Step) -> Callable[..., Awaitable[ExperimentAnswer]]:
    async def take(
        key: Key,
        life_cycle: Cycle,
        actor: Editor,
        response: Response,
        why: StepIn | None = None,
        if_match: IfMatch = None,
    ) -> ExperimentAnswer:
        reason = None if why is None else why.reason
        return shown(response, await life_cycle.take(key, step, if_match, actor, reason))

    return take


_STEPS = {
    Step.SCHEDULE: "Have a draft start at its `scheduled_start_at`.",
    Step.UNSCHEDULE: "Make a scheduled experiment a draft again.",
    Step.PAUSE: "Pause: no new unit is assigned.",
    Step.ROLL_BACK: "Take the change back: everybody gets the control, and enrolment is closed. `resume` undoes it.",
    Step.RESUME: "Go on with a paused experiment; its enrolment is as it was before a `roll_back`.",
}
for _step, _sentence in _STEPS.items():
    router.add_api_route(
        f"/{{key}}/{_step}",
        _taking(_step),
        methods=["POST"],
        name=f"{_step}_experiment",
        description=_sentence,
    )


@router.post("/{key}/start")
async def start_experiment(
    key: Key,
    life_cycle: Cycle,
    actor: Editor,
    response: Response,
    how: StartIn | None = None,
    if_match: IfMatch = None,
) -> ExperimentAnswer:
    """Start now: units are assigned from now on, and the inference is chosen for good.

    What its checklist finds to be `blocking` is a 409 `not_ready` with these items, unless `force` is true.
    """
    how = how or StartIn()
    experiment = await life_cycle.take(key, Step.START, if_match, actor, how.reason, force=how.force)
    return shown(response, experiment)


@router.post("/{key}/conclude")
async def conclude_experiment(
    key: Key,
    life_cycle: Cycle,
    results: Results,
    actor: Editor,
    response: Response,
    decision: ConclusionIn | None = None,
    if_match: IfMatch = None,
) -> ExperimentAnswer:
    """Conclude: no unit is assigned any more. Without a decision it is to come, by PATCH.

    From then on the key gives what is released: by default the variant that ships, to all whom targeting means, else
    the control to everyone. A decision that the data do not bear out is recorded all the same; `warnings` says what
    they say.
    """
    said = None if decision is None else await results.now(key)
    experiment = await life_cycle.conclude(key, decision, if_match, actor)
    return shown(response, experiment, [] if decision is None else verdicts.against(decision, said))


@router.put("/{key}/release")
async def release_variant(
    key: Key,
    release: ReleasePut,
    service: Service,
    actor: Editor,
    response: Response,
    if_match: IfMatch = None,
) -> ExperimentAnswer:
    """Have the key of a concluded experiment give this variant to a share of its population, the others the control.

    Those who had the variant come first, in an order that a hash gives, then the others: a share that grows takes it
    from nobody, and one that shrinks takes it from those who had it last. Allocation and layer do not count any more.
    With a `ramp` the share grows by itself, by time alone; a release without one ends it, at the share that it says.
    """
    return shown(response, await service.release(key, release, if_match, actor))


@router.post("/{key}/archive")
async def archive_experiment(
    key: Key,
    life_cycle: Cycle,
    actor: Editor,
    response: Response,
    why: ArchiveIn | None = None,
    if_match: IfMatch = None,
) -> ExperimentAnswer:
    """Put a concluded experiment away, for good: its key gives nothing any more.

    Refused (409 `still_evaluated`) while the key was asked for in the last seven days, unless forced with a reason.
    """
    return shown(response, await life_cycle.archive(key, why, if_match, actor))


def shown(response: Response, experiment: ExperimentOut, told: Sequence[WarningOut] = ()) -> ExperimentAnswer:
    """The answer, with its state's ETag. told: warnings of this call alone, before those of the state."""
    return tagged(response, _answered(experiment, told), experiment.version)


def _answered(experiment: ExperimentOut, told: Sequence[WarningOut] = ()) -> ExperimentAnswer:
    """The answer with its warnings. told: those of this call alone, before those of the state."""
    warnings = [*told, *fitness.warnings_of(experiment)]
    return ExperimentAnswer.model_validate(experiment.model_dump() | {"warnings": warnings})
