"""Sessions of people: opened by a token, ended by time, by log-out and with their token."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Any

import httpx
import pytest
import redis

from tests.integration.api.access.conftest import Cache, TokenMaker, bearer, code
from tests.integration.api.fleet import wait_until

BODY = {"name": "by a person", "scopes": ["viewer"]}


@contextmanager
def browser(api: httpx.Client) -> Iterator[httpx.Client]:
    """A client with no token of its own."""
    with httpx.Client(base_url=api.base_url, trust_env=False, timeout=30) as client:
        yield client


def log_in(client: httpx.Client, secret: str) -> httpx.Response:
    """Waits where others log in from this address at the same time."""
    answers: list[httpx.Response] = []

    def admitted() -> bool:
        answers.append(client.post("/v1/session", json={"token": secret}))
        return answers[-1].status_code != 429

    wait_until(admitted, "the log-in is admitted")
    return answers[-1]


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(
    whole_api: httpx.Client, make_token: TokenMaker
) -> None:
    with browser(whole_api) as client:
        answer = log_in(client, make_token("viewer"))
    attributes = {part.strip().lower() for part in answer.headers["set-cookie"].split(";")[1:]}
    assert {"httponly", "samesite=lax", "path=/"} <= attributes


def test_a_session_opens_what_its_token_does(whole_api: httpx.Client, make_token: TokenMaker) -> None:
    with browser(whole_api) as client:
        log_in(client, make_token("viewer"))
        assert client.get("/v1/experiments").status_code == 200
        assert code(client.get("/v1/tokens")) == (403, "insufficient_scope")
        assert client.get("/v1/session").json()["scopes"] == ["viewer"]


def test_a_token_and_its_session_are_the_same_caller(whole_api: httpx.Client, make_token: TokenMaker) -> None:
    secret = make_token("editor")
    with browser(whole_api) as client:
        by_token = client.get("/v1/session/caller", headers=bearer(secret))
        log_in(client, secret)
        by_session = client.get("/v1/session/caller")

    assert by_token.json() == by_session.json() == {"name": "test", "scopes": ["editor", "viewer"]}


def test_a_change_needs_the_csrf_token(whole_api: httpx.Client, make_token: TokenMaker) -> None:
    with browser(whole_api) as client:
        csrf = log_in(client, make_token("admin")).json()["csrf_token"]
        for wrong in ({}, {"x-csrf-token": "wrong"}, {"x-csrf-token": ""}):
            assert code(client.post("/v1/tokens", json=BODY, headers=wrong)) == (403, "csrf")
        answer = client.post("/v1/tokens", json=BODY, headers={"x-csrf-token": csrf})
        assert answer.status_code == 201
        assert client.get("/v1/session").json()["csrf_token"] == csrf


def test_a_session_neither_ingests_nor_assigns(whole_api: httpx.Client, make_token: TokenMaker) -> None:
    with browser(whole_api) as client:
        csrf = {"x-csrf-token": log_in(client, make_token("admin")).json()["csrf_token"]}
        event = {"user_id": "u", "event_type": "visit"}
        assert code(client.post("/v1/events", json=event, headers=csrf)) == (401, "missing_token")


@pytest.mark.parametrize("scopes", [("ingest",), ("assign",), ("ingest", "assign")])
def test_tokens_for_programs_do_not_log_in(
    whole_api: httpx.Client, make_token: TokenMaker, scopes: tuple[str, ...]
) -> None:
    for fields in ({}, {"origins": ["https://a.example"]}):
        answer = log_in(whole_api, make_token(*scopes, **fields))
        assert code(answer) == (403, "insufficient_scope")


def test_an_unknown_token_does_not_log_in(whole_api: httpx.Client) -> None:
    answer = log_in(whole_api, "neonblue_sk_unknown")
    assert code(answer) == (401, "invalid_token")
    assert "set-cookie" not in answer.headers


def test_who_logs_out_is_out(whole_api: httpx.Client, make_token: TokenMaker) -> None:
    with browser(whole_api) as client:
        csrf = log_in(client, make_token("viewer")).json()["csrf_token"]
        cookie = client.cookies["neonblue_session"]
        assert code(client.delete("/v1/session")) == (403, "csrf")
        assert client.delete("/v1/session", headers={"x-csrf-token": csrf}).status_code == 204
        client.cookies.set("neonblue_session", cookie)
        assert code(client.get("/v1/experiments")) == (401, "invalid_session")


def test_a_session_ends_with_its_token(whole_api: httpx.Client) -> None:
    made = whole_api.post("/v1/tokens", json=BODY).json()
    with browser(whole_api) as client:
        log_in(client, made["secret"])
        whole_api.delete(f"/v1/tokens/{made['id']}").raise_for_status()
        assert code(client.get("/v1/experiments")) == (401, "invalid_token")


def test_a_session_that_is_not_used_ends(start_api: Any, valkey: Cache) -> None:
    with (
        start_api(session_idle_seconds="1") as api,
        browser(api) as client,
        redis.Redis.from_url(valkey.url) as store,
    ):
        log_in(client, _secret(api))
        assert client.get("/v1/session").status_code == 200
        name = sha256(client.cookies["neonblue_session"].encode()).hexdigest()
        wait_until(lambda: not store.exists(f"neonblue:session:{name}"), "the session has ended")
        assert code(client.get("/v1/session")) == (401, "invalid_session")


def test_a_session_ends_however_much_it_is_used(start_api: Any) -> None:
    with start_api(session_absolute_seconds="2", session_idle_seconds="60") as api, browser(api) as client:
        log_in(client, _secret(api))
        cookie = {"cookie": f"neonblue_session={client.cookies['neonblue_session']}"}
        assert client.get("/v1/session", headers=cookie).status_code == 200
        wait_until(
            lambda: client.get("/v1/session", headers=cookie).status_code == 401, "the session has ended"
        )


def test_neither_cookie_nor_token_are_readable_in_valkey(
    whole_api: httpx.Client, make_token: TokenMaker, valkey: Cache
) -> None:
    secret = make_token("viewer")
    with browser(whole_api) as client, redis.Redis.from_url(valkey.url) as store:
        log_in(client, secret)
        cookie = client.cookies["neonblue_session"].encode()
        for key in store.keys("neonblue:session:*"):
            assert cookie not in key
            value = store.get(key)
            assert isinstance(value, bytes)
            assert cookie not in value
            assert secret.encode() not in value


def test_without_valkey_sessions_wait_and_tokens_work_on(start_api: Any, valkey: Cache) -> None:
    with start_api() as api, browser(api) as client:
        log_in(client, _secret(api))
        valkey.stop()
        try:
            answer = client.get("/v1/experiments")
            assert code(answer) == (503, "sessions_unavailable")
            assert int(answer.headers["retry-after"]) >= 1
            assert api.get("/v1/experiments", headers=bearer(_secret(api))).status_code == 200
        finally:
            valkey.start()


def _secret(api: httpx.Client) -> str:
    secret: str = api.headers["authorization"].removeprefix("Bearer ")
    return secret
