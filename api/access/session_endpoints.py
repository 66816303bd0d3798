"""Logging in to the web pages with a token, and out."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response

from api.access.schemas import CallerOut, SessionIn, SessionOut
from api.access.sessions import COOKIE, Session
from api.http.callers import host_of, may_log_in
from api.http.dependencies import CallerDep, ServicesDep
from api.http.problems import Problem
from api.http.security import Token, digest_of_secret, unauthorized

router = APIRouter(prefix="/v1/session", tags=["access"])


@router.post("", status_code=201)
async def log_in(given: SessionIn, request: Request, response: Response, services: ServicesDep) -> SessionOut:
    """Log in with a token that has one of the scopes viewer, editor, admin: sets the session's cookie."""
    request.state.secret_answer = True
    digest = digest_of_secret(given.token.encode(errors="surrogatepass"))
    token = await services.tokens.identify(digest, host_of(request), each=True)
    request.state.headers += await services.admission.admit(token, host_of(request))
    if not may_log_in(token):
        raise Problem(
            403, "insufficient_scope", "A token to log in with has the scope viewer, editor or admin"
        )
    cookie, session = await services.sessions.open(digest)
    response.set_cookie(
        COOKIE,
        cookie,
        max_age=services.sessions.absolute_seconds,
        httponly=True,
        secure=request.url.scheme == "https",
        samesite="lax",
    )
    return _shown(token, session)


@router.get("")
async def show_session(caller: CallerDep) -> SessionOut:
    """Who is logged in, and the CSRF token for changes of state."""
    return _shown(caller.token, _session(caller.session))


@router.get("/caller")
async def show_caller(caller: CallerDep) -> CallerOut:
    """Who calls, by a token or a session, and what they may do."""
    return CallerOut(name=caller.token.name, scopes=sorted(caller.token.scopes))


@router.delete("", status_code=204)
async def log_out(request: Request, response: Response, services: ServicesDep, caller: CallerDep) -> None:
    """End the session."""
    _session(caller.session)
    await services.sessions.close(request.cookies[COOKIE])
    response.delete_cookie(COOKIE, httponly=True, secure=request.url.scheme == "https", samesite="lax")


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
