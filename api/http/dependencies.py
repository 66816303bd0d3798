"""What FastAPI's endpoints ask for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPBearer

from api.audit import Actor
from api.http.security import Scope
from api.services import Services

_documented = HTTPBearer(auto_error=False, description="An API token")


def get_services(request: Request) -> Services:
    """The process's services."""
    services: Services = request.app.state.services
    return services


ServicesDep = Annotated[Services, Depends(get_services)]


def require(scope: Scope) -> Callable[..., Awaitable[Actor]]:
    """A dependency that lets in tokens with `scope` and says who calls."""

    async def authorize(
        request: Request, services: ServicesDep, _: Annotated[object, Security(_documented)]
    ) -> Actor:
        header = request.headers.get("authorization")
        token = await services.tokens.authorize(None if header is None else header.encode("latin-1"), scope)
        return Actor(f"token:{token.id}:{token.name}", request.state.request_id)

    return authorize
