"""One experiment: its page, and the steps that its forms take."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Depends, Query, Request
from pydantic import ValidationError
from starlette.responses import RedirectResponse, Response

from api.access.callers import Caller
from api.access.dependencies import require_visitor
from api.access.forms import read_form
from api.access.tokens import Scope
from api.audit import Actor
from api.experiments.endpoints import Key
from api.experiments.release_fields import ReleasePut
from api.experiments.schemas import ArchiveIn, ConclusionIn, ExperimentPatch, StartIn, StepIn
from api.experiments.service import ExperimentService
from api.experiments.steps import LifeCycle
from api.http.broken_rules import problem_of_errors
from api.http.etags import version_tag
from api.http.parts import part
from api.http.problems import Problem
from api.http.refusals import misread
from api.ramps.schemas import RampWord
from api.ramps.service import RampService, Word
from api.results.glances import Glance, Glances
from api.results.report_service import ReportService
from api.results.schemas import ReportOut
from api.web.assets import are_there
from api.web.experiment.page import Ways, conflict_of, experiment_page, traffic_conflict_of
from api.web.experiment.steps import ASKING, Given, can_be_forced, decided_by, errors_of, given_in
from api.web.experiment.traffic import (
    OF_ENROLMENT,
    Act,
    Refused,
    Wanted,
    acts_of,
    errors_of_traffic,
    release_in,
    wanted_in,
)
from api.web.shared.frame import Frame, answer, root_of, visitor_of
from neonblue.contract.life_cycle import Step
from neonblue.settings import Settings

router = APIRouter(tags=["pages"], include_in_schema=False)

_RESULTS_SECONDS = 4.0
"""So long the page waits for results before it comes without."""
_REPORT_SECONDS = 1.0
_REPORT_FILES = 20
"""Among so many of the newest files a report is looked for: its figures are files too."""
_HISTORY = 50
_WORDS: dict[Act, Word] = {
    Act.HOLD: "hold",
    Act.CONTINUE: "continue",
    Act.SKIP: "skip",
    Act.BACK: "back",
}


@dataclass(frozen=True, slots=True)
class _Shown:
    """What a page of an experiment is made of."""

    experiments: ExperimentService
    glances: Glances
    reports: ReportService
    settings: Settings

    async def page(
        self, request: Request, caller: Caller, key: str, ways: Ways, status: int = 200
    ) -> Response:
        """The page as of now. Raises Problem `not_found`."""
        experiment = await self.experiments.get(key)
        versions = await self.experiments.versions(key, None, _HISTORY)
        glance, report = Glance(), None
        if experiment.started_at is not None or experiment.source == "external":
            wanted = {key: self.settings.api.results_cache_seconds}
            glances, report = await asyncio.gather(
                self.glances.of(wanted, _RESULTS_SECONDS), self._newest_report(key)
            )
            glance = glances[key]
        visitor = visitor_of(caller)
        page = experiment_page(
            experiment,
            glance,
            versions.items,
            datetime.now(UTC),
            may_edit=visitor.may_edit,
            more_history=versions.next_cursor is not None,
            ways=ways,
            report=report,
        )
        root = root_of(request)
        follow = ""
        if status == 200 and await asyncio.to_thread(are_there, self.settings.cache_dir):
            query = urlencode({"version": experiment.version} | ways.query)
            follow = f"{root}/experiments/{quote(key)}/live?{query}"
        frame = Frame(root, page.name, visitor, self.settings.dagster.page, follow)
        return answer("experiment.html", frame, status, page=page)

    async def _newest_report(self, key: str) -> ReportOut | None:
        """None where there is none, or it can't be told soon: the page does not wait for a link."""
        try:
            async with asyncio.timeout(_REPORT_SECONDS):
                found = await self.reports.of_experiment(key, _REPORT_FILES)
        except (Problem, TimeoutError):
            return None
        return next((file for file in found.items if file.media_type.startswith("text/html")), None)


async def _shown(
    experiments: Annotated[ExperimentService, Depends(part(ExperimentService))],
    glances: Annotated[Glances, Depends(part(Glances))],
    reports: Annotated[ReportService, Depends(part(ReportService))],
    settings: Annotated[Settings, Depends(part(Settings))],
) -> _Shown:
    return _Shown(experiments, glances, reports, settings)


Show = Annotated[_Shown, Depends(_shown)]
Cycle = Annotated[LifeCycle, Depends(part(LifeCycle))]
Ramps = Annotated[RampService, Depends(part(RampService))]
Reader = Annotated[Caller, Depends(require_visitor(Scope.VIEWER))]
Changer = Annotated[Caller, Depends(require_visitor(Scope.EDITOR, in_form=True))]


@router.get("/experiments/{key}")
async def experiment(
    request: Request,
    key: Key,
    caller: Reader,
    show: Show,
    do: Step | None = None,
    anyway: bool = False,
    opened: Annotated[str, Query(alias="open")] = "",
) -> Response:
    """The experiment: its decision first, then what it rests on."""
    return await show.page(request, caller, key, Ways(do=do, anyway=anyway, open=opened))


