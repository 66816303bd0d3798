"""Who makes a request: the bearer of a token, or a person with a session."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request

from api.access.admission import Admission
from api.access.sessions import COOKIE, CSRF_HEADER, Session, Sessions
from api.access.tokens import FOR_PEOPLE, Scope, Token, Tokens, digest_of
from api.audit import Actor, actor_of
from api.http.head import client_of
from api.http.problems import Problem

_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_STATE = "caller"


@dataclass(frozen=True, slots=True)
class Caller:
    """The token that counts, and the session through which it came, if it did."""

    token: Token
    session: Session | None

    def check_may(self, scope: Scope) -> None:
        """Raises Problem 403 without the scope. A session is for people: it neither ingests nor assigns."""
        self.token.check_may(scope)
        if self.session is not None and scope not in FOR_PEOPLE:
            raise Problem(403, "insufficient_scope", "Send a token: a session can't do this")

    def actor(self, request: Request) -> Actor:
        """Who this is, for the audit log."""
        return Actor(
            actor_of(self.token.id, self.token.name), request.state.request_id, client_of(request.scope)
        )


@dataclass(frozen=True, slots=True)
class Gate:
    """Where requests come in, but for the hot ones."""

    tokens: Tokens
    sessions: Sessions
    admission: Admission

    async def caller_of(self, request: Request, *, in_form: bool = False) -> Caller:
        """Who calls; found and counted against the rate limit once for each request.

        in_form: whether the session's CSRF token comes in the body, where the call itself checks it. Raises Problem:
        401 for nobody we know, 403 for another web origin or without the session's CSRF token, 429, 503.
        """
        known: Caller | None = getattr(request.state, _STATE, None)
        if known is None:
            known = await self._find(request, in_form)
            setattr(request.state, _STATE, known)
            request.state.headers += await self.admission.admit(known.token, client_of(request.scope))
        return known

    async def goes_on(self, request: Request, caller: Caller) -> bool:
        """Whether the caller would be let in now: no request, so it keeps no session alive. Raises Problem 503."""
        if caller.session is not None:
            cookie = request.cookies.get(COOKIE, "")
            if not await self.sessions.lives(cookie, caller.session):
                return False
        try:
            digest = digest_of_call(request) if caller.session is None else caller.session.token_digest
            found = await self.tokens.identify(digest, client_of(request.scope))
        except Problem as problem:
            if problem.status not in (401, 403):
                raise
            return False
        return found.scopes == caller.token.scopes

    async def _find(self, request: Request, in_form: bool) -> Caller:
        header, cookie = request.headers.get("authorization"), request.cookies.get(COOKIE)
        host = client_of(request.scope)
        if header is None and cookie is not None:
            session = await self.sessions.find(cookie)
            token = await self.tokens.identify(session.token_digest, host)
            if request.method not in _READING and not in_form:
                session.check_csrf(request.headers.get(CSRF_HEADER), token.id)
            return Caller(token, session)
        digest = digest_of_call(request)
        token = await self.tokens.identify(digest, host)
        origin = request.headers.get("origin")
        token.check_origin(None if origin is None else origin.encode("latin-1"))
        return Caller(token, None)


def digest_of_call(request: Request) -> bytes:
    """Of the token in the header Authorization. Raises Problem 401."""
    header = request.headers.get("authorization")
    return digest_of(None if header is None else header.encode("latin-1"))


def may_log_in(token: Token) -> bool:
    """Whether a person can use the token in a browser: it shows or changes something, and is not public."""
    return token.origins is None and bool(token.scopes & FOR_PEOPLE)
