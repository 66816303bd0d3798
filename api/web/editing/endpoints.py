"""The form in which experiments are made and changed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.responses import RedirectResponse, Response

from api.access.callers import Caller
from api.access.dependencies import require_visitor
from api.access.forms import read_form
from api.access.tokens import Scope
from api.checklist.schemas import Checklist
from api.checklist.service import ChecklistService
from api.experiments.answers import ExperimentOut
from api.experiments.endpoints import Key
from api.experiments.schemas import ExperimentIn, ExperimentPatch
from api.experiments.service import ExperimentService
from api.holdouts.service import HoldoutService
from api.http.broken_rules import problem_of_errors
from api.http.etags import version_tag
from api.http.parts import part
from api.http.problems import Problem
from api.http.refusals import misread
from api.layers.service import LayerService
from api.metric_catalogue.service import MetricCatalogue
from api.web.editing.form import EMPTY, Form, changed, completed, created, form_in, form_of, merged, said
from api.web.editing.page import (
    Answered,
    Choices,
    as_seen,
    choices_of,
    editing_page,
    open_fields,
    would_change,
)
from api.web.shared.frame import Frame, answer, root_of, visitor_of
from neonblue.contract.life_cycle import Status
from neonblue.settings import Settings

router = APIRouter(tags=["pages"], include_in_schema=False)

_CHOICES = 500
_HISTORY = 50
_CHECKLIST_SECONDS = 2.0
_REFUSED = (409, 412, 422)
_UNSTARTED = (Status.DRAFT, Status.SCHEDULED)
_ROWS = {"arm": "arm", "metric": "metric"}


@dataclass(frozen=True, slots=True)
class _Desk:
    """What the form is made with."""

    experiments: ExperimentService
    catalogue: MetricCatalogue
    layers: LayerService
    holdouts: HoldoutService
    checklist: ChecklistService
    settings: Settings

    async def choices(self) -> Choices:
        nothing = {"type": None, "tag": None, "owner": None, "text": None}
        metrics = await self.catalogue.page(None, nothing, _CHOICES)
        layers = await self.layers.page(None, _CHOICES)
        holdouts = await self.holdouts.page(None, _CHOICES)
        return choices_of(
            metrics.items, [one.key for one in layers.items], [one.key for one in holdouts.items]
        )

    async def page(
        self,
        request: Request,
        caller: Caller,
        experiment: ExperimentOut | None,
        form: Form,
        answered: Answered | None = None,
        *,
        reason: str = "",
    ) -> Response:
        """The page with the form, as it was sent or as it stands."""
        checklist = None
        if experiment is not None and experiment.status in _UNSTARTED:
            checklist = await self._checked(experiment.key)
        page = editing_page(experiment, form, await self.choices(), answered, checklist, reason)
        problem = None if answered is None else answered.problem
        frame = Frame(root_of(request), page.title, visitor_of(caller), self.settings.dagster.page)
        status = 200
        if problem is not None:
            request.state.problem = problem
            status = problem.status
        elif page.told:
            status = 422
        return answer("editing.html", frame, status, page=page)

    async def _checked(self, key: str) -> Checklist | None:
        """None: what it asks did not answer in time; the form does not wait for it."""
        try:
            async with asyncio.timeout(_CHECKLIST_SECONDS):
                return await self.checklist.of(key)
        except (TimeoutError, Problem):
            return None


async def _desk(
    experiments: Annotated[ExperimentService, Depends(part(ExperimentService))],
    catalogue: Annotated[MetricCatalogue, Depends(part(MetricCatalogue))],
    layers: Annotated[LayerService, Depends(part(LayerService))],
    holdouts: Annotated[HoldoutService, Depends(part(HoldoutService))],
    checklist: Annotated[ChecklistService, Depends(part(ChecklistService))],
    settings: Annotated[Settings, Depends(part(Settings))],
) -> _Desk:
    return _Desk(experiments, catalogue, layers, holdouts, checklist, settings)


Desk = Annotated[_Desk, Depends(_desk)]
Editor = Annotated[Caller, Depends(require_visitor(Scope.EDITOR))]
Changer = Annotated[Caller, Depends(require_visitor(Scope.EDITOR, in_form=True))]


@router.get("/new-experiment")
async def new_experiment(request: Request, caller: Editor, desk: Desk) -> Response:
    """The form of a new experiment."""
    return await desk.page(request, caller, None, EMPTY)


@router.post("/new-experiment")
async def create_experiment(request: Request, caller: Changer, desk: Desk) -> Response:
    """Add a row, check the form, or make the draft."""
    sent = read_form(request)
    form, act = form_in(sent), sent.get("act", "")
    if act in _ROWS:
        return await desk.page(request, caller, None, form.with_row(act))
    told = said(form)
    answered = Answered(said=told)
    try:
        new = ExperimentIn.model_validate(created(form, told.body))
        if not told.errors and act == "save":
            await desk.experiments.create(new, caller.actor(request))
            return _lead_to(request, new.key)
        await desk.experiments.would_create(new, caller.actor(request))
        answered = replace(answered, checked=not told.errors)
    except (ValidationError, RequestValidationError) as error:
        answered = replace(answered, problem=_refused(error))
    except Problem as problem:
        if problem.status not in _REFUSED:
            raise
        answered = replace(answered, problem=problem)
    return await desk.page(request, caller, None, form, answered)


@router.get("/experiments/{key}/edit")
async def edit(request: Request, key: Key, caller: Editor, desk: Desk) -> Response:
    """The form with the experiment as it stands."""
    experiment = await desk.experiments.get(key)
    return await desk.page(request, caller, experiment, form_of(experiment))


@router.post("/experiments/{key}/edit")
async def change(request: Request, key: Key, caller: Changer, desk: Desk) -> Response:
    """Add a row, show what saving would change, or save it."""
    sent = read_form(request)
    act, saw = sent.get("act", ""), _seen(sent)
    reason = sent.get("reason", "").strip()
    experiment = await desk.experiments.get(key)
    before = form_of(experiment)
    form = completed(before, form_in(sent), open_fields(experiment, await desk.choices()))
    if act in _ROWS:
        return await desk.page(request, caller, experiment, form.with_row(act), reason=reason)
    told = said(form, {metric.key: metric for metric in experiment.metrics})
    answered = Answered(said=told, saw=saw)
    try:
        fields = changed(before, form, told.body) | ({"reason": reason} if reason else {})
        patch = ExperimentPatch.model_validate(fields)
        if not told.errors and act == "save":
            await desk.experiments.patch(key, patch, version_tag(saw), caller.actor(request))
            return _lead_to(request, key)
        both = await desk.experiments.would_patch(key, patch, version_tag(saw), caller.actor(request))
        answered = replace(answered, changed=would_change(*both))
    except (ValidationError, RequestValidationError) as error:
        answered = replace(answered, problem=_refused(error))
    except Problem as problem:
        if problem.status not in _REFUSED:
            raise
        answered = replace(answered, problem=problem)
        if problem.status == 412:
            versions = await desk.experiments.versions(key, None, _HISTORY)
            answered = replace(answered, versions=versions.items)
            seen = form_of(as_seen(experiment, versions.items, saw))
            form = merged(seen, form, before)
    return await desk.page(request, caller, experiment, form, answered, reason=reason)


def _refused(error: ValidationError | RequestValidationError) -> Problem:
    whole = misread(error) if isinstance(error, ValidationError) else error
    return problem_of_errors(whole.errors())


def _seen(sent: dict[str, str]) -> int:
    """The version that was seen. Raises Problem 422."""
    try:
        return int(sent.get("version", ""))
    except ValueError:
        raise Problem(422, "invalid", "The form names no version", field="version") from None


def _lead_to(request: Request, key: str) -> Response:
    address = f"{root_of(request)}/experiments/{quote(key)}"
    return RedirectResponse(address, 303, headers={"cache-control": "no-store"})
