"""A person's id in an address is all that was sent, whatever the route has behind it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from fastapi import Request

from api.identity.in_paths import _user_id, is_all_id

ALONE = "/v1/users/{user_id:path}"
EXPORT = f"{ALONE}/export"
TRIAL = f"{ALONE}/assignments/trial"


def asked(route: str, raw: str) -> Request:
    scope: dict[str, Any] = {"type": "http", "raw_path": raw.encode(), "route": SimpleNamespace(path=route)}
    return cast("Request", Request(scope))


@pytest.mark.parametrize(
    ("route", "behind", "user_id", "all_id"),
    [
        (ALONE, "ada", "ada", False),
        (ALONE, "a%2Fb", "a/b", False),
        (ALONE, "a/b", "a/b", False),
        (EXPORT, "ada/export", "ada", False),
        (EXPORT, "a%2Fexport", "a/export", True),
        (EXPORT, "a%2Fexport/export", "a/export", False),
        (TRIAL, "ada/assignments/trial", "ada", False),
        (TRIAL, "ada/assignments/trial?unit_type=user", "ada", False),
        (TRIAL, "a%2Fassignments/assignments/trial", "a/assignments", False),
        (TRIAL, "a%2Fassignments/trial", "a/assignments/trial", True),
        (TRIAL, "a/assignments%2Ftrial", "a/assignments/trial", True),
    ],
)
def test_an_encoded_slash_belongs_to_the_id(route: str, behind: str, user_id: str, all_id: bool) -> None:
    request = asked(route, f"/v1/users/{behind}")

    assert (_user_id(request), is_all_id(request)) == (user_id, all_id)


@pytest.mark.parametrize("place", ["/users", "/erasures/of", "/a/b/c"])
def test_a_page_has_the_id_at_the_end_of_whatever_path(place: str) -> None:
    for behind, user_id in (("ada", "ada"), ("a%2Ferase", "a/erase"), ("users%2F%25", "users/%")):
        assert _user_id(asked(f"{place}/{{user_id:path}}", f"{place}/{behind}?unit_type=user")) == user_id
