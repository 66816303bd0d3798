"""Log in by a token, and out."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import RedirectResponse, Response

from api.access.callers import Caller
from api.access.dependencies import require_visitor
from api.access.forms import read_form
from api.access.logging_in import LogIn
from api.access.tokens import Scope
from api.http.parts import part
from api.http.problems import Problem
from api.web.login.page import LogInPage, failure_of, own_path
from api.web.shared.frame import Frame, answer, root_of

router = APIRouter(tags=["pages"], include_in_schema=False)

LogInDep = Annotated[LogIn, Depends(part(LogIn))]
Leaver = Annotated[Caller, Depends(require_visitor(Scope.VIEWER, in_form=True))]

_FROM_ELSEWHERE = ("cross-site", "same-site")
_SECRET_LENGTH = 512


@router.get("/login")
async def log_in_page(
    request: Request, after: Annotated[str | None, Query(alias="next")] = None, ended: bool = False
) -> Response:
    """Where a token is pasted."""
    return _shown(request, LogInPage(own_path(after), ended))


@router.post("/login")
async def log_in(request: Request, sessions: LogInDep) -> Response:
    """Open a session and go on to where the person wanted to be."""
    if request.headers.get("sec-fetch-site") in _FROM_ELSEWHERE:
        raise Problem(
            403, "csrf", "The log-in must be sent by the page of the log-in", field="sec-fetch-site"
        )
    form = read_form(request)
    after, secret = own_path(form.get("next")), form.get("token", "").strip()
    leads = RedirectResponse(root_of(request) + after, 303, headers={"cache-control": "no-store"})
    try:
        if not secret or len(secret) > _SECRET_LENGTH:
            raise Problem(401, "invalid_token" if secret else "missing_token", "Paste a token", field="token")
        await sessions.open(secret, request, leads)
    except Problem as problem:
        request.state.problem = problem
        shown = LogInPage(after, error=failure_of(problem))
        retry = {name: value for name, value in problem.headers.items() if name.lower() == "retry-after"}
        return _shown(request, shown, problem.status, retry)
    return leads


@router.post("/logout")
async def log_out(request: Request, sessions: LogInDep, caller: Leaver) -> Response:
    """End the session."""
    leads = RedirectResponse(f"{root_of(request)}/login", 303, headers={"cache-control": "no-store"})
    if caller.session is not None:
        await sessions.close(caller, request, leads)
    return leads


def _shown(
    request: Request, page: LogInPage, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    return answer("login.html", Frame(root_of(request), "Log in"), status, headers, page=page)
