"""Logging in to the web pages with a token, and out."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from api.access.callers import Caller, may_log_in
from api.access.dependencies import CallerDep, GateDep
from api.access.schemas import CallerOut, SessionIn, SessionOut
from api.access.sessions import COOKIE, Session
from api.access.tokens import Token, digest_of_secret, unauthorized
from api.audit import Change, record_access
from api.http.head import client_of
from api.http.parts import part
from api.http.problems import Problem
from api.postgres.database import Pool

router = APIRouter(prefix="/v1/session", tags=["access"])

PoolDep = Annotated[Pool, Depends(part(Pool))]

_LOGINS_PER_SECOND = 20
"""With one token: each is an entry of the audit log, whose writers wait for each other."""


@router.post("", status_code=201)
async def log_in(
    given: SessionIn, request: Request, response: Response, gate: GateDep, pool: PoolDep
) -> SessionOut:
    """Log in with a token that has one of the scopes viewer, editor, admin: sets the session's cookie."""
    request.state.secret_answer = True
    digest = digest_of_secret(given.token.encode(errors="surrogatepass"))
    token = await gate.tokens.identify(digest, client_of(request.scope), each=True)
    request.state.headers += await gate.admission.admit(token, client_of(request.scope))
    await gate.admission.tokens.admit(f"login:{token.id}", _LOGINS_PER_SECOND)
    if not may_log_in(token):
        raise Problem(
            403,
            "insufficient_scope",
            "A token to log in with has the scope viewer, editor or admin",
            token=token.id,
        )
    caller = Caller(token, None)
    await _record(pool, caller, request, "log_in")
    cookie, session = await gate.sessions.open(digest)
    response.set_cookie(
        COOKIE,
        cookie,
        max_age=gate.sessions.absolute_seconds,
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
async def log_out(
    request: Request, response: Response, gate: GateDep, pool: PoolDep, caller: CallerDep
) -> None:
    """End the session."""
    _session(caller.session)
    await gate.sessions.close(request.cookies[COOKIE])
    await _record(pool, caller, request, "log_out")
    response.delete_cookie(COOKIE, httponly=True, secure=request.url.scheme == "https", samesite="lax")


async def _record(pool: Pool, caller: Caller, request: Request, action: str) -> None:
    """In the audit log before the answer. Raises Problem 503 where that can't be written."""
    change = Change(action, "token", str(caller.token.id), None, None)
    async with pool.transaction() as connection:
        await record_access(connection, caller.actor(request), change)


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
