"""The metric catalogue: searched, explained, added to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import RedirectResponse, Response

from api.access.callers import Caller
from api.access.dependencies import require_visitor
from api.access.forms import read_form
from api.access.tokens import Scope
from api.http.etags import version_tag
from api.http.pages import Cursor, read_cursor
from api.http.parts import part
from api.http.problems import Problem
from api.metric_catalogue.endpoints import KeyPath
from api.metric_catalogue.schemas import CatalogueMetricIn, MetricPatch, NewMetricVersion
from api.metric_catalogue.service import MetricCatalogue
from api.web.catalogue.form import (
    FIELDS,
    NEW,
    RENAMED,
    definition_of,
    described_by,
    description_form,
    reason_of,
    version_form,
)
from api.web.catalogue.page import Act, NewPage, Wanted, list_page, metric_page
from api.web.shared.forms import MISTYPED, Filled, read_as, refused
from api.web.shared.frame import Frame, answer, root_of, visitor_of
from neonblue.settings import Settings
from neonblue.texts import plain

router = APIRouter(tags=["pages"], include_in_schema=False)

_ROWS, _USERS = 50, 50
_CHANGED = 412


@dataclass(frozen=True, slots=True)
class _Catalogue:
    """The service that keeps metrics, and the settings."""

    service: MetricCatalogue
    settings: Settings

    def frame(self, request: Request, caller: Caller, title: str) -> Frame:
        return Frame(
            root_of(request), plain(title), visitor_of(caller), self.settings.dagster.page, place="catalogue"
        )

    async def metric(
        self,
        request: Request,
        caller: Caller,
        key: str,
        act: Act | None,
        filled: Filled | None = None,
        cursor: str | None = None,
        status: int = 200,
    ) -> Response:
        """One metric, with a form where one is open. Raises Problem `not_found`."""
        metric = await self.service.get(key)
        versions = await self.service.versions(key)
        users = await self.service.users(key, read_cursor(cursor), _USERS)
        used = (await self.service.uses([key])).get(key, 0)
        frame = self.frame(request, caller, metric.name or key)
        if frame.visitor is None or not frame.visitor.may_edit:
            act = None
        opened = {Act.VERSION: version_form(metric), Act.DESCRIBE: description_form(metric), None: Filled()}
        page = metric_page(
            metric,
            versions.items,
            (users.items, cursor, users.next_cursor),
            used,
            (act, filled or opened[act]),
            conflict=status == _CHANGED,
        )
        return answer("metric.html", frame, status, page=page)


async def _catalogue(
    service: Annotated[MetricCatalogue, Depends(part(MetricCatalogue))],
    settings: Annotated[Settings, Depends(part(Settings))],
) -> _Catalogue:
    return _Catalogue(service, settings)


Catalogue = Annotated[_Catalogue, Depends(_catalogue)]
Reader = Annotated[Caller, Depends(require_visitor(Scope.VIEWER))]
Changer = Annotated[Caller, Depends(require_visitor(Scope.EDITOR, in_form=True))]
Typed = Annotated[str, Query(max_length=200)]


@router.get("/catalogue")
async def catalogue_list(
    request: Request,
    caller: Reader,
    catalogue: Catalogue,
    text: Typed = "",
    type: Typed = "",  # noqa: A002 - the filter's name
    tag: Typed = "",
    owner: Typed = "",
    cursor: Cursor = None,
    make: bool = False,
) -> Response:
    """Every metric of the catalogue; with `make`, the form of a new one."""
    visitor = visitor_of(caller)
    if make and visitor.may_edit:
        return answer("new_metric.html", catalogue.frame(request, caller, "New metric"), page=NewPage(NEW))
    wanted = Wanted(text.strip(), type.strip(), tag.strip(), owner.strip())
    found = await catalogue.service.page(read_cursor(cursor), wanted.filters, _ROWS)
    uses = await catalogue.service.uses([metric.key for metric in found.items])
    page = list_page(found.items, uses, wanted, (cursor, found.next_cursor))
    return answer("catalogue.html", catalogue.frame(request, caller, "Metrics"), page=page)


@router.post("/catalogue")
async def make_metric(request: Request, caller: Changer, catalogue: Catalogue) -> Response:
    """Add a metric to the catalogue."""
    form = read_form(request)
    try:
        given = {"key": form.get("key", "").strip(), **described_by(form), **definition_of(form)}
        metric = await catalogue.service.create(read_as(CatalogueMetricIn, given), caller.actor(request))
    except Problem as problem:
        page = NewPage(_kept(request, problem, form))
        frame = catalogue.frame(request, caller, "New metric")
        return answer("new_metric.html", frame, problem.status, page=page)
    return _led(request, metric.key)


@router.get("/catalogue/{key}")
async def one_metric(
    request: Request,
    key: KeyPath,
    caller: Reader,
    catalogue: Catalogue,
    do: Act | None = None,
    cursor: Cursor = None,
) -> Response:
    """One metric: what it means in words, what it meant, which experiments use it."""
    return await catalogue.metric(request, caller, key, do, cursor=cursor)


@router.post("/catalogue/{key}")
async def change_metric(request: Request, key: KeyPath, caller: Changer, catalogue: Catalogue) -> Response:
    """Give the metric a new meaning, or say something else of it."""
    form = read_form(request)
    try:
        act = Act(form.get("do", ""))
    except ValueError:
        raise Problem(422, "invalid", "The form does not say what to do", field="do") from None
    try:
        await _change(catalogue.service, key, act, form, caller, request)
    except Problem as problem:
        filled = _kept(request, problem, form)
        return await catalogue.metric(request, caller, key, act, filled, status=problem.status)
    return _led(request, key)


async def _change(
    service: MetricCatalogue, key: str, act: Act, form: Mapping[str, str], caller: Caller, request: Request
) -> None:
    """Raises Problem."""
    reason = {"reason": reason_of(form)}
    if act is Act.VERSION:
        new = read_as(NewMetricVersion, definition_of(form) | reason)
        await service.add_version(key, new, caller.actor(request))
        return
    patch = read_as(MetricPatch, described_by(form) | reason)
    await service.patch(key, patch, _seen(form), caller.actor(request))


def _seen(form: Mapping[str, str]) -> str:
    """The tag of the state that the form was opened on. Raises Problem 422."""
    try:
        return version_tag(int(form.get("revision", "")))
    except ValueError:
        raise Problem(422, "invalid", "The form names no revision", field="revision") from None


def _kept(request: Request, problem: Problem, form: Mapping[str, str]) -> Filled:
    """The form again. Raises the problem where a form can't mend it."""
    if problem.status not in MISTYPED:
        raise problem
    request.state.problem = problem
    given = {name: text for name, text in form.items() if name in FIELDS}
    return refused(problem, given, FIELDS, RENAMED)


def _led(request: Request, key: str) -> Response:
    path = f"{root_of(request)}/catalogue/{quote(key)}"
    return RedirectResponse(path, 303, headers={"cache-control": "no-store"})
