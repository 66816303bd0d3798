"""Small rules of the sign-in: where it leads, how often one may be wrong, whose cookie it is."""

from __future__ import annotations

import pytest

from api.access.sessions import COOKIE as OF_THE_API
from orchestration.web.callers import COOKIE
from orchestration.web.sign_in import path_after


@pytest.mark.parametrize("path", ["/", "/runs/1?x=1&y=2", "/assets/experiment_report", "/a//b", "/~"])
def test_one_is_led_back_to_where_one_wanted_to_go(path: str) -> None:
    assert path_after(path) == path


@pytest.mark.parametrize(
    "path",
    [
        "", "//evil.example", "/\\evil.example", "https://evil.example", "javascript:alert(1)", "/\t/evil.example",
        "/a\\b", "/a\r\nset-cookie: x", "evil.example", "/ /evil", "/sign-out", "/sign-in?next=/", "/" + "a" * 3000,
        "/\n",
    ],
)  # fmt: skip
def test_a_path_that_may_lead_elsewhere_leads_to_the_start(path: str) -> None:
    assert path_after(path) == "/"


def test_the_cookie_is_the_apis() -> None:
    assert COOKIE == OF_THE_API
