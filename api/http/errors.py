"""FastAPI's errors as problem details."""

from __future__ import annotations

from typing import cast

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from api.http.problems import CONTENT_TYPE, Problem
from neonblue.contract.codes import Code

_CODES = {
    "missing": Code.MISSING_FIELD,
    "extra_forbidden": Code.UNKNOWN_FIELD,
    "string_too_long": Code.TOO_LONG,
    "string_too_short": Code.TOO_SHORT,
    "json_invalid": Code.NOT_JSON,
    "string_unicode": Code.LONE_SURROGATE,
}
_HTTP_CODES = {400: Code.NOT_JSON, 404: "not_found", 405: "method_not_allowed"}


def install_error_handlers(app: FastAPI) -> None:
    """Every error leaves as `application/problem+json`; those that nobody foresaw, by `RequestContext`."""
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Problem, _problem)


async def _invalid(request: Request, error: Exception) -> Response:
    found = cast("RequestValidationError", error).errors()
    errors = [
        {
            "field": ".".join(str(part) for part in item["loc"][1:]) or None,
            "code": _CODES.get(
                item["type"], "value_out_of_range" if "than" in item["type"] else Code.INVALID
            ),
            "message": item["msg"],
        }
        for item in found
    ]
    first = errors[0]
    problem = Problem(
        422, str(first["code"]), str(first["message"]), field=first["field"], members={"errors": errors}
    )
    return _response(request, problem)


async def _http(request: Request, error: Exception) -> Response:
    failure = cast("HTTPException", error)
    code = _HTTP_CODES.get(failure.status_code, "http_error")
    return _response(
        request, Problem(failure.status_code, code, str(failure.detail), headers=failure.headers)
    )


async def _problem(request: Request, error: Exception) -> Response:
    return _response(request, cast("Problem", error))


def _response(request: Request, problem: Problem) -> Response:
    return Response(
        problem.body(request.state.request_id), problem.status, problem.headers, media_type=CONTENT_TYPE
    )
