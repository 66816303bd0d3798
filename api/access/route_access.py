"""Who may make which call, known before anything of its body is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Scope

from api.access import tokens

OPEN = frozenset(
    {
        ("GET", "/"),
        ("GET", "/assets/{name}"),
        ("GET", "/docs"),
        ("GET", "/docs/{name}"),
        ("GET", "/favicon.ico"),
        ("GET", "/favicon.svg"),
        ("GET", "/healthz"),
        ("GET", "/login"),
        ("GET", "/metrics"),
        ("GET", "/openapi.json"),
        ("GET", "/readyz"),
        ("HEAD", "/openapi.json"),
        ("POST", "/login"),
        ("POST", "/v1/session"),
        *(("POST", path) for path in ("/v1/events", "/v1/assignments")),  # asked before they come here
    }
)
"""Calls that nobody needs a token for. They show no data of experiments or people."""


@dataclass(frozen=True, slots=True)
class Access:
    """What a call asks of its caller. known: to be somebody. scope: to have this one; None: any.

    in_form: whether a session's CSRF token comes in the body, where the call itself checks it.
    """

    known: bool
    scope: tokens.Scope | None = None
    in_form: bool = False


class Found(NamedTuple):
    """A route, and who may call it."""

    route: BaseRoute
    access: Access


class RouteAccess:
    """The access that each route declares by its dependencies.

    declared: of each dependency that checks a caller, the scope it checks. Raises ValueError for a route that is
    neither open nor checks anybody.
    """

    def __init__(
        self, routes: Iterable[BaseRoute], declared: Callable[[Callable[..., Any] | None], Access | None]
    ) -> None:
        self._routes = [
            Found(route, _access_of(route, declared))
            for route in routes
            if isinstance(route, Route | APIRoute)
        ]

    def find(self, scope: Scope) -> Found | None:
        """None where no route takes the request: it is answered 404 or 405."""
        for found in self._routes:
            if found.route.matches(scope)[0] is Match.FULL:
                return found
        return None


def _access_of(route: Any, declared: Callable[[Callable[..., Any] | None], Access | None]) -> Access:
    found = {
        access for call in _calls(getattr(route, "dependant", None)) if (access := declared(call)) is not None
    }
    names = {(method, route.path) for method in route.methods or ()}
    if len(found) == 1 and names.isdisjoint(OPEN):
        return found.pop()
    if not found and names <= OPEN:
        return Access(known=False)
    raise ValueError(f"{route.path} must either be open or ask for one scope")


def _calls(dependant: Dependant | None) -> Iterator[Callable[..., Any] | None]:
    if dependant is not None:
        yield dependant.call
        for inner in dependant.dependencies:
            yield from _calls(inner)
