"""Layers and holdouts: looked at, made, changed, deleted."""

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
from api.audit import Actor
from api.holdouts.endpoints import KeyPath as HoldoutKey
from api.holdouts.schemas import HoldoutNew, HoldoutPatch
from api.holdouts.service import HoldoutService
from api.http.etags import version_tag
from api.http.pages import read_cursor
from api.http.parts import part
from api.http.problems import Problem
from api.layers.endpoints import KeyPath as LayerKey
from api.layers.schemas import LayerNew, LayerPatch
from api.layers.service import LayerService
from api.web.layers.page import (
    FIELDS,
    Act,
    HoldoutPage,
    LayerPage,
    Make,
    change_of,
    filled_of,
    holdout_of,
    layer_of,
    list_page,
    new_of,
)
from api.web.shared.forms import MISTYPED, Filled, read_as, refused
from api.web.shared.frame import Frame, answer, root_of, visitor_of
from neonblue.settings import Settings

router = APIRouter(tags=["pages"], include_in_schema=False)

_ROWS = 20
_CHANGED = 412


@dataclass(frozen=True, slots=True)
class _Shares:
    """The services that keep layers and holdouts, and the settings."""

    layers: LayerService
    holdouts: HoldoutService
    settings: Settings

    def frame(self, request: Request, caller: Caller, title: str) -> Frame:
        return Frame(root_of(request), title, visitor_of(caller), self.settings.dagster.page, place="layers")

    async def all(
        self,
        request: Request,
        caller: Caller,
        cursors: tuple[str | None, str | None] = (None, None),
        make: Make | None = None,
        filled: Filled | None = None,
        status: int = 200,
    ) -> Response:
        """Layers and holdouts from these cursors on, with a form where one is open."""
        layers = await self.layers.page(read_cursor(cursors[0]), _ROWS)
        holdouts = await self.holdouts.page(read_cursor(cursors[1]), _ROWS)
        frame = self.frame(request, caller, "Layers")
        may_edit = frame.visitor is not None and frame.visitor.may_edit
        page = list_page(
            (layers.items, cursors[0], layers.next_cursor),
            (holdouts.items, cursors[1], holdouts.next_cursor),
            make if may_edit else None,
            filled,
        )
        return answer("layers.html", frame, status, page=page)

    async def layer(
        self,
        request: Request,
        caller: Caller,
        key: str,
        act: Act | None,
        filled: Filled | None = None,
        status: int = 200,
    ) -> Response:
        """One layer. Raises Problem `not_found`."""
        layer = layer_of(await self.layers.get(key))
        frame = self.frame(request, caller, key)
        page = LayerPage(layer, _allowed(frame, act), filled or filled_of(layer), status == _CHANGED)
        return answer("layer.html", frame, status, page=page)

    async def holdout(
        self,
        request: Request,
        caller: Caller,
        key: str,
        act: Act | None,
        filled: Filled | None = None,
        status: int = 200,
    ) -> Response:
        """One holdout. Raises Problem `not_found`."""
        holdout = holdout_of(await self.holdouts.get(key))
        frame = self.frame(request, caller, key)
        page = HoldoutPage(holdout, _allowed(frame, act), filled or filled_of(holdout), status == _CHANGED)
        return answer("holdout.html", frame, status, page=page)

    async def make(self, make: Make, form: Mapping[str, str], actor: Actor) -> str:
        """Returns the path of what was made. Raises Problem."""
        if make is Make.LAYER:
            layer = await self.layers.create(read_as(LayerNew, new_of(make, form)), actor)
            return f"/layers/{quote(layer.key)}"
        holdout = await self.holdouts.create(read_as(HoldoutNew, new_of(make, form)), actor)
        return f"/holdouts/{quote(holdout.key)}"


async def _shares(
    layers: Annotated[LayerService, Depends(part(LayerService))],
    holdouts: Annotated[HoldoutService, Depends(part(HoldoutService))],
    settings: Annotated[Settings, Depends(part(Settings))],
) -> _Shares:
    return _Shares(layers, holdouts, settings)


Shares = Annotated[_Shares, Depends(_shares)]
Reader = Annotated[Caller, Depends(require_visitor(Scope.VIEWER))]
Changer = Annotated[Caller, Depends(require_visitor(Scope.EDITOR, in_form=True))]
Page = Annotated[str | None, Query(min_length=1, max_length=64)]


