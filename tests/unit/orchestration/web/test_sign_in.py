"""Small rules of the sign-in: where it leads, how often one may be wrong, whose cookie it is."""

from __future__ import annotations

import pytest

from api.access.sessions import COOKIE as OF_THE_API
from orchestration.web.callers import COOKIE
from orchestration.web.failures import Failures
from orchestration.web.refusals import Refusal
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


def test_wrong_tokens_of_one_address_are_limited_and_of_no_other() -> None:
    now = 1000.0
    failures = Failures(lambda: now)
    for _ in range(20):
        failures.check("a")
        failures.count("a")

    with pytest.raises(Refusal) as refused:
        failures.check("a")
    failures.check("b")
    assert refused.value.status == 429

    now += 2.0
    failures.check("a")
    failures.count("a")
    with pytest.raises(Refusal):
        failures.check("a")
