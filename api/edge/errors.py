"""FastAPI's errors as problem details."""

from __future__ import annotations

from typing import cast

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection

from api.evaluation.failures import in_protocols_words
from api.http.broken_rules import problem_of_errors
from api.http.problems import CONTENT_TYPE, Problem
from api.web.errors.answers import page_of
from neonblue.contract.codes import Code

_HTTP_CODES = {400: Code.NOT_JSON, 404: "not_found", 405: "method_not_allowed"}


def install_error_handlers(app: FastAPI) -> None:
    """Every error leaves as `answer_to` has it; those that nobody foresaw, by `RequestContext`."""
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Problem, _problem)


def answer_to(problem: Problem, request: HTTPConnection) -> Response:
    """A page for people, `application/problem+json` for all others."""
    page = page_of(problem, request)
    if page is not None:
        return page
    body = problem.body(request.scope["state"]["request_id"])
    return Response(body, problem.status, problem.headers, media_type=CONTENT_TYPE)


async def _invalid(request: Request, error: Exception) -> Response:
    return _response(request, problem_of_errors(cast("RequestValidationError", error).errors()))


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
    return answer_to(told, request)
