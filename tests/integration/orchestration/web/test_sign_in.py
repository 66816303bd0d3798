"""Signing in: a token is pasted, one is led back, and signs out again."""

from __future__ import annotations

import re

import httpx
import pytest

from tests.integration.api.access.conftest import TokenMaker
from tests.integration.orchestration.browser import until
from tests.integration.orchestration.web.conftest import SECRET, Page

pytestmark = pytest.mark.timeout(600)
HTML = {"accept": "text/html,application/xhtml+xml"}


def test_a_person_is_led_to_the_sign_in_and_back(page: Page, make_token: TokenMaker) -> None:
    client = page.client(origin=page.address, **HTML)

    led = client.get("/runs/a b?tab=1&x=%2F%2Fy")
    shown = client.get(led.headers["location"])
    (after,) = re.findall(r'name="next" value="([^"]*)"', shown.text)
    answer = client.post(
        "/sign-in", data={"token": f" {make_token('viewer')}\n", "next": after.replace("&amp;", "&")}
    )

    assert led.status_code == 303
    assert shown.status_code == 200
    assert answer.status_code == 303
    assert answer.headers["location"] == "/runs/a%20b?tab=1&x=%2F%2Fy"
    attributes = {part.strip().lower() for part in answer.headers["set-cookie"].split(";")}
    assert {"httponly", "samesite=lax", "path=/"} <= attributes
    assert "secure" not in attributes
    assert "Sign out" in client.get("/sign-in").text
    assert client.get("/").status_code == 200


def test_through_a_proxy_with_tls_the_cookie_is_secure(page: Page, make_token: TokenMaker) -> None:
    public = {"host": "dagster.example.com", "origin": "https://dagster.example.com"}

    answer = page.client(**public).post("/sign-in", data={"token": make_token("viewer")})

    assert "secure" in answer.headers["set-cookie"].lower()
    assert answer.headers["location"] == "/"


@pytest.mark.parametrize(
    "after", ["//evil.example", "https://evil.example/", "/\\evil.example", "/\t/evil.example"]
)
def test_the_sign_in_leads_nowhere_else(page: Page, make_token: TokenMaker, after: str) -> None:
    given = {"token": make_token("viewer"), "next": after}

    assert page.client(origin=page.address).post("/sign-in", data=given).headers["location"] == "/"
    assert 'name="next" value="/"' in page.client().get("/sign-in", params={"next": after}).text


def test_the_sign_in_page_is_whole_and_runs_no_script(page: Page) -> None:
    shown = page.client().get("/sign-in", params={"next": '/"><script>alert(1)</script>'})

    policy = shown.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "<script" not in shown.text
    for reference in re.findall(r'(?:src|<link [^>]*href)="([^"]+)"', shown.text):
        assert page.client().get(reference).status_code == 200


def test_a_wrong_token_is_told_and_trying_on_is_limited(page: Page, make_token: TokenMaker) -> None:
    client = page.client(origin=page.address)

    assert "no token that is known" in client.post("/sign-in", data={"token": "wrong"}).text
    refused = client.post("/sign-in", data={"token": make_token("ingest")})
    assert "scope viewer, editor or admin" in refused.text
    until(lambda: client.post("/sign-in", data={"token": "wrong"}).status_code == 429, "trying is limited")
    limited = client.post("/sign-in", data={"token": "wrong"})
    assert "Too many wrong tokens came from your address" in limited.text
    assert int(limited.headers["retry-after"]) > 1
    assert "set-cookie" not in limited.headers


def test_who_tries_wrong_tokens_keeps_nobody_else_out(page: Page, make_token: TokenMaker) -> None:
    guest = page.client(origin=page.address, **{"x-forwarded-for": "203.0.113.9"})
    until(lambda: guest.post("/sign-in", data={"token": "wrong"}).status_code == 429, "trying is limited")

    for address in ("203.0.113.9", "203.0.113.10", "2001:db8::7", "no address", "näh"):
        named = {"x-forwarded-for": address.encode()}
        answer = page.client(origin=page.address).post(
            "/sign-in", data={"token": make_token("viewer")}, headers=named
        )
        assert answer.status_code == 303, address


def test_the_audit_log_has_the_address_of_who_signed_in_and_out(
    page: Page, whole_api: httpx.Client, make_token: TokenMaker
) -> None:
    client = page.client(origin=page.address, **{"x-forwarded-for": "198.51.100.77"})

    assert client.post("/sign-in", data={"token": make_token("viewer")}).status_code == 303
    assert client.post("/sign-out", data={}).status_code == 303

    entries = whole_api.get("/v1/audit").raise_for_status().json()["items"][:2]
    assert [(entry["action"], entry["address"]) for entry in entries] == [
        ("log_out", "198.51.100.77"),
        ("log_in", "198.51.100.77"),
    ]


@pytest.mark.parametrize(
    "shown", [{}, {"x-neonblue-page": ""}, {"x-neonblue-page": "guessed"}, {"x-neonblue-page": SECRET}]
)
def test_the_api_believes_an_address_from_nobody_but_the_page(
    whole_api: httpx.Client, make_token: TokenMaker, shown: dict[str, str]
) -> None:
    headers = {"x-neonblue-client": "198.51.100.99", **shown}

    answer = whole_api.post("/v1/session", json={"token": make_token("viewer")}, headers=headers)

    assert answer.status_code == 201
    assert whole_api.get("/v1/audit").json()["items"][0]["address"] == "127.0.0.1"


def test_whoever_signs_out_is_out_here_and_at_the_api(
    page: Page, whole_api: httpx.Client, make_token: TokenMaker
) -> None:
    client = page.client(origin=page.address)
    until(
        lambda: client.post("/sign-in", data={"token": make_token("editor")}).status_code == 303,
        "one signs in",
    )
    cookie = {"cookie": f"neonblue_session={client.cookies['neonblue_session']}"}
    with httpx.Client(base_url=whole_api.base_url, trust_env=False) as at_the_api:
        assert at_the_api.get("/v1/session", headers=cookie).status_code == 200

        out = client.post("/sign-out", data={})

        assert (out.status_code, out.headers["location"]) == (303, "/sign-in")
        assert at_the_api.get("/v1/session", headers=cookie).status_code == 401
    assert page.client().get("/", headers=cookie).status_code == 401
    assert page.client(origin="http://evil.example").post("/sign-out", headers=cookie).status_code == 403
