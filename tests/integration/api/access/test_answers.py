"""What every answer has: headers, compression, and a problem where something is refused."""

from __future__ import annotations

from typing import Any

import httpx
import psycopg
import pytest

from tests.integration.api.access.conftest import TokenMaker, code
from tests.integration.api.conftest import Server

EVENT = {"user_id": "u", "event_type": "visit"}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/experiments"),
        ("GET", "/v1/nothing"),
        ("GET", "/nothing"),
        ("PATCH", "/v1/tokens"),
        ("POST", "/v1/tokens"),
        ("GET", "/healthz"),
        ("POST", "/v1/events"),
        ("GET", "/docs"),
    ],
)
def test_every_answer_says_how_a_browser_is_to_treat_it(
    whole_api: httpx.Client, method: str, path: str
) -> None:
    answer = whole_api.request(method, path)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-request-id"]
    if path != "/v1/events":
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["referrer-policy"] == "no-referrer"
    if path.startswith("/v1"):
        assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/nothing", (404, "not_found")),
        ("GET", "/v1/nothing", (404, "not_found")),
        ("DELETE", "/v1/experiments", (405, "method_not_allowed")),
        ("GET", "/v1/events", (405, "method_not_allowed")),
        ("PUT", "/v1/session", (405, "method_not_allowed")),
        ("GET", "/v1/tokens/0", (422, "value_out_of_range")),
        ("GET", "/v1/tokens/99999999999999999999", (422, "value_out_of_range")),
        ("GET", "/v1/tokens/x", (422, "invalid")),
        ("GET", "/v1/tokens/2147483647", (404, "not_found")),
        ("GET", "/v1/tokens?limit=0", (422, "value_out_of_range")),
        ("GET", "/v1/experiments/%00", (400, "nul_character")),
    ],
)
def test_every_refusal_is_a_problem(
    whole_api: httpx.Client, method: str, path: str, expected: tuple[int, str]
) -> None:
    answer = whole_api.request(method, path)
    assert code(answer) == expected
    if answer.status_code == 405:
        assert answer.headers["allow"]


def test_a_request_id_is_kept_and_a_strange_one_is_replaced(whole_api: httpx.Client) -> None:
    for path in ("/v1/experiments", "/v1/nothing"):
        assert whole_api.get(path, headers={"x-request-id": "mine.1"}).headers["x-request-id"] == "mine.1"
        assert whole_api.get(path, headers={"x-request-id": "a b"}).headers["x-request-id"] != "a b"


def test_a_long_answer_is_packed_where_that_is_accepted(
    whole_api: httpx.Client, make_token: TokenMaker
) -> None:
    for _ in range(10):
        make_token("viewer")
    packed = whole_api.get("/v1/tokens", headers={"accept-encoding": "gzip"})
    plain = whole_api.get("/v1/tokens", headers={"accept-encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.json() == plain.json()


def test_without_the_setting_or_a_token_no_other_origin_is_let_in(whole_api: httpx.Client) -> None:
    answer = whole_api.get("/v1/experiments", headers={"origin": "https://nobody.example.com"})
    assert "access-control-allow-origin" not in answer.headers


def test_the_setting_lets_pages_of_its_origins_in(start_api: Any) -> None:
    with start_api(cors_origins="https://shop.example.com, https://app.example.com") as api:
        asked = {
            "origin": "https://shop.example.com",
            "access-control-request-method": "POST",
            "access-control-request-headers": "authorization,content-type,idempotency-key",
        }
        allowed = api.options("/v1/events", headers=asked)
        assert allowed.status_code == 200
        assert allowed.headers["access-control-allow-origin"] == asked["origin"]
        refused = api.options("/v1/events", headers=asked | {"origin": "https://evil.example.com"})
        assert "access-control-allow-origin" not in refused.headers
        for path in ("/v1/events", "/v1/tokens"):
            answer = api.post(path, json=EVENT, headers={"origin": "https://app.example.com"})
            assert answer.headers["access-control-allow-origin"] == "https://app.example.com"
            assert "access-control-allow-credentials" not in answer.headers


def test_what_nobody_foresaw_is_a_problem_that_names_its_request(start_api: Any, postgres: Server) -> None:
    """A table that is gone stands for any defect."""
    with start_api() as api, psycopg.connect(postgres.dsn, autocommit=True) as connection:
        connection.execute("ALTER TABLE audit_log RENAME TO audit_log_away")
        try:
            answer = api.get("/v1/audit")
        finally:
            connection.execute("ALTER TABLE audit_log_away RENAME TO audit_log")
        assert code(answer) == (500, "internal")
        assert "audit_log" not in answer.text
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_document_describes_each_call(whole_api: httpx.Client) -> None:
    document = whole_api.get("/openapi.json").json()
    for path, item in document["paths"].items():
        for method, operation in item.items():
            place = f"{method} {path}"
            assert operation["summary"], place
            assert operation.get("description"), place
            assert operation["tags"], place
            for status, answer in operation["responses"].items():
                if status.startswith(("4", "5")) and path.startswith("/v1"):
                    assert "application/problem+json" in answer["content"], f"{place} {status}"
            body = operation.get("requestBody")
            if body is not None:
                assert _has_example(document, body["content"]["application/json"]), place
    names = [operation["operationId"] for item in document["paths"].values() for operation in item.values()]
    assert len(names) == len(set(names))


def _has_example(document: dict[str, Any], content: dict[str, Any]) -> bool:
    if content.get("examples") or content.get("example"):
        return True
    choices = [content["schema"], *content["schema"].get("anyOf", [])]
    names = [choice["$ref"].rpartition("/")[2] for choice in choices if "$ref" in choice]
    return any(document["components"]["schemas"][name].get("examples") for name in names)