@router.get("/layers")
async def all_layers(
    request: Request,
    caller: Reader,
    shares: Shares,
    make: Make | None = None,
    layers: Page = None,
    holdouts: Page = None,
) -> Response:
    """Layers with their slots as pictures, and holdouts."""
    return await shares.all(request, caller, (layers, holdouts), make)


@router.post("/layers")
async def make_one(request: Request, caller: Changer, shares: Shares) -> Response:
    """Make a layer, or a holdout."""
    form = read_form(request)
    make = Make.HOLDOUT if form.get("make") == Make.HOLDOUT else Make.LAYER
    try:
        return _led(request, await shares.make(make, form, caller.actor(request)))
    except Problem as problem:
        filled = _kept(request, problem, form)
        return await shares.all(request, caller, make=make, filled=filled, status=problem.status)


@router.get("/layers/{key}")
async def one_layer(
    request: Request, key: LayerKey, caller: Reader, shares: Shares, do: Act | None = None
) -> Response:
    """One layer: who holds which of its slots."""
    return await shares.layer(request, caller, key, do)


@router.post("/layers/{key}")
async def change_layer(request: Request, key: LayerKey, caller: Changer, shares: Shares) -> Response:
    """Rename the layer, or delete it."""
    form, actor = read_form(request), caller.actor(request)
    act = _act_of(form)
    try:
        if act is Act.DELETE:
            await shares.layers.delete(key, actor)
            return _led(request, "/layers")
        patch = read_as(LayerPatch, change_of(form, of_holdout=False))
        await shares.layers.patch(key, patch, _seen(form), actor)
        return _led(request, f"/layers/{quote(key)}")
    except Problem as problem:
        filled = _kept(request, problem, form)
        return await shares.layer(request, caller, key, act, filled, problem.status)


@router.get("/holdouts/{key}")
async def one_holdout(
    request: Request, key: HoldoutKey, caller: Reader, shares: Shares, do: Act | None = None
) -> Response:
    """One holdout."""
    return await shares.holdout(request, caller, key, do)


@router.post("/holdouts/{key}")
async def change_holdout(request: Request, key: HoldoutKey, caller: Changer, shares: Shares) -> Response:
    """Change the holdout, or delete it."""
    form, actor = read_form(request), caller.actor(request)
    act = _act_of(form)
    try:
        if act is Act.DELETE:
            await shares.holdouts.delete(key, actor)
            return _led(request, "/layers")
        patch = read_as(HoldoutPatch, change_of(form, of_holdout=True))
        await shares.holdouts.patch(key, patch, _seen(form), actor)
        return _led(request, f"/holdouts/{quote(key)}")
    except Problem as problem:
        filled = _kept(request, problem, form)
        return await shares.holdout(request, caller, key, act, filled, problem.status)


def _allowed(frame: Frame, act: Act | None) -> Act | None:
    """A viewer is shown no form."""
    return act if frame.visitor is not None and frame.visitor.may_edit else None


def _act_of(form: Mapping[str, str]) -> Act:
    """Raises Problem 422."""
    try:
        return Act(form.get("do", ""))
    except ValueError:
        raise Problem(422, "invalid", "The form does not say what to do", field="do") from None


def _seen(form: Mapping[str, str]) -> str:
    """The tag of the state that the form was opened on. Raises Problem 422."""
    try:
        return version_tag(int(form.get("version", "")))
    except ValueError:
        raise Problem(422, "invalid", "The form names no version", field="version") from None


def _kept(request: Request, problem: Problem, form: Mapping[str, str]) -> Filled:
    """The form again. Raises the problem where a form can't mend it."""
    if problem.status not in MISTYPED:
        raise problem
    request.state.problem = problem
    given = {name: text for name, text in form.items() if name in FIELDS}
    filled = refused(problem, given, FIELDS)
    if not (holders := problem.members.get("experiments")):
        return filled
    return Filled(filled.given, {**filled.errors, "": f"{problem.detail}: {', '.join(holders)}"})


def _led(request: Request, path: str) -> Response:
    return RedirectResponse(f"{root_of(request)}{path}", 303, headers={"cache-control": "no-store"})
