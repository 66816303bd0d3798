"""FastAPI's errors as problem details."""

from __future__ import annotations

from typing import Any, cast

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from api.evaluation.failures import in_protocols_words
from api.http.problems import CONTENT_TYPE, Problem
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
_HTTP_CODES = {400: Code.NOT_JSON, 404: "not_found", 405: "method_not_allowed"}

ALTERNATIVES = frozenset({"(inline)", "(catalogue)"})
"""Names of a union's members: Pydantic puts them into a place, where no client would look for them."""


def install_error_handlers(app: FastAPI) -> None:
    """Every error leaves as `application/problem+json`; those that nobody foresaw, by `RequestContext`."""
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Problem, _problem)


async def _invalid(request: Request, error: Exception) -> Response:
    found = cast("RequestValidationError", error).errors()
    errors = [_explain(item) for item in found]
    first = errors[0]
    problem = Problem(
        422, str(first["code"]), str(first["message"]), field=first["field"], members={"errors": errors}
    )
    return _response(request, problem)


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


async def _http(request: Request, error: Exception) -> Response:
    failure = cast("HTTPException", error)
    code = _HTTP_CODES.get(failure.status_code, "http_error")
    return _response(
        request, Problem(failure.status_code, code, str(failure.detail), headers=failure.headers)
    )


async def _problem(request: Request, error: Exception) -> Response:
    return _response(request, cast("Problem", error))


def _response(request: Request, problem: Problem) -> Response:
    told = in_protocols_words(problem, request.url.path)
    request.state.problem = told
    return Response(told.body(request.state.request_id), told.status, told.headers, media_type=CONTENT_TYPE)
