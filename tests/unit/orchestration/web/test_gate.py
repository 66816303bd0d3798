"""What reaches Dagster through the gate, and what is said while the API is away."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from neonblue.settings import Settings
from orchestration.web.__main__ import guarded
from orchestration.web.gate import CALLER

SECRET = "of-the-stack"
OWN = {"authorization": f"Bearer {SECRET}"}
COOKIE = {"cookie": "neonblue_session=abc"}
HTML = {"accept": "text/html"}
Ask = Callable[..., httpx.Response]


async def dagster(scope: Scope, receive: Receive, send: Send) -> None:
    """Tells what it was given."""
    request = Request(scope, receive)
    told = {
        "headers": [[name.decode(), value.decode()] for name, value in scope["headers"]],
        "query": scope["query_string"].decode(),
        "body": (await request.body()).decode(),
        "caller": scope[CALLER].name,
    }
    await JSONResponse(told)(scope, receive, send)


@pytest.fixture
def ask() -> Ask:
    """Asks the gate, of an API that nobody answers for."""
    settings = Settings(api={"url": "http://127.0.0.1:1"}, dagster={"token": SECRET})

    def send(method: str, path: str, **given: Any) -> httpx.Response:
        async def sending() -> httpx.Response:
            transport = httpx.ASGITransport(guarded(dagster, settings))
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:3000") as client:
                return await client.request(method, path, **given)

        return asyncio.run(sending())

    return send


def test_dagster_gets_the_request_that_was_judged_and_no_secret(ask: Ask) -> None:
    twice = '{"query": "mutation { a }", "query": "{ version }", "variables": {"a": "\\ud800"}}'

    told = ask(
        "POST",
        "/graphql?query=mutation{a}",
        content=twice,
        headers={**OWN, **COOKIE, "content-type": "application/json"},
    ).json()

    assert json.loads(told["body"])["query"] == "{ version }"
    assert told["query"] == ""
    assert told["caller"] == "the stack"
    names = [name for name, _ in told["headers"]]
    assert not {"cookie", "authorization"} & set(names)
    assert names.count("content-length") == names.count("content-type") == 1
    assert ["content-length", str(len(told["body"]))] in told["headers"]


def test_while_the_api_is_away_people_see_a_page_that_tries_again(ask: Ask) -> None:
    shown = ask("GET", "/runs", headers={**COOKIE, **HTML})
    told = ask("POST", "/graphql", json={"query": "{ a }"}, headers={"authorization": "Bearer x"})

    assert shown.status_code == told.status_code == 503
    assert '<meta http-equiv="refresh" content="3">' in shown.text
    assert "be asked who you are" in shown.text
    assert told.headers["retry-after"] == "3"
    assert "API can't be asked" in told.json()["errors"][0]["message"]


def test_while_the_api_is_away_the_stacks_own_calls_go_on(ask: Ask) -> None:
    assert ask("POST", "/graphql", json={"query": "{ a }"}, headers=OWN).status_code == 200
    assert ask("GET", "/livez").text == "alive\n"


def test_while_the_api_is_away_signing_in_says_so(ask: Ask) -> None:
    form = {"data": {"token": "x"}, "headers": {"origin": "http://127.0.0.1:3000"}}

    assert ask("GET", "/sign-in").status_code == 200
    assert ask("POST", "/sign-in", **form).status_code == 503


def test_every_answer_protects_itself(ask: Ask) -> None:
    for answer in (
        ask("GET", "/"),
        ask("GET", "/sign-in"),
        ask("GET", "/x", headers=OWN),
        ask("GET", "/livez"),
    ):
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"


def test_a_body_has_a_limit(ask: Ask) -> None:
    big = b'{"query": "' + b" " * 5 * 1024**2 + b'"}'

    assert (
        ask("POST", "/graphql", content=big, headers={**OWN, "content-type": "application/json"}).status_code
        == 413
    )
    form = {"content-type": "application/x-www-form-urlencoded", "origin": "http://127.0.0.1:3000"}
    assert ask("POST", "/sign-in", content=b"token=" + b"x" * 20_000, headers=form).status_code == 413


@pytest.mark.parametrize("path", ["/graphql%3Fx", "/graphql%2f", "/sign-in%3Fx", "/livez%00"])
def test_a_path_is_what_dagster_would_take_it_for(ask: Ask, path: str) -> None:
    assert ask("GET", path).status_code == 401
    assert ask("POST", path, json={"query": "{ a }"}, headers=OWN).status_code == 405


def test_without_a_secret_of_its_own_an_empty_one_opens_nothing() -> None:
    async def sending() -> httpx.Response:
        gate = guarded(dagster, Settings(api={"url": "http://127.0.0.1:1"}))
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(gate), base_url="http://127.0.0.1:3000"
        ) as client:
            return await client.get("/", headers={"authorization": "Bearer "})

    assert asyncio.run(sending()).status_code == 401
