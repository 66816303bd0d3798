"""The way to the pages, the documentation's page and the pages' files."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from api.access.dependencies import require
from api.access.tokens import Scope
from api.http.parts import part
from api.http.problems import Problem
from api.web import assets, pages
from api.web.shared.frame import POLICY, root_of
from neonblue.pages import MEDIA_TYPES, own_file
from neonblue.settings import Settings

router = APIRouter(tags=["start"])

Configured = Annotated[Settings, Depends(part(Settings))]

Accept = Annotated[str, Header(include_in_schema=False)]

_PAGE = {"content-security-policy": POLICY, "cache-control": "no-cache", "vary": "accept"}
_FILE = {"cache-control": "public, max-age=3600"}
_RESOURCES = {
    "experiments": "v1/experiments",
    "metrics": "v1/metrics",
    "layers": "v1/layers",
    "holdouts": "v1/holdouts",
    "documentation": "docs",
    "openapi": "openapi.json",
    "health": "readyz",
}


class Start(BaseModel):
    """Where to go from here."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "NeonBlue", "links": {"experiments": "/v1/experiments"}}]}
    )

    name: str = Field(description="The product")
    links: dict[str, str] = Field(description="Paths of this API, and the address of Dagster's page, by name")


@router.get("/", include_in_schema=False)
async def start_page(request: Request, settings: Configured, accept: Accept = "") -> Response:
    """The experiments for browsers, JSON for all others."""
    if "text/html" in accept:
        return RedirectResponse(f"{root_of(request)}/experiments", 303, headers={"vary": "accept"})
    return JSONResponse(_start(request, settings.dagster.page).model_dump(), headers={"vary": "accept"})


@router.get("/v1", dependencies=[Depends(require(Scope.VIEWER))])
async def list_resources(request: Request, settings: Configured) -> Start:
    """Where to go from here: the resources by name, the documentation and Dagster's page."""
    return _start(request, settings.dagster.page)


@router.get("/docs", include_in_schema=False)
async def documentation(request: Request, settings: Configured) -> Response:
    """Swagger UI; where its files are missing, a list of the calls that says so."""
    folder = settings.cache_dir
    if await asyncio.to_thread(assets.SWAGGER_UI.read, folder, "swagger-ui.css") is not None:
        return HTMLResponse(pages.documentation(), headers=_PAGE)
    page = pages.plain_documentation(request.app.openapi(), assets.SWAGGER_UI.path)
    return HTMLResponse(page, headers=_PAGE)


@router.get("/docs/{name}", include_in_schema=False)
async def documentation_file(name: str, settings: Configured) -> Response:
    """A file of Swagger UI."""
    folder = settings.cache_dir
    return _file(name, await asyncio.to_thread(assets.SWAGGER_UI.read, folder, name))


@router.get("/assets/{name}", include_in_schema=False)
async def page_file(name: str, settings: Configured) -> Response:
    """A file of our own pages, or of a library that they run."""
    content = own_file(name)
    if content is None:
        content = await asyncio.to_thread(assets.library_file, settings.cache_dir, name)
    return _file(name, content)


@router.get("/favicon.ico", include_in_schema=False)
@router.get("/favicon.svg", include_in_schema=False)
async def icon() -> Response:
    """The mark of the product."""
    return _file("favicon.svg", own_file("favicon.svg"))


def _start(request: Request, dagster: str) -> Start:
    root = root_of(request)
    links = {name: f"{root}/{path}" for name, path in _RESOURCES.items()}
    return Start(name="NeonBlue", links=links | {"dagster": dagster})


def _file(name: str, content: bytes | None) -> Response:
    if content is None:
        raise Problem(404, "not_found", "There is no such file")
    kind = MEDIA_TYPES[name[name.rindex(".") :]]
    return Response(content, media_type=kind, headers=_FILE)
