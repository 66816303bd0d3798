"""Refusals under OFREP's paths say what a provider reads; those of other paths stay as they are."""

from __future__ import annotations

import pytest

from api.evaluation.failures import in_protocols_words
from api.http.problems import Problem

FLAGS = "/ofrep/v1/evaluate/flags"


@pytest.mark.parametrize(
    ("status", "told", "code"),
    [
        (400, 400, "PARSE_ERROR"),
        (413, 400, "INVALID_CONTEXT"),
        (415, 415, "PARSE_ERROR"),
        (422, 400, "INVALID_CONTEXT"),
        *((status, status, "GENERAL") for status in (401, 403, 404, 405, 429, 500, 503)),
    ],
)
def test_each_status_has_its_code(status: int, told: int, code: str) -> None:
    problem = Problem(status, "x", "what to do", headers={"retry-after": "1"}, members={"errors": []})
    found = in_protocols_words(problem, FLAGS)
    assert (found.status, found.code, found.headers) == (told, "x", {"retry-after": "1"})
    assert found.members == {"errors": [], "errorCode": code, "errorDetails": "what to do"}


@pytest.mark.parametrize(
    ("path", "key"), [(f"{FLAGS}/a", "a"), (f"{FLAGS}/a/b", "a/b"), (FLAGS, None), (f"{FLAGS}/", None)]
)
def test_the_flag_is_named(path: str, key: str | None) -> None:
    assert in_protocols_words(Problem(401, "x", "y"), path).members.get("key") == key


@pytest.mark.parametrize("path", ["/v1/assignments", "/", "/ofrep", "/nothing/ofrep/v1/evaluate/flags/a"])
def test_other_paths_are_left_alone(path: str) -> None:
    problem = Problem(422, "x", "y")
    assert in_protocols_words(problem, path) is problem