@router.post("/experiments/{key}")
async def take_step(request: Request, key: Key, caller: Changer, show: Show, cycle: Cycle) -> Response:
    """Take a step of the life cycle, from the state that the page showed."""
    form = read_form(request)
    step, saw = _read(form)
    given = given_in(form)
    try:
        await _take(cycle, key, step, version_tag(saw), caller.actor(request), given)
    except Problem as problem:
        if problem.status not in (409, 412, 422):
            raise
        request.state.problem = problem
        ways = await _refused(show, key, problem, step, saw, given)
        return await show.page(request, caller, key, ways, problem.status)
    return _back_to(request, key)


@router.post("/experiments/{key}/traffic")
async def steer_traffic(request: Request, key: Key, caller: Changer, show: Show, ramps: Ramps) -> Response:
    """Steer the ramp, close or open the enrolment, or release something else, from the state that the page showed."""
    form = read_form(request)
    act, saw = _read_act(form)
    wanted = wanted_in(form)
    try:
        await _steer(show.experiments, ramps, key, act, version_tag(saw), caller.actor(request), wanted)
    except Problem as problem:
        if problem.status not in (409, 412, 422):
            raise
        request.state.problem = problem
        ways = await _not_steered(show, key, problem, act, saw, wanted)
        return await show.page(request, caller, key, ways, problem.status)
    return _back_to(request, key, "#traffic")


def _back_to(request: Request, key: str, place: str = "") -> Response:
    path = f"{root_of(request)}/experiments/{quote(key)}{place}"
    return RedirectResponse(path, 303, headers={"cache-control": "no-store"})


def _read(form: dict[str, str]) -> tuple[Step, int]:
    """The step, and the version that was seen. Raises Problem 422."""
    try:
        return Step(form.get("step", "")), int(form.get("version", ""))
    except ValueError:
        raise Problem(422, "invalid", "The form names no step, or no version", field="step") from None


async def _take(cycle: LifeCycle, key: str, step: Step, tag: str, actor: Actor, given: Given) -> None:
    """Raises Problem for what the form lacks, and what the step raises."""
    try:
        if step is Step.CONCLUDE:
            decision = decided_by(given)
            await cycle.conclude(
                key, None if decision is None else ConclusionIn.model_validate(decision), tag, actor
            )
        elif step is Step.ARCHIVE:
            await cycle.archive(key, ArchiveIn(reason=given.reason or None, force=given.force), tag, actor)
        elif step is Step.START:
            how = StartIn(reason=given.reason or None, force=given.force)
            await cycle.take(key, step, tag, actor, how.reason, force=how.force)
        else:
            await cycle.take(key, step, tag, actor, StepIn(reason=given.reason or None).reason)
    except ValidationError as error:
        raise problem_of_errors(misread(error).errors()) from None


async def _refused(show: _Shown, key: str, problem: Problem, step: Step, saw: int, given: Given) -> Ways:
    """The page of a step that was not taken: what was typed is kept."""
    if problem.status == 412:
        experiment = await show.experiments.get(key)
        versions = await show.experiments.versions(key, None, _HISTORY)
        return Ways(conflict=conflict_of(experiment, versions.items, step, saw, given))
    if step in ASKING and (problem.status == 422 or can_be_forced(problem)):
        return Ways(do=step, given=given, errors=errors_of(problem))
    return Ways(failure=problem.detail)


def _read_act(form: dict[str, str]) -> tuple[Act, int]:
    """The act, and the version that was seen. Raises Problem 422."""
    try:
        return Act(form.get("act", "")), int(form.get("version", ""))
    except ValueError:
        raise Problem(422, "invalid", "The form names no act, or no version", field="act") from None


async def _steer(
    experiments: ExperimentService,
    ramps: RampService,
    key: str,
    act: Act,
    tag: str,
    actor: Actor,
    wanted: Wanted,
) -> None:
    """Raises Problem for what the form lacks, and what the service raises."""
    try:
        if act is Act.RELEASE:
            release = ReleasePut.model_validate(release_in(wanted))
            await experiments.release(key, release, tag, actor)
        elif act in OF_ENROLMENT:
            enrolment = "closed" if act is Act.CLOSE else "open"
            said = {"enrolment": enrolment} | ({"reason": wanted.reason} if wanted.reason else {})
            await experiments.patch(key, ExperimentPatch.model_validate(said), tag, actor)
        else:
            await ramps.say(key, _WORDS[act], RampWord(reason=wanted.reason).reason, tag, actor)
    except ValidationError as error:
        raise problem_of_errors(misread(error).errors()) from None


async def _not_steered(show: _Shown, key: str, problem: Problem, act: Act, saw: int, wanted: Wanted) -> Ways:
    """The page of what was not done: what was typed is kept, with why beside it."""
    experiment = await show.experiments.get(key)
    if problem.status != 412:
        if act not in acts_of(experiment):
            return Ways(failure=problem.detail)
        return Ways(refused=Refused(act, wanted, errors_of_traffic(problem)))
    versions = await show.experiments.versions(key, None, _HISTORY)
    conflict = traffic_conflict_of(experiment, versions.items, act, saw, wanted)
    return Ways(conflict=conflict, refused=Refused(act, wanted))
