"""People: looked up, tried, exported, erased."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import ValidationError
from starlette.responses import RedirectResponse, Response, StreamingResponse

from api.access.callers import Caller
from api.access.dependencies import require_visitor
from api.access.forms import read_form
from api.access.tokens import Scope
from api.assignments.person import PersonReader
from api.assignments.schemas import PersonAssignments
from api.audit import Actor
from api.erasures.service import ErasureService
from api.http.broken_rules import problem_of_errors
from api.http.json_rules import check_body
from api.http.parts import part
from api.http.problems import Problem
from api.http.refusals import misread
from api.identity.in_paths import UnitType, UserId, checked_id, checked_unit_type
from api.users.export import Exporter
from api.users.schemas import AttributesIn, UserOut
from api.users.service import UserService
from api.web.person.page import (
    Address,
    SearchPage,
    Trial,
    erase_page,
    person_page,
    tried_rows,
)
from api.web.shared.frame import Frame, answer, root_of, visitor_of
from neonblue.contract.requests import DEFAULT_UNIT_TYPE
from neonblue.settings import Settings
from neonblue.texts import plain

router = APIRouter(tags=["pages"], include_in_schema=False)

_MISTYPED = frozenset({400, 413, 422})
"""Refusals of what was typed, which is kept."""


@dataclass(frozen=True, slots=True)
class _People:
    """The services that know people, and the settings."""

    reader: PersonReader
    users: UserService
    settings: Settings

    async def everything(self, address: Address, actor: Actor) -> PersonAssignments | None:
        """None where no assignment, link or attribute is held. Leaves an entry in the audit log."""
        try:
            return await self.reader.everything(address.unit_type, address.user_id, actor)
        except Problem as problem:
            if problem.status == 404:
                return None
            raise

    async def user(self, address: Address, actor: Actor) -> UserOut | None:
        """None where it has no row. Leaves an entry in the audit log."""
        try:
            return await self.users.get(address.unit_type, address.user_id, actor)
        except Problem as problem:
            if problem.status == 404:
                return None
            raise

    async def page(
        self, request: Request, caller: Caller, address: Address, trial: str | None = None
    ) -> Response:
        """The person, with what a trial by these attributes gives. 404 where nothing is held and nothing is tried."""
        actor = caller.actor(request)
        everything = await self.everything(address, actor)
        user = await self.user(address, actor)
        tried, status = None, 200
        if trial is not None:
            known = {} if user is None else user.attributes
            tried, status = await self._trial(request, address, (everything, known), trial, actor)
        page = person_page(address, everything, user, tried)
        if trial is None and not page.is_known:
            status = 404
        return answer("person.html", self.frame(request, caller, address.user_id), status, page=page)

    def frame(self, request: Request, caller: Caller, title: str) -> Frame:
        return Frame(
            root_of(request), plain(title), visitor_of(caller), self.settings.dagster.page, place="users"
        )

    async def _trial(
        self,
        request: Request,
        address: Address,
        held: tuple[PersonAssignments | None, Mapping[str, Any]],
        text: str,
        actor: Actor,
    ) -> tuple[Trial, int]:
        """held: what the person is in, and the attributes that are known. With the status of the answer."""
        try:
            attributes = await _attributes_in(text)
            found = await self.reader.trial(address.unit_type, address.user_id, attributes, actor)
            known = await self.reader.trial(address.unit_type, address.user_id, held[1], actor)
        except Problem as problem:
            if problem.status not in _MISTYPED:
                raise
            request.state.problem = problem
            return Trial(text, f"{problem.field or 'attributes'}: {problem.detail}"), problem.status
        return Trial(text, rows=tried_rows(found, known, held[0])), 200


async def _people(
    reader: Annotated[PersonReader, Depends(part(PersonReader))],
    users: Annotated[UserService, Depends(part(UserService))],
    settings: Annotated[Settings, Depends(part(Settings))],
) -> _People:
    return _People(reader, users, settings)


People = Annotated[_People, Depends(_people)]
Export = Annotated[Exporter, Depends(part(Exporter))]
Erasures = Annotated[ErasureService, Depends(part(ErasureService))]
Reader = Annotated[Caller, Depends(require_visitor(Scope.VIEWER))]
Tester = Annotated[Caller, Depends(require_visitor(Scope.VIEWER, in_form=True))]
Admin = Annotated[Caller, Depends(require_visitor(Scope.ADMIN))]
Eraser = Annotated[Caller, Depends(require_visitor(Scope.ADMIN, in_form=True))]


@router.get("/users")
async def look_up(
    request: Request,
    caller: Reader,
    people: People,
    user_id: Annotated[str | None, Query(alias="id")] = None,
    unit_type: str = DEFAULT_UNIT_TYPE,
) -> Response:
    """The form by which a person is looked up; with an id, the way to its page."""
    page, status = SearchPage(), 200
    if user_id is not None:
        address = Address(user_id, unit_type)
        try:
            _check(address)
            return _led(request, address.page)
        except Problem as problem:
            request.state.problem = problem
            page = SearchPage(user_id, unit_type, problem.detail, problem.field or "user_id")
            status = problem.status
    return answer("users.html", people.frame(request, caller, "Users"), status, page=page)


@router.get("/exports/{user_id:path}")
async def export(
    request: Request, user_id: UserId, unit_type: UnitType, caller: Admin, exporter: Export
) -> Response:
    """Everything held on the person, to keep as a file."""
    document = await exporter.export(unit_type, user_id, caller.actor(request))
    return StreamingResponse(
        document,
        media_type="application/json",
        headers={
            "content-disposition": 'attachment; filename="export.json"',
            "cache-control": "no-store",
        },
    )


@router.get("/erasures/of/{user_id:path}")
async def before_erasing(
    request: Request, user_id: UserId, unit_type: UnitType, caller: Admin, people: People
) -> Response:
    """What will be erased, and the form that does it."""
    address = Address(user_id, unit_type)
    everything = await people.everything(address, caller.actor(request))
    page = erase_page(address, everything)
    return answer("erase.html", people.frame(request, caller, "Erase"), page=page)


@router.post("/erasures/of/{user_id:path}")
async def erase(
    request: Request,
    user_id: UserId,
    unit_type: UnitType,
    caller: Eraser,
    people: People,
    erasures: Erasures,
) -> Response:
    """Erase the person, whose id was typed once more."""
    address, typed = Address(user_id, unit_type), read_form(request).get("typed", "")
    if typed not in (user_id, plain(user_id)):
        problem = Problem(422, "invalid", "This is not the id: nothing was erased", field="typed")
        request.state.problem = problem
        everything = await people.everything(address, caller.actor(request))
        page = erase_page(address, everything, typed, problem.detail)
        return answer("erase.html", people.frame(request, caller, "Erase"), problem.status, page=page)
    receipt = await erasures.erase(unit_type, user_id, caller.actor(request))
    return _led(request, f"/erasures/{receipt.id}")


@router.get("/users/{user_id:path}")
async def person(
    request: Request, user_id: UserId, unit_type: UnitType, caller: Reader, people: People
) -> Response:
    """Everything that the platform says of the person."""
    return await people.page(request, caller, Address(user_id, unit_type))


@router.post("/users/{user_id:path}")
async def try_person(
    request: Request, user_id: UserId, unit_type: UnitType, caller: Tester, people: People
) -> Response:
    """The same, with what it would get with the attributes of the form. Stores nothing."""
    return await people.page(
        request, caller, Address(user_id, unit_type), read_form(request).get("attributes", "")
    )


async def _attributes_in(text: str) -> dict[str, Any]:
    """The attributes that were typed; none of an empty field. Raises Problem."""
    body = (text.strip() or "{}").encode()
    await check_body(body)
    try:
        return AttributesIn.model_validate({"attributes": json.loads(body)}).attributes
    except ValidationError as error:
        raise problem_of_errors(misread(error).errors()) from None


def _check(address: Address) -> None:
    """Raises Problem 422."""
    checked_unit_type(address.unit_type)
    checked_id(address.user_id)
    if not address.can_stand:
        raise Problem(
            422, "invalid", "Browsers take this id for a folder: no page can show it", field="user_id"
        )


def _led(request: Request, path: str) -> Response:
    return RedirectResponse(f"{root_of(request)}{path}", 303, headers={"cache-control": "no-store"})
