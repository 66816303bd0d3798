"""Which caller each route asks for is known from its declaration alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import APIRouter, Depends

from api.access.dependencies import Editor, declared_access, require
from api.access.route_access import OPEN, Access, RouteAccess
from api.access.tokens import Scope
from api.app import _ROUTERS, create_app
from api.edge.hot import HotCalls
from neonblue.settings import Settings

METHODS = ("get", "put", "post", "patch", "delete")
HOT = {("POST", "/v1/events"), ("POST", "/v1/assignments")}
ACCESS = RouteAccess([route for router in _ROUTERS for route in router.routes], declared_access)


def _operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    app: Any = create_app(Settings()).asgi
    while not hasattr(app, "openapi"):
        app = app._rest if isinstance(app, HotCalls) else app.app
    for path, item in app.openapi()["paths"].items():
        for method in METHODS:
            if method in item:
                yield method.upper(), path, item[method]


def _scope(method: str, path: str) -> dict[str, Any]:
    return {
        "type": "http",
        "method": method,
        "path": path,
        "root_path": "",
        "query_string": b"",
        "headers": [],
    }


def test_every_operation_of_the_document_asks_for_what_it_names() -> None:
    for method, path, operation in _operations():
        if (method, path) in HOT:
            continue
        found = ACCESS.find(_scope(method, path.replace("{", "").replace("}", "")))
        named = {
            scope for way in operation.get("security", []) for scopes in way.values() for scope in scopes
        }
        assert found is not None, path
        access = found.access
        assert access.known == ((method, path) not in OPEN), path
        assert named == ({access.scope} if access.scope else set()), path


@pytest.mark.parametrize("known", [("POST", "/nowhere"), ("TRACE", "/v1/experiments"), ("POST", "/healthz")])
def test_what_is_no_call_has_no_access(known: tuple[str, str]) -> None:
    assert ACCESS.find(_scope(*known)) is None


def test_a_route_that_asks_nobody_is_refused_when_the_api_starts() -> None:
    router = APIRouter()

    @router.get("/forgotten")
    async def forgotten() -> None: ...

    with pytest.raises(ValueError, match="/forgotten must either be open or ask for one scope"):
        RouteAccess(router.routes, declared_access)


def test_a_route_that_asks_for_two_things_is_refused() -> None:
    router = APIRouter()

    @router.get("/both", dependencies=[Depends(require(Scope.ADMIN))])
    async def both(_: Editor) -> None: ...

    with pytest.raises(ValueError, match="/both must"):
        RouteAccess(router.routes, declared_access)


def test_a_dependency_inside_another_counts() -> None:
    router = APIRouter()

    async def inner(_: Editor) -> None: ...

    @router.get("/inner", dependencies=[Depends(inner)])
    async def outer() -> None: ...

    found = RouteAccess(router.routes, declared_access).find(_scope("GET", "/inner"))
    assert found is not None
    assert found.access == Access(known=True, scope=Scope.EDITOR)
