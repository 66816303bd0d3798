"""Pages of the origins that a publishable token names may call the API: their browsers ask first, without a token."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.integration.api.access.conftest import TokenMaker, bearer
from tests.integration.api.fleet import wait_until

PATHS = ["/v1/assignments", "/v1/events", "/ofrep/v1/evaluate/flags", "/ofrep/v1/evaluate/flags/a-flag"]
ALLOWED = "access-control-allow-origin"


def origin() -> str:
    return f"https://shop-{uuid4().hex}.example.com"


def ask(api: httpx.Client, page: str, path: str = PATHS[0], **changed: str) -> httpx.Response:
    """As a browser does before it sends."""
    headers = {
        "origin": page,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type,if-none-match",
    }
    return api.options(path, headers=headers | changed)


@pytest.mark.parametrize("path", PATHS)
def test_a_tokens_origin_is_let_in_at_once(
    whole_api: httpx.Client, make_token: TokenMaker, path: str
) -> None:
    page = origin()
    assert ALLOWED not in ask(whole_api, page, path).headers
    make_token("ingest", "assign", origins=["https://other.example.com", page])

    answer = ask(whole_api, page, path)

    assert (answer.status_code, answer.headers[ALLOWED]) == (200, page)
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert "access-control-allow-credentials" not in answer.headers


def test_a_page_reads_what_its_token_may_and_why_it_may_not(
    whole_api: httpx.Client, make_token: TokenMaker
) -> None:
    page = origin()
    secret = make_token("assign", origins=[page])
    body: dict[str, Any] = {"context": {"targetingKey": "u"}}
    for token, status in ((secret, 200), ("wrong", 401)):
        headers = bearer(token) | {"origin": page}
        answer = whole_api.post("/ofrep/v1/evaluate/flags", json=body, headers=headers)
        assert (answer.status_code, answer.headers[ALLOWED]) == (status, page)
        assert "Origin" in answer.headers["vary"]
    forbidden = whole_api.post(
        "/ofrep/v1/evaluate/flags", json=body, headers=bearer(secret) | {"origin": "https://evil.example.com"}
    )
    assert (forbidden.status_code, forbidden.json()["errorCode"]) == (403, "GENERAL")
    assert ALLOWED not in forbidden.headers


@pytest.mark.parametrize(
    "page", ["https://evil.example.com", "null", "", "*", "https://SHOP.example.com", "\x7f"]
)
def test_no_other_origin_is(whole_api: httpx.Client, make_token: TokenMaker, page: str) -> None:
    make_token("assign", origins=["https://shop.example.com"])
    assert ALLOWED not in ask(whole_api, page).headers


def test_a_method_or_header_that_no_call_takes_is_refused(
    whole_api: httpx.Client, make_token: TokenMaker
) -> None:
    page = origin()
    make_token("assign", origins=[page])
    assert ask(whole_api, page, **{"access-control-request-method": "TRACE"}).status_code == 400
    assert ask(whole_api, page, **{"access-control-request-headers": "cookie"}).status_code == 400


def test_a_revoked_tokens_origin_is_let_in_no_more(whole_api: httpx.Client) -> None:
    page = origin()
    made = whole_api.post("/v1/tokens", json={"name": "web", "scopes": ["assign"], "origins": [page]}).json()
    assert ask(whole_api, page).headers[ALLOWED] == page
    whole_api.delete(f"/v1/tokens/{made['id']}").raise_for_status()
    wait_until(lambda: ALLOWED not in ask(whole_api, page).headers, "the origin is forgotten")


def test_another_process_learns_of_it(
    whole_api: httpx.Client, start_api: Any, make_token: TokenMaker
) -> None:
    page = origin()
    with start_api() as other:
        assert ALLOWED not in ask(other, page).headers
        make_token("assign", origins=[page])
        wait_until(lambda: ask(other, page).headers.get(ALLOWED) == page, "the origin is known")


def test_the_settings_origins_need_no_token(start_api: Any, make_token: TokenMaker) -> None:
    page = origin()
    make_token("assign", origins=[page])
    with start_api(cors_origins="https://app.example.com") as api:
        assert ask(api, "https://app.example.com").headers[ALLOWED] == "https://app.example.com"
        assert ask(api, page).headers[ALLOWED] == page
    with start_api(cors_origins="*") as api:
        assert ask(api, origin()).headers[ALLOWED] == "*"
