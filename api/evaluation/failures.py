"""Bodies that are refused before OFREP's endpoints see them, in the protocol's words."""

from __future__ import annotations

from api.evaluation.schemas import ErrorCode
from api.http.problems import Problem

PREFIX = "/ofrep/"
_FLAG = "/flags/"


def in_protocols_words(problem: Problem, path: str) -> Problem:
    """The same refusal with the members that an OpenFeature provider reads, as the 400 that it expects."""
    code = ErrorCode.PARSE_ERROR if problem.status == 400 else ErrorCode.INVALID_CONTEXT
    members = problem.members | {"errorCode": code, "errorDetails": problem.detail}
    key = path.partition(_FLAG)[2]
    if key:
        members["key"] = key
    return Problem(
        400, problem.code, problem.detail, field=problem.field, headers=problem.headers, members=members
    )
