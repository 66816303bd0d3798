"""Logging in to the web pages with a token, and out."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from api.access.dependencies import CallerDep
from api.access.logging_in import LogIn
from api.access.schemas import CallerOut, SessionIn, SessionOut
from api.access.sessions import Session
from api.access.tokens import Token, unauthorized
from api.http.parts import part

router = APIRouter(prefix="/v1/session", tags=["access"])

LogInDep = Annotated[LogIn, Depends(part(LogIn))]


@router.post("", status_code=201)
async def log_in(given: SessionIn, request: Request, response: Response, sessions: LogInDep) -> SessionOut:
    """Log in with a token that has one of the scopes viewer, editor, admin: sets the session's cookie."""
    request.state.secret_answer = True
    return _shown(*await sessions.open(given.token, request, response))


@router.get("")
async def show_session(caller: CallerDep) -> SessionOut:
    """Who is logged in, and the CSRF token for changes of state."""
    return _shown(caller.token, _session(caller.session))


@router.get("/caller")
async def show_caller(caller: CallerDep) -> CallerOut:
    """Who calls, by a token or a session, and what they may do."""
    return CallerOut(name=caller.token.name, scopes=sorted(caller.token.scopes))


@router.delete("", status_code=204)
async def log_out(request: Request, response: Response, sessions: LogInDep, caller: CallerDep) -> None:
    """End the session."""
    _session(caller.session)
    await sessions.close(caller, request, response)


def _session(session: Session | None) -> Session:
    if session is None:
        raise unauthorized("no_session", "The request came with a token: log in to have a session")
    return session


def _shown(token: Token, session: Session) -> SessionOut:
    return SessionOut(
        name=token.name,
        scopes=sorted(token.scopes),
        csrf_token=session.csrf_token,
        expires_at=datetime.fromtimestamp(session.ends_at, UTC),
    )
