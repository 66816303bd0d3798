"""What Pydantic says of values, as a problem that names each broken rule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from api.http.problems import Problem
from neonblue.contract.codes import Code
from neonblue.contract.violation import ContractError

_CODES = {
    "missing": Code.MISSING_FIELD,
    "extra_forbidden": Code.UNKNOWN_FIELD,
    "string_too_long": Code.TOO_LONG,
    "string_too_short": Code.TOO_SHORT,
    "too_long": Code.TOO_LONG,
    "too_short": Code.TOO_SHORT,
    "json_invalid": Code.NOT_JSON,
    "string_unicode": Code.LONE_SURROGATE,
    "datetime_from_date_parsing": Code.INVALID_TIMESTAMP,
    "timezone_aware": Code.INVALID_TIMESTAMP,
}
ALTERNATIVES = frozenset({"(inline)", "(catalogue)"})
"""Names of a union's members: Pydantic puts them into a place, where no client would look for them."""


def problem_of_errors(found: Sequence[Any]) -> Problem:
    """The problem of a body or an address. found: `errors()` of a request's or a model's error."""
    errors = [_explain(item) for item in found]
    first = errors[0]
    return Problem(
        422, str(first["code"]), str(first["message"]), field=first["field"], members={"errors": errors}
    )


def _explain(item: Any) -> dict[str, Any]:
    """One broken rule: where, which by its stable code, and what to do."""
    place = [str(part) for part in item["loc"][1:] if part not in ALTERNATIVES]
    error = item.get("ctx", {}).get("error")
    if isinstance(error, ContractError):
        rule = error.violation
        field = ".".join([*place, rule.field] if rule.field else place)
        return {"field": field or None, "code": rule.code, "message": rule.message}
    return {"field": ".".join(place) or None, "code": _code(item["type"]), "message": item["msg"]}


def _code(kind: str) -> Code:
    """Our code of a kind of error that Pydantic names."""
    if kind in _CODES:
        return _CODES[kind]
    if kind.endswith("_type"):
        return Code.WRONG_TYPE
    return Code.VALUE_OUT_OF_RANGE if "than" in kind else Code.INVALID
