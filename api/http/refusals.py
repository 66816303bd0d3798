"""Broken rules that are found after a body was read, told as those that are found while reading it."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from api.http.problems import Problem
from neonblue.contract.violation import Violation


def refuse(status: int, violations: Sequence[Violation], code: str | None = None) -> Problem:
    """A problem that names every violation; its code is the first one's where none is given."""
    first = violations[0]
    errors = [{"field": rule.field, "code": rule.code, "message": rule.message} for rule in violations]
    return Problem(status, code or first.code, first.message, field=first.field, members={"errors": errors})


def misread(error: ValidationError, *place: str | int) -> RequestValidationError:
    """What a model says of values that were put together here, as if the body had held them at `place`."""
    return RequestValidationError(
        [item | {"loc": ("body", *place, *item["loc"])} for item in error.errors(include_url=False)]
    )
