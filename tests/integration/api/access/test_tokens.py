"""Tokens: shown once, kept as hashes, bound to origins, revoked for good."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.integration.api.access.conftest import TokenMaker, bearer, code
from tests.integration.api.conftest import TOKEN, Server
from tests.integration.api.fleet import wait_until
from tests.integration.api.test_durability import query

EVENT = {"user_id": "u", "event_type": "visit"}


def _create(api: httpx.Client, **fields: Any) -> httpx.Response:
    return api.post("/v1/tokens", json={"name": "test", "scopes": ["viewer"]} | fields)


def test_a_secret_is_shown_once_and_kept_as_a_hash(whole_api: httpx.Client, postgres: Server) -> None:
    made = _create(whole_api).json()
    secret = made.pop("secret")
    assert secret.startswith("neonblue_sk_")
    assert secret.startswith(made["hint"])
    stored = query(
        postgres, "SELECT to_jsonb(t)::text, token_hash FROM api_tokens AS t WHERE id = %s", made["id"]
    )
    assert secret not in stored[0][0]
    assert bytes(stored[0][1]) == hashlib.sha256(secret.encode()).digest()
    assert secret not in whole_api.get(f"/v1/tokens/{made['id']}").text
    assert query(postgres, "SELECT 1 FROM audit_log WHERE after::text LIKE %s", f"%{secret}%") == []


def test_a_token_opens_what_its_scopes_say(whole_api: httpx.Client, make_token: TokenMaker) -> None:
    viewer = bearer(make_token("viewer"))
    assert whole_api.get("/v1/experiments", headers=viewer).status_code == 200
    assert code(whole_api.get("/v1/tokens", headers=viewer)) == (403, "insufficient_scope")
    assert code(whole_api.post("/v1/events", json=EVENT, headers=viewer)) == (403, "insufficient_scope")


def test_a_revoked_token_opens_nothing_from_the_answer_on(whole_api: httpx.Client) -> None:
    made = _create(whole_api).json()
    headers = bearer(made["secret"])
    assert whole_api.get("/v1/experiments", headers=headers).status_code == 200
    for _ in range(2):
        assert whole_api.delete(f"/v1/tokens/{made['id']}").status_code == 204
        assert code(whole_api.get("/v1/experiments", headers=headers)) == (401, "invalid_token")
    assert whole_api.get(f"/v1/tokens/{made['id']}").json()["revoked_at"] is not None


def test_a_token_opens_nothing_once_it_has_expired(whole_api: httpx.Client, make_token: TokenMaker) -> None:
    headers = bearer(make_token("viewer", expires_at=(datetime.now(UTC) + timedelta(seconds=1)).isoformat()))
    wait_until(
        lambda: whole_api.get("/v1/experiments", headers=headers).status_code == 401, "the token is refused"
    )
    assert code(whole_api.get("/v1/experiments", headers=headers)) == (401, "expired_token")


def test_the_last_use_is_recorded(whole_api: httpx.Client) -> None:
    made = _create(whole_api).json()
    address = f"/v1/tokens/{made['id']}"
    assert whole_api.get(address).json()["last_used_at"] is None
    whole_api.get("/v1/experiments", headers=bearer(made["secret"]))
    assert whole_api.get(address).json()["last_used_at"] is not None


def test_a_publishable_token_works_from_its_web_origins_only(
    whole_api: httpx.Client, make_token: TokenMaker
) -> None:
    secret = make_token("ingest", "assign", origins=["https://shop.example.com"])
    assert secret.startswith("neonblue_pk_")

    def send(origin: str | None) -> httpx.Response:
        headers = bearer(secret) | ({} if origin is None else {"origin": origin})
        return whole_api.post("/v1/events", json=EVENT, headers=headers)

    assert send("https://shop.example.com").status_code == 200
    for origin in (None, "https://evil.example.com", "http://shop.example.com", "null"):
        assert code(send(origin)) == (403, "origin_not_allowed")


@pytest.mark.parametrize(
    "fields",
    [
        {"scopes": ["viewer"], "origins": ["https://a.example"]},
        {"scopes": ["ingest", "admin"], "origins": ["https://a.example"]},
        {"scopes": []},
        {"scopes": ["ingest", "ingest"]},
        {"scopes": ["root"]},
        {"scopes": ["ingest"], "origins": []},
        {"scopes": ["ingest"], "origins": ["https://a.example/path"]},
        {"scopes": ["ingest"], "origins": ["*"]},
        {"name": ""},
        {"name": "   "},
        {"expires_at": "2020-01-01T00:00:00Z"},
        {"expires_at": "9999-12-31T23:59:59-14:00"},
        {"expires_at": "0001-01-01T00:00:00+14:00"},
        {"expires_at": "2027-01-01T00:00:00"},
        {"rate_limit": 0},
        {"rate_limit": True},
        {"rate_limit": 2**63},
        {"colour": "red"},
    ],
    ids=repr,
)
def test_a_token_that_breaks_a_rule_is_not_made(whole_api: httpx.Client, fields: dict[str, Any]) -> None:
    answer = _create(whole_api, **fields)
    assert code(answer)[0] == 422
    assert answer.json()["errors"]


def test_the_last_administrator_stays(whole_api: httpx.Client, postgres: Server) -> None:
    """Someone must be able to make the next token."""
    digest = hashlib.sha256(TOKEN.encode()).digest()
    (number,) = query(postgres, "SELECT id FROM api_tokens WHERE token_hash = %s", digest)[0]
    others = [
        token["id"] for token in _all(whole_api) if "admin" in token["scopes"] and token["id"] != number
    ]
    for other in others:
        whole_api.delete(f"/v1/tokens/{other}").raise_for_status()
    assert code(whole_api.delete(f"/v1/tokens/{number}")) == (409, "last_administrator")


def test_pages_hold_every_token_once_newest_first(whole_api: httpx.Client, make_token: TokenMaker) -> None:
    for _ in range(5):
        make_token("viewer")
    numbers = [token["id"] for token in _all(whole_api, limit=2)]
    assert numbers == sorted(set(numbers), reverse=True)
    assert numbers == [token["id"] for token in _all(whole_api)]
    assert code(whole_api.get("/v1/tokens", params={"cursor": "nonsense"})) == (422, "invalid_cursor")


def _all(api: httpx.Client, limit: int = 200) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = api.get("/v1/tokens", params={"limit": limit} | ({"cursor": cursor} if cursor else {})).json()
        found += page["items"]
        cursor = page["next_cursor"]
    return found
