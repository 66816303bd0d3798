"""Logging in with a token, and out: the same for the API and for its pages."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from api.access.callers import Caller, Gate, may_log_in
from api.access.sessions import COOKIE, Session
from api.access.tokens import Token, digest_of_secret
from api.audit import Change, record_access
from api.http.head import client_of
from api.http.problems import Problem
from api.postgres.database import Pool

_LOGINS_PER_SECOND = 20
"""With one token: each is an entry of the audit log, whose writers wait for each other."""


@dataclass(frozen=True, slots=True)
class LogIn:
    """Opens and closes sessions, each with its entry of the audit log."""

    gate: Gate
    pool: Pool

    async def open(self, secret: str, request: Request, response: Response) -> tuple[Token, Session]:
        """A session of whoever has this token, whose cookie the response sets.

        Raises Problem: 401 for no valid token, 403 for one of no person, 429, 503.
        """
        digest = digest_of_secret(secret.encode(errors="surrogatepass"))
        gate, host = self.gate, client_of(request.scope)
        token = await gate.tokens.identify(digest, host, each=True)
        request.state.headers += await gate.admission.admit(token, host)
        await gate.admission.tokens.admit(f"login:{token.id}", _LOGINS_PER_SECOND)
        if not may_log_in(token):
            raise Problem(
                403,
                "insufficient_scope",
                "A token to log in with has the scope viewer, editor or admin",
                token=token.id,
            )
        await self._record(Caller(token, None), request, "log_in")
        cookie, session = await gate.sessions.open(digest)
        response.set_cookie(
            COOKIE,
            cookie,
            max_age=gate.sessions.absolute_seconds,
            httponly=True,
            secure=request.url.scheme == "https",
            samesite="lax",
        )
        return token, session

    async def close(self, caller: Caller, request: Request, response: Response) -> None:
        """End the session that the request came with."""
        await self.gate.sessions.close(request.cookies[COOKIE])
        await self._record(caller, request, "log_out")
        response.delete_cookie(COOKIE, httponly=True, secure=request.url.scheme == "https", samesite="lax")

    async def _record(self, caller: Caller, request: Request, action: str) -> None:
        """In the audit log before the answer. Raises Problem 503 where that can't be written."""
        change = Change(action, "token", str(caller.token.id), None, None)
        async with self.pool.transaction() as connection:
            await record_access(connection, caller.actor(request), change)
