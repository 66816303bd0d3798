"""The ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from api.access.cross_origin import CrossOrigin
from api.access.dependencies import declared_access
from api.access.endpoints import router as tokens
from api.access.on_behalf import OnBehalf
from api.access.route_access import RouteAccess
from api.access.session_endpoints import router as session
from api.assignments.endpoints import router as assignments
from api.assignments.person_endpoints import router as of_person
from api.assignments.schemas import ASSIGNMENTS_OPERATION
from api.audit_log.endpoints import router as audit
from api.checklist.endpoints import router as checklist
from api.collector import settle_collector
from api.demand.endpoints import router as demand
from api.edge.at_once import Application, AtOnce
from api.edge.errors import install_error_handlers
from api.edge.hot import HotCalls
from api.edge.idempotent import Idempotent
from api.edge.leaving import leave_when_hopeless
from api.edge.request_context import RequestContext
from api.edge.wiring import create_services
from api.erasures.endpoints import of_people as erasing
from api.erasures.endpoints import router as erasures
from api.evaluation.endpoints import router as evaluation
from api.events.schemas import EVENTS_OPERATION
from api.experiments.endpoints import router as experiments
from api.experiments.forced_endpoints import router as forced_variants
from api.health.endpoints import router as health
from api.holdouts.endpoints import router as holdouts
from api.http.openapi import describe
from api.layers.endpoints import router as layers
from api.links.endpoints import router as links
from api.logs import configure_logs
from api.looks.endpoints import router as looks
from api.metric_catalogue.endpoints import router as metrics
from api.ramps.endpoints import router as ramps
from api.results.endpoints import router as results
from api.results.reports import router as reports
from api.users.endpoints import router as users
from api.web.audit.endpoints import router as audit_page
from api.web.catalogue.endpoints import router as catalogue_page
from api.web.editing.endpoints import router as editing_page
from api.web.endpoints import router as web
from api.web.erasure.endpoints import router as erasure_page
from api.web.experiment.endpoints import router as experiment_page
from api.web.experiment.live import router as experiment_live
from api.web.experiments.endpoints import router as experiments_page
from api.web.layers.endpoints import router as layers_page
from api.web.login.endpoints import router as login_page
from api.web.person.endpoints import router as person_page
from api.web.pipeline.endpoints import router as pipeline_page
from api.web.tokens.endpoints import router as tokens_page
from neonblue import __version__
from neonblue.serving.limits import ConnectionLimits
from neonblue.settings import ApiSettings, Settings

_HOT = {"/v1/events": EVENTS_OPERATION, "/v1/assignments": ASSIGNMENTS_OPERATION}
_GZIP_BYTES = 1_024
_PARTING_SECONDS = 3.0
_ROUTERS = (
    experiments, checklist, demand, ramps, forced_variants, assignments, links, evaluation, layers, holdouts, metrics,
    results, reports, looks, tokens, session, audit, of_person, users, erasing, erasures, health, web, login_page,
    experiments_page, experiment_page, experiment_live, editing_page, person_page, erasure_page, pipeline_page,
    catalogue_page, layers_page, audit_page, tokens_page,
)  # fmt: skip


def create_app(
    settings: Settings | None = None, patience: float | None = 0.0, replaceable: bool = False
) -> Application:
    """The whole API; without settings, those of the environment.

    patience: seconds that its start waits until it can work; None: however long that takes.
    replaceable: whether another process is started in its place where it ends itself.
    """
    configure_logs()
    services = create_services(settings or Settings.load())

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with services.running():
            if replaceable:
                services.keeper.keep("leaving", partial(leave_when_hopeless, services))
            await services.wait_until_ready(patience)
            settle_collector()
            yield

    app = FastAPI(
        title="NeonBlue",
        version=__version__,
        summary="Experiments, assignments, events and results.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=lambda route: f"{route.tags[0]}_{route.name}",
    )
    app.state.parts = services.parts
    for router in _ROUTERS:
        app.include_router(router)
    for path in _HOT:
        app.add_route(path, _never, methods=["POST"], include_in_schema=False)
    describe(app, _HOT)
    app.add_middleware(Idempotent, pool=services.pool, gate=services.gate)
    app.add_middleware(GZipMiddleware, minimum_size=_GZIP_BYTES)
    access = RouteAccess([route for router in (app, *_ROUTERS) for route in router.routes], declared_access)
    app.add_middleware(RequestContext, gate=services.gate, access=access, calls=services.calls)
    install_error_handlers(app)
    api = services.settings.api
    whole: ASGIApp = CrossOrigin(HotCalls(services, app), api.cross_origins, services.origins)
    if secret := services.settings.dagster.page_secret.get_secret_value():
        whole = OnBehalf(whole, secret)
    at_once = AtOnce(services)
    if services.arrivals is not None:
        from api.edge.traced import TracedAtOnce, TracedCalls

        tracing = services.arrivals.tracing
        whole = TracedCalls(whole, tracing, services.arrivals.expect)
        at_once = TracedAtOnce(services, tracing=tracing)
    if api.trusted_proxies:
        whole = ProxyHeadersMiddleware(whole, api.trusted_proxies)  # type: ignore[assignment,arg-type]
    return Application(whole, at_once, _connections(api), services.pulses.end)


def _connections(api: ApiSettings) -> ConnectionLimits:
    return ConnectionLimits(
        connections=api.max_connections,
        of_one_address=api.max_connections_per_address,
        shared=api.proxy_networks,
        parting=_PARTING_SECONDS,
    )


async def _never(_: Request) -> Response:
    """`HotCalls` answers these paths; their routes are here so that other methods are told of POST."""
    raise NotImplementedError
