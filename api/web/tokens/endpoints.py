"""Tokens for administrators: which there are, a new one whose secret is shown once, and an end for each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from api.access.callers import Caller
from api.access.dependencies import require_visitor
from api.access.endpoints import TokenId
from api.access.forms import read_form
from api.access.schemas import TokenIn
from api.access.service import TokenService
from api.access.tokens import Scope
from api.http.pages import Cursor, read_cursor
from api.http.parts import part
from api.http.problems import Problem
from api.web.shared.forms import MISTYPED, read_as, refused
from api.web.shared.frame import Frame, answer, root_of, visitor_of
from api.web.tokens.page import (
    FIELDS,
    RENAMED,
    NewPage,
    RevokePage,
    asked_for,
    made_page,
    row_of,
    tokens_page,
)
from neonblue.settings import Settings

router = APIRouter(tags=["pages"], include_in_schema=False)

_ROWS = 50
_CSRF = "csrf"


@dataclass(frozen=True, slots=True)
class _Tokens:
    """The service that keeps tokens, and the settings."""

    service: TokenService
    settings: Settings

    def frame(self, request: Request, caller: Caller, title: str) -> Frame:
        return Frame(root_of(request), title, visitor_of(caller), self.settings.dagster.page, place="tokens")

    async def revocation(
        self, request: Request, caller: Caller, token_id: int, error: str = "", status: int = 200
    ) -> Response:
        """What revoking the token does. Raises Problem `not_found`."""
        row = row_of(await self.service.get(token_id), caller.token.id, datetime.now(UTC))
        frame = self.frame(request, caller, "Revoke a token")
        return answer("revoke.html", frame, status, page=RevokePage(row, error))


async def _tokens(
    service: Annotated[TokenService, Depends(part(TokenService))],
    settings: Annotated[Settings, Depends(part(Settings))],
) -> _Tokens:
    return _Tokens(service, settings)


TokensDep = Annotated[_Tokens, Depends(_tokens)]
Admin = Annotated[Caller, Depends(require_visitor(Scope.ADMIN))]
Keeper = Annotated[Caller, Depends(require_visitor(Scope.ADMIN, in_form=True))]


@router.get("/tokens")
async def list_tokens(request: Request, caller: Admin, tokens: TokensDep, cursor: Cursor = None) -> Response:
    """Every token, newest first, revoked ones too."""
    found = await tokens.service.page(read_cursor(cursor), _ROWS)
    page = tokens_page(found.items, (cursor, found.next_cursor), caller.token.id, datetime.now(UTC))
    return answer("tokens.html", tokens.frame(request, caller, "Tokens"), page=page)


@router.get("/tokens/new")
async def new_token(request: Request, caller: Admin, tokens: TokensDep) -> Response:
    """The form of a new token."""
    return answer("new_token.html", tokens.frame(request, caller, "New token"), page=NewPage())


@router.post("/tokens/new")
async def make_token(request: Request, caller: Keeper, tokens: TokensDep) -> Response:
    """Make a token. Its secret is on this page only, and in no address."""
    request.state.secret_answer = True
    form, now = read_form(request), datetime.now(UTC)
    try:
        made = await tokens.service.create(read_as(TokenIn, asked_for(form, now)), caller.actor(request))
    except Problem as problem:
        if problem.status not in MISTYPED:
            raise
        request.state.problem = problem
        given = {name: text for name, text in form.items() if name != _CSRF}
        page = NewPage(refused(problem, given, FIELDS, RENAMED))
        frame = tokens.frame(request, caller, "New token")
        return answer("new_token.html", frame, problem.status, page=page)
    frame = tokens.frame(request, caller, "A new token")
    return answer("made_token.html", frame, 201, page=made_page(made, caller.token.id, now))


@router.get("/tokens/{token_id}/revocation")
async def before_revoking(request: Request, token_id: TokenId, caller: Admin, tokens: TokensDep) -> Response:
    """What revoking the token does, and the form that does it."""
    return await tokens.revocation(request, caller, token_id)


@router.post("/tokens/{token_id}/revocation")
async def revoke(request: Request, token_id: TokenId, caller: Keeper, tokens: TokensDep) -> Response:
    """Revoke the token, for good."""
    try:
        await tokens.service.revoke(token_id, caller.actor(request))
    except Problem as problem:
        if problem.status not in MISTYPED:
            raise
        request.state.problem = problem
        return await tokens.revocation(request, caller, token_id, problem.detail, problem.status)
    return RedirectResponse(f"{root_of(request)}/tokens", 303, headers={"cache-control": "no-store"})
