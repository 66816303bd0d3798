"""The ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.types import ASGIApp

from api.assignments.schemas import ASSIGNMENTS_OPERATION
from api.events.schemas import EVENTS_OPERATION
from api.experiments.endpoints import router as experiments
from api.health.endpoints import router as health
from api.http.errors import install_error_handlers
from api.http.hot import HotCalls
from api.http.request_context import RequestContext
from api.logs import configure_logs
from api.results.endpoints import router as results
from api.results.reports import router as reports
from api.services import create_services
from neonblue import __version__
from neonblue.settings import Settings


def create_app(settings: Settings | None = None) -> ASGIApp:
    """The whole API; without settings, those of the environment."""
    configure_logs()
    services = create_services(settings or Settings.load())

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with services.running():
            yield

    app = FastAPI(
        title="NeonBlue",
        version=__version__,
        summary="Experiments, assignments, events and results.",
        lifespan=lifespan,
    )
    app.state.services = services
    for router in (experiments, results, reports, health):
        app.include_router(router)
    app.add_middleware(RequestContext)
    install_error_handlers(app)
    _document(app)
    return HotCalls(services, app)


def _document(app: FastAPI) -> None:
    """Add the two calls that FastAPI does not route to its OpenAPI document."""
    generated = app.openapi

    def openapi() -> dict[str, object]:
        document = generated()
        document["paths"]["/v1/events"] = {"post": EVENTS_OPERATION}
        document["paths"]["/v1/assignments"] = {"post": ASSIGNMENTS_OPERATION}
        return document

    app.openapi = openapi  # type: ignore[method-assign]
