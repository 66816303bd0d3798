"""The pipeline's page, the letters that nobody could read, and the button that sends them again."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import RedirectResponse, Response

from api.access.callers import Caller
from api.access.dependencies import require_visitor
from api.access.tokens import Scope
from api.http.parts import part
from api.http.problems import Problem
from api.pipeline_state.service import PipelineState
from api.web.pipeline.page import Opened, opened_of, pipeline_page
from api.web.shared.frame import Frame, answer, root_of, visitor_of
from neonblue.settings import Settings

router = APIRouter(tags=["pages"], include_in_schema=False)

State = Annotated[PipelineState, Depends(part(PipelineState))]
Configured = Annotated[Settings, Depends(part(Settings))]
Reader = Annotated[Caller, Depends(require_visitor(Scope.VIEWER))]
Admin = Annotated[Caller, Depends(require_visitor(Scope.ADMIN))]
Replayer = Annotated[Caller, Depends(require_visitor(Scope.ADMIN, in_form=True))]


@router.get("/pipeline")
async def pipeline(request: Request, caller: Reader, state: State, settings: Configured) -> Response:
    """How every stage of an event's way stands."""
    return await _page(request, caller, state, settings)


@router.get("/pipeline/letters")
async def letters(
    request: Request,
    caller: Admin,
    state: State,
    settings: Configured,
    error: Annotated[str, Query(max_length=500)],
) -> Response:
    """The same, with the content of the newest dead letters of one error: it may be about people."""
    opened = opened_of(error, await state.letters(error, caller.actor(request)))
    return await _page(request, caller, state, settings, opened)


@router.post("/pipeline/replay")
async def replay(request: Request, caller: Replayer, state: State, settings: Configured) -> Response:
    """Send what did not arrive down the stream again."""
    try:
        await state.replay(caller.actor(request))
    except Problem as problem:
        request.state.problem = problem
        return await _page(request, caller, state, settings, error=problem.detail, status=problem.status)
    return RedirectResponse(
        f"{root_of(request)}/pipeline#letters", 303, headers={"cache-control": "no-store"}
    )


async def _page(
    request: Request,
    caller: Caller,
    state: PipelineState,
    settings: Settings,
    opened: Opened | None = None,
    error: str = "",
    status: int = 200,
) -> Response:
    page = pipeline_page(await state.look(), settings.api.workers, opened, error)
    frame = Frame(root_of(request), "Pipeline", visitor_of(caller), settings.dagster.page, place="pipeline")
    grafana = settings.monitoring.grafana_url or ""
    return answer("pipeline.html", frame, status, page=page, grafana=grafana.rstrip("/"))
