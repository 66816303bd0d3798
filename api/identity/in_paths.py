"""A person in a request's address, as in `/v1/users/{user_id}` and what stands behind it, and the type of the id."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import unquote_to_bytes

from fastapi import Depends, Query, Request

from api.http.problems import Problem
from neonblue.contract.limits import KEY_LENGTH
from neonblue.contract.requests import DEFAULT_UNIT_TYPE
from neonblue.contract.texts import check_text
from neonblue.contract.violation import ContractError

_PRINTABLE = r"^[^\x00-\x1f]+$"


def _unit_type(
    unit_type: Annotated[
        str,
        Query(
            min_length=1, max_length=KEY_LENGTH, pattern=_PRINTABLE, description="Of the id: user, device, …"
        ),
    ] = DEFAULT_UNIT_TYPE,
) -> str:
    return _checked(unit_type, "unit_type")


def _user_id(request: Request) -> str:
    """The id as it was sent: it may hold anything, slashes too (as %2F), so it is read from the undecoded path."""
    parts = _parts(request)
    return checked_id(unquote_to_bytes(b"/".join(parts)).decode(errors="replace"))


UnitType = Annotated[str, Depends(_unit_type)]
UserId = Annotated[str, Depends(_user_id)]
ID_PARAMETER = {
    "parameters": [
        {
            "name": "user_id",
            "in": "path",
            "required": True,
            "description": "The client's own id, percent-encoded",
            "schema": {"type": "string", "minLength": 1, "maxLength": KEY_LENGTH, "pattern": _PRINTABLE},
        }
    ]
}
"""For the OpenAPI document, which is told nothing of a path that is read undecoded."""


def checked_id(text: str) -> str:
    """The id, as it may be asked for. Raises Problem 422."""
    if not 1 <= len(text) <= KEY_LENGTH:
        raise Problem(422, "too_long", f"An id has 1 to {KEY_LENGTH} characters", field="user_id")
    return _checked(text, "user_id")


def checked_unit_type(text: str) -> str:
    """The type of an id, as it may be asked for. Raises Problem 422."""
    if not 1 <= len(text) <= KEY_LENGTH:
        raise Problem(422, "too_long", f"A unit type has 1 to {KEY_LENGTH} characters", field="unit_type")
    return _checked(text, "unit_type")


def is_all_id(request: Request) -> bool:
    """Whether a path that ends as its route does, such as in `/export`, is all id: a slash of its end was encoded."""
    behind = _behind(request)
    return bool(behind) and _given(request)[-len(behind) :] != behind


def _parts(request: Request) -> list[bytes]:
    given, behind = _given(request), _behind(request)
    return given[: -len(behind)] if behind and not is_all_id(request) else given


def _given(request: Request) -> list[bytes]:
    """The parts from the id on, as they were sent."""
    raw: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    place = _template(request).partition("{")[0].count("/")
    return raw.partition(b"?")[0].split(b"/")[place:]


def _behind(request: Request) -> list[bytes]:
    """The parts that the route has behind the id."""
    return _template(request).partition("}")[2].encode().split(b"/")[1:]


def _template(request: Request) -> str:
    template: str = request.scope["route"].path
    return template


def _checked(text: str, field: str) -> str:
    try:
        check_text(text, field)
    except ContractError as error:
        raise Problem(422, error.violation.code, error.violation.message, field=field) from None
    return text
