"""Every endpoint of the OpenAPI document asks for a token; a new one can't be forgotten."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from api.app import create_app
from api.edge.hot import HotCalls
from neonblue.settings import Settings
from tests.integration.api.access.conftest import TokenMaker, bearer, code
from tests.integration.api.fleet import wait_until

METHODS = ("get", "put", "post", "patch", "delete")
OPEN = {("get", "/healthz"), ("get", "/readyz"), ("post", "/v1/session")}
"""Calls that nobody needs a token for."""
UNDOCUMENTED = {
    "/", "/metrics", "/openapi.json", "/docs", "/docs/{name}", "/assets/{name}", "/favicon.ico", "/favicon.svg",
    "/login", "/logout", "/experiments", "/experiments/{key}", "/experiments/{key}/live",
    "/experiments/{key}/traffic",
    "/new-experiment", "/experiments/{key}/edit",
    "/users", "/users/{user_id}", "/exports/{user_id}", "/erasures/of/{user_id}", "/erasures/{erasure_id}",
    "/pipeline", "/pipeline/letters", "/pipeline/replay", "/catalogue", "/catalogue/{key}", "/layers", "/layers/{key}",
    "/holdouts/{key}", "/audit", "/tokens", "/tokens/new", "/tokens/{token_id}/revocation",
}  # fmt: skip
"""Routes outside the document: pages. The first line, and the log-in and out, show no data of experiments or people;
the others are tried by `test_pages`, `test_editing_pages`, `test_experiment_controls`, `test_live_streams`,
`test_person_pages` and `test_catalogue_pages`."""
SCOPES = ("admin", "editor", "viewer", "ingest", "assign")
ENOUGH = {
    "admin": {"admin"},
    "editor": {"admin", "editor"},
    "viewer": {"admin", "editor", "viewer"},
    "ingest": {"admin", "ingest"},
    "assign": {"admin", "assign"},
}


@dataclass(frozen=True)
class Call:
    method: str
    path: str
    scopes: tuple[str, ...]
    people: bool

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def send(self, api: httpx.Client, headers: dict[str, str]) -> httpx.Response:
        """With an address that exists nowhere, so that nothing is changed by a call that gets through."""
        path = re.sub(r"\{[^}]+\}", "2147483000", self.path)
        body = {"json": {"surely": "unknown"}} if self.method in ("put", "post", "patch") else {}
        return api.request(self.method.upper(), path, headers=headers, **body)  # type: ignore[arg-type]


def _application() -> Any:
    app: Any = create_app(Settings()).asgi
    while not hasattr(app, "openapi"):
        app = app._rest if isinstance(app, HotCalls) else app.app
    return app


def _calls() -> Iterator[Call]:
    for path, item in _application().openapi()["paths"].items():
        for method in METHODS:
            if method in item:
                security = item[method].get("security", [])
                scopes = {tuple(names) for way in security for names in way.values()}
                people = any("APIKeyCookie" in way for way in security)
                assert len(scopes) <= 1, f"{method} {path} asks for different scopes in different ways"
                yield Call(method, path, next(iter(scopes), ()), people)


CALLS = list(_calls())
GUARDED = [call for call in CALLS if (call.method, call.path) not in OPEN]
SCOPED = [call for call in GUARDED if call.scopes]
guarded = pytest.mark.parametrize("call", GUARDED, ids=str)
scoped = pytest.mark.parametrize("call", SCOPED, ids=str)


def test_every_route_is_in_the_document() -> None:
    routes = set(_paths(_application().routes))
    assert routes - UNDOCUMENTED == {call.path for call in CALLS}


def _paths(routes: Any) -> Iterator[str]:
    for route in routes:
        inner = getattr(route, "routes", None) or getattr(
            getattr(route, "original_router", None), "routes", None
        )
        if inner:
            yield from _paths(inner)
        else:
            yield getattr(route, "path_format", route.path)


def test_every_call_but_the_open_ones_names_the_scope_it_needs() -> None:
    unnamed = {(call.method, call.path) for call in CALLS if not call.scopes}
    assert unnamed == OPEN | {
        ("get", "/v1/session"),
        ("get", "/v1/session/caller"),
        ("delete", "/v1/session"),
    }
    assert all(len(call.scopes) == 1 and call.scopes[0] in SCOPES for call in SCOPED)


@guarded
def test_without_a_token_nothing_opens(whole_api: httpx.Client, call: Call) -> None:
    for header in ("", "Bearer", "Basic dTpw", "Bearer " + "x" * 600):
        assert code(call.send(whole_api, {"authorization": header})) == (401, "missing_token")
    assert code(call.send(whole_api, bearer("neonblue_sk_unknown"))) == (401, "invalid_token")


@guarded
def test_a_made_up_session_opens_nothing(whole_api: httpx.Client, call: Call) -> None:
    """Without the header that the client would send by itself."""
    path = re.sub(r"\{[^}]+\}", "2147483000", call.path)
    with httpx.Client(base_url=whole_api.base_url, trust_env=False, timeout=30) as anonymous:
        assert anonymous.request(call.method.upper(), path).status_code == 401
        anonymous.cookies.set("neonblue_session", "made-up")
        answer = anonymous.request(call.method.upper(), path)
    assert code(answer) in ((401, "invalid_session"), (401, "missing_token"))
    assert call.people == (set(call.scopes) <= {"admin", "editor", "viewer"})


@pytest.fixture(scope="module")
def dead_tokens(whole_api: httpx.Client) -> dict[str, str]:
    """An administrator's token that has expired, and one that was revoked."""

    def make(**fields: Any) -> Any:
        body = {"name": "dead", "scopes": ["admin"]} | fields
        return whole_api.post("/v1/tokens", json=body).raise_for_status().json()

    revoked = make()
    whole_api.delete(f"/v1/tokens/{revoked['id']}").raise_for_status()
    soon = datetime.now(UTC) + timedelta(seconds=0.5)
    expired = make(expires_at=soon.isoformat())
    wait_until(lambda: datetime.now(UTC) > soon, "the token has expired")
    return {"expired_token": expired["secret"], "invalid_token": revoked["secret"]}


