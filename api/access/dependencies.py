"""What FastAPI's endpoints ask of whoever calls."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyCookie, HTTPBearer

from api.access.callers import Caller, Gate
from api.access.forms import read_form
from api.access.route_access import Access
from api.access.sessions import COOKIE
from api.access.tokens import FOR_PEOPLE, Scope
from api.audit import Actor
from api.http.parts import part

_bearer = HTTPBearer(auto_error=False, description="An API token")
_cookie = APIKeyCookie(
    name=COOKIE,
    auto_error=False,
    description="A session, from POST /v1/session; changes of state need its X-CSRF-Token",
)


def _nothing() -> None:
    """In the place of a session where none is let in."""


_DECLARED: dict[Callable[..., Any], Access] = {}


def declared_access(dependency: Callable[..., Any] | None) -> Access | None:
    """What a dependency asks of the caller; None where it is about something else."""
    return None if dependency is None else _DECLARED.get(dependency)


GateDep = Annotated[Gate, Depends(part(Gate))]


def require(scope: Scope) -> Callable[..., Awaitable[Actor]]:
    """A dependency that lets in tokens, and sessions of people, with `scope` and says who calls."""

    bearer = Security(_bearer, scopes=[scope])
    cookie = Security(_cookie, scopes=[scope]) if scope in FOR_PEOPLE else Depends(_nothing)

    async def authorize(request: Request, gate: GateDep, _: object = bearer, __: object = cookie) -> Actor:
        caller = await gate.caller_of(request)
        caller.check_may(scope)
        return caller.actor(request)

    _DECLARED[authorize] = Access(known=True, scope=scope)
    return authorize


def require_visitor(scope: Scope, *, in_form: bool = False) -> Callable[..., Awaitable[Caller]]:
    """A dependency of pages, which lets in whom `require` lets in and says what they may.

    in_form: whether it takes a form, whose field `csrf` is then checked.
    """

    async def authorize(request: Request, gate: GateDep) -> Caller:
        caller = await gate.caller_of(request, in_form=in_form)
        caller.check_may(scope)
        if in_form and caller.session is not None:
            caller.session.check_csrf(read_form(request).get("csrf"), caller.token.id)
        return caller

    _DECLARED[authorize] = Access(known=True, scope=scope, in_form=in_form)
    return authorize


async def get_caller(request: Request, gate: GateDep, _: Annotated[object, Security(_cookie)]) -> Caller:
    """Whoever calls, with whatever scope."""
    return await gate.caller_of(request)


_DECLARED[get_caller] = Access(known=True)

CallerDep = Annotated[Caller, Depends(get_caller)]
Viewer = Annotated[Actor, Depends(require(Scope.VIEWER))]
Editor = Annotated[Actor, Depends(require(Scope.EDITOR))]
Admin = Annotated[Actor, Depends(require(Scope.ADMIN))]
Assigner = Annotated[Actor, Depends(require(Scope.ASSIGN))]
