"""A form as it was sent: what was typed is kept, and what is wrong with it stands beside its field. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from api.http.broken_rules import problem_of_errors
from api.http.problems import Problem
from api.http.refusals import misread

Model = TypeVar("Model", bound=BaseModel)

MISTYPED = frozenset({409, 412, 422})
"""Refusals after which a form is shown again."""
CHECKED = "yes"
"""What a box sends that is checked; one that is not sends nothing."""


@dataclass(frozen=True, slots=True)
class Filled:
    """given: the text of each field, as typed. errors: why it was refused, by field; of none: by an empty name."""

    given: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """What stands in the field."""
        return self.given.get(name, "")

    def is_checked(self, name: str) -> bool:
        """Whether the box is."""
        return self.given.get(name) == CHECKED


def refused(
    problem: Problem,
    given: Mapping[str, str],
    fields: Collection[str],
    renamed: Mapping[str, str] | None = None,
) -> Filled:
    """The form again, with the API's own words. fields: of the form. renamed: those that it names otherwise."""
    told = problem.members.get("errors") or [{"field": problem.field, "message": problem.detail}]
    errors: dict[str, str] = {}
    for each in told:
        name, message = _field(each["field"] or "", fields, renamed or {}), str(each["message"])
        errors[name] = f"{errors[name]}; {message}" if name in errors else message
    return Filled(dict(given), errors)


def read_as(model: type[Model], values: Mapping[str, Any]) -> Model:
    """What the form says. Raises Problem 422 with each broken rule."""
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        raise problem_of_errors(misread(error).errors()) from None


def lines_of(text: str) -> list[str]:
    """One of each line, without empty ones."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def _field(named: str, fields: Collection[str], renamed: Mapping[str, str]) -> str:
    """The form's field that the API means: of `origins.0` that is `origins`."""
    parts = named.split(".")
    while parts:
        place = ".".join(parts)
        name = renamed.get(place, place)
        if name in fields:
            return name
        parts.pop()
    return ""