@guarded
@pytest.mark.parametrize("reason", ["expired_token", "invalid_token"])
def test_an_expired_or_revoked_token_opens_nothing(
    whole_api: httpx.Client, dead_tokens: dict[str, str], call: Call, reason: str
) -> None:
    assert code(call.send(whole_api, bearer(dead_tokens[reason]))) == (401, reason)


@pytest.fixture(scope="module")
def tokens(whole_api: httpx.Client) -> dict[str, str]:
    """One token of each scope."""
    return {
        scope: whole_api.post("/v1/tokens", json={"name": scope, "scopes": [scope]}).json()["secret"]
        for scope in SCOPES
    }


@scoped
@pytest.mark.parametrize("scope", SCOPES)
def test_a_token_opens_exactly_what_its_scope_says(
    whole_api: httpx.Client, tokens: dict[str, str], call: Call, scope: str
) -> None:
    answer = call.send(whole_api, bearer(tokens[scope]))
    if scope in ENOUGH[call.scopes[0]]:
        assert answer.status_code not in (401, 403), answer.text
        assert answer.status_code < 500 or code(answer) == (503, "clickhouse_unavailable"), answer.text
    else:
        assert code(answer) == (403, "insufficient_scope")


@scoped
def test_a_publishable_token_opens_nothing_from_elsewhere(
    whole_api: httpx.Client, make_token: TokenMaker, call: Call
) -> None:
    secret = make_token("ingest", "assign", origins=["https://shop.example.com"])
    answer = call.send(whole_api, bearer(secret) | {"origin": "https://evil.example.com"})
    assert code(answer)[0] == 403
