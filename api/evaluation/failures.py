"""Refusals of OFREP's calls, wherever they come from, in the words that an OpenFeature provider reads."""

from __future__ import annotations

from api.evaluation.schemas import ErrorCode
from api.http.problems import Problem

PREFIX = "/ofrep/"
_FLAG = "/ofrep/v1/evaluate/flags/"
_OF_THE_BODY = {
    400: ErrorCode.PARSE_ERROR,
    413: ErrorCode.INVALID_CONTEXT,
    415: ErrorCode.PARSE_ERROR,
    422: ErrorCode.INVALID_CONTEXT,
}
_UNUSABLE = frozenset({413, 422})
"""The protocol has one status for a context that can't be used, 400."""


def in_protocols_words(problem: Problem, path: str) -> Problem:
    """The same refusal with `errorCode` and `errorDetails`, and the flag's `key`; as it is on any other path."""
    if not path.startswith(PREFIX):
        return problem
    code = _OF_THE_BODY.get(problem.status, ErrorCode.GENERAL)
    status = 400 if problem.status in _UNUSABLE else problem.status
    members = problem.members | {"errorCode": code, "errorDetails": problem.detail}
    key = path.removeprefix(_FLAG)
    if key and key != path:
        members["key"] = key
    return Problem(
        status,
        problem.code,
        problem.detail,
        field=problem.field,
        headers=problem.headers,
        members=members,
        token=problem.token,
    )
