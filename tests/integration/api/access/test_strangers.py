"""What the API does for those whom it does not know: little, and nothing that keeps others waiting."""

from __future__ import annotations

import gzip
import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from time import perf_counter
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import psycopg
import pytest

from tests.integration.api.access.conftest import TokenMaker, bearer, code
from tests.integration.api.access.test_every_endpoint import CALLS, OPEN, Call
from tests.integration.api.conftest import TOKEN, Server
from tests.integration.api.fleet import wait_until

WITH_BODY = [call for call in CALLS if call.method in ("post", "put", "patch", "delete")]
ORIGIN = "https://shop.example.com"
EVENT = {"user_id": "u", "event_type": "visit"}
ZEROS = gzip.compress(b'"' + b"0" * 1_000_000 + b'"')
OBJECTS = gzip.compress(b"[" + b"{}," * 349_000 + b"{}]")


def _told(api: httpx.Client, head: str, body: bytes = b"") -> bytes:
    """The first bytes of the answer to a head, after which nothing more is sent."""
    address = urlsplit(str(api.base_url))
    with socket.create_connection((address.hostname, address.port or 80), timeout=5) as connection:
        connection.sendall(head.encode() + b"host: x\r\n\r\n" + body)
        return connection.recv(65_536)


def _head(method: str, path: str, *fields: str, length: int = 500_000) -> str:
    lines = [
        f"{method.upper()} {path} HTTP/1.1",
        f"content-length: {length}",
        "content-type: application/json",
    ]
    return "\r\n".join([*lines, *fields, ""])


@pytest.mark.parametrize(
    "call", [call for call in WITH_BODY if (call.method, call.path) not in OPEN], ids=str
)
def test_nobody_is_told_so_before_a_byte_of_the_body(whole_api: httpx.Client, call: Call) -> None:
    path = call.path.replace("{", "").replace("}", "")

    assert _told(whole_api, _head(call.method, path)).startswith(b"HTTP/1.1 401 ")
    cookie = "cookie: neonblue_session=made-up"
    assert _told(whole_api, _head(call.method, path, cookie)).startswith(b"HTTP/1.1 401 ")


def test_a_token_without_the_scope_is_told_so_before_a_byte_of_the_body(
    whole_api: httpx.Client, make_token: TokenMaker
) -> None:
    secret = make_token("viewer")
    for method, path in (
        ("post", "/v1/experiments"),
        ("post", "/v1/tokens"),
        ("put", "/v1/users/u/attributes"),
    ):
        told = _told(whole_api, _head(method, path, f"authorization: Bearer {secret}"))
        assert told.startswith((b"HTTP/1.1 403 ", b"HTTP/1.1 404 ", b"HTTP/1.1 405 ")), (path, told)
    assert (
        _told(whole_api, _head("post", "/v1/experiments", f"authorization: Bearer {secret}"))[9:12] == b"403"
    )


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("post", "/nowhere", b"404"), ("put", "/v1/events", b"405"), ("post", "/docs", b"405")],
)
def test_what_is_no_call_is_answered_without_its_body(
    whole_api: httpx.Client, method: str, path: str, status: bytes
) -> None:
    assert _told(whole_api, _head(method, path))[9:12] == status


def test_a_log_in_has_a_small_body(whole_api: httpx.Client) -> None:
    assert _told(whole_api, _head("post", "/v1/session"))[9:12] == b"413"
    packed = whole_api.post("/v1/session", content=ZEROS, headers={"content-encoding": "gzip"})
    assert code(packed) == (413, "too_large")


def test_packed_bodies_of_strangers_keep_nobody_waiting(whole_api: httpx.Client) -> None:
    headers = {"content-type": "application/json", "content-encoding": "gzip"}

    def attack(_: int) -> int:
        with httpx.Client(base_url=whole_api.base_url, trust_env=False, timeout=30) as stranger:
            return stranger.post("/v1/experiments", content=OBJECTS, headers=headers).status_code

    started = perf_counter()
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(attack, range(80))) == {401}
    assert perf_counter() - started < 20  # unpacked and read, they took half a minute of the loop


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (gzip.compress(b"") * 50_000, "100 members"),
        (gzip.compress(b" ") * 101, "100 members"),
        (ZEROS, "200 times"),
        (OBJECTS, "200 times"),
        (gzip.compress(b"[]") + b"junk", "no valid gzip"),
        (gzip.compress(b"[1]")[:-4], "does not end"),
    ],
    ids=["empty members", "many members", "zeros", "objects", "trailing", "unfinished"],
)
def test_a_gzip_body_that_is_mostly_air_is_refused_by_its_rule(
    whole_api: httpx.Client, body: bytes, words: str
) -> None:
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    for path in ("/v1/events", "/v1/experiments"):
        answer = whole_api.post(path, content=body, headers=headers)
        assert code(answer) == (400, "invalid_gzip")
        assert words in answer.json()["detail"]


def test_an_honest_gzip_body_is_read_in_its_parts(whole_api: httpx.Client) -> None:
    events = [EVENT | {"user_id": f"u{uuid4()}", "properties": {"page": "/"}} for _ in range(900)]
    text = json.dumps(events).encode()
    parts = b"".join(gzip.compress(text[start : start + 20_000]) for start in range(0, len(text), 20_000))
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    for body in (gzip.compress(text), parts):
        answer = whole_api.post("/v1/events", content=body, headers=headers).json()
        assert answer["accepted"] == 900, answer["items"][0]


def test_a_body_of_countless_values_is_refused(whole_api: httpx.Client) -> None:
    for body in (
        b"[" + b"{}," * 300_000 + b"{}]",
        b"[" + b"1," * 400_000 + b"1]",
        b"[" + b"[[]]," * 100_000 + b"[]]",
    ):
        answer = whole_api.post("/v1/experiments", content=body, headers={"content-type": "application/json"})
        assert code(answer) == (413, "too_many_items")


@pytest.fixture
def own_api(start_api: Any) -> Iterator[httpx.Client]:
    """A process of its own, whose count of wrong tokens begins at nothing."""
    with start_api(wrong_tokens_per_minute="20", token_cache_seconds="0.2") as api:
        yield api


def _stranger(api: httpx.Client, number: int, **fields: str) -> httpx.Response:
    return api.get("/v1/experiments", headers=bearer(f"neonblue_sk_wrong-{number}") | fields)


def test_wrong_tokens_are_soon_told_to_wait_and_right_ones_go_on(
    own_api: httpx.Client, postgres: Server, make_token: TokenMaker
) -> None:
    before = make_token("viewer")  # made by another process
    assert own_api.get("/v1/experiments", headers=bearer(before)).status_code == 200

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: _stranger(own_api, n), range(200)))

    assert {answer.status_code for answer in answers} == {401, 429}
    assert sum(answer.status_code == 401 for answer in answers) <= 20
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.json()["code"] == "too_many_wrong_tokens"
    assert 1 <= int(refused.headers["retry-after"]) <= 60

    never_seen = bearer(make_token("viewer"))
    for headers in (bearer(TOKEN), bearer(before)):
        assert own_api.get("/v1/experiments", headers=headers).status_code == 200
    wait_until(
        lambda: own_api.get("/v1/experiments", headers=never_seen).status_code == 200, "the new token opens"
    )
    # An own token that was known and was forgotten meanwhile is no stranger's.
    assert _stranger(own_api, 1_000).status_code == 429
    made = own_api.post("/v1/tokens", json={"name": "new", "scopes": ["viewer"]}).json()
    assert own_api.get("/v1/experiments", headers=bearer(made["secret"])).status_code == 200
    own_api.delete(f"/v1/tokens/{made['id']}").raise_for_status()
    assert own_api.get("/v1/experiments", headers=bearer(before)).status_code == 200


def test_past_the_limit_wrong_tokens_cost_postgresql_nothing_each(
    own_api: httpx.Client, postgres: Server
) -> None:
    def looks() -> int:
        query = "SELECT coalesce(sum(idx_scan), 0) FROM pg_stat_user_indexes WHERE indexrelname LIKE %s"
        with psycopg.connect(postgres.dsn) as connection:
            connection.execute("SELECT pg_stat_force_next_flush()")
            row = connection.execute(query, ("%token_hash%",)).fetchone()
        return 0 if row is None else int(row[0])

    for number in range(40):
        _stranger(own_api, number)
    before = looks()
    for number in range(500):
        assert _stranger(own_api, 100 + number).status_code == 429
    assert looks() - before < 40


@pytest.mark.parametrize("proxies", ["", "192.0.2.0/24"])
def test_an_address_that_nobody_vouches_for_counts_for_nothing(start_api: Any, proxies: str) -> None:
    with start_api(wrong_tokens_per_minute="20", trusted_proxies=proxies) as api:
        answers = [
            api.post(
                "/v1/session",
                json={"token": f"neonblue_sk_wrong-{number}"},
                headers={"x-forwarded-for": f"198.51.100.{number}", "authorization": ""},
            )
            for number in range(60)
        ]
        assert sum(answer.status_code == 429 for answer in answers) >= 40
        made = api.post(
            "/v1/tokens", json={"name": "a", "scopes": ["viewer"]}, headers={"x-forwarded-for": "8.8.8.8"}
        ).json()
        entry = api.get("/v1/audit", params={"object_type": "token", "object_id": str(made["id"])}).json()
        assert entry["items"][0]["address"] == "127.0.0.1"


def test_each_wrong_log_in_counts(own_api: httpx.Client, make_token: TokenMaker) -> None:
    def log_in(token: str) -> int:
        return own_api.post("/v1/session", json={"token": token}, headers={"authorization": ""}).status_code

    assert [log_in("wrong") for _ in range(40)] == [401] * 20 + [429] * 20
    assert log_in(TOKEN) == 201


def test_a_trusted_proxys_clients_are_counted_each(start_api: Any) -> None:
    with start_api(wrong_tokens_per_minute="5", trusted_proxies="127.0.0.1") as api:
        numbers = count()

        def refused(*addresses: str) -> int:
            answers = [_stranger(api, next(numbers), **{"x-forwarded-for": address}) for address in addresses]
            return sum(answer.status_code == 429 for answer in answers)

        assert refused(*["198.51.100.1"] * 9) == 4
        assert refused(*[f"2001:db8:1:1::{n}" for n in range(1, 10)]) == 4  # one line's network
        assert refused("2001:db8:1:2::1", "198.51.100.2") == 0


def test_one_visitor_does_not_use_up_a_pages_token(start_api: Any) -> None:
    with start_api(visitor_limit_per_second="5", trusted_proxies="127.0.0.1") as api:
        made = api.post("/v1/tokens", json={"name": "page", "scopes": ["ingest"], "origins": [ORIGIN]}).json()
        page = bearer(made["secret"]) | {"origin": ORIGIN}

        def visit(address: str) -> httpx.Response:
            return api.post("/v1/events", json=EVENT, headers=page | {"x-forwarded-for": address})

        with ThreadPoolExecutor(8) as pool:
            greedy = list(pool.map(lambda _: visit("198.51.100.1"), range(60)))
        refused = [answer for answer in greedy if answer.status_code == 429]
        assert refused
        assert refused[0].headers["ratelimit-policy"] == '"visitor";q=5;w=1'
        assert visit("198.51.100.2").status_code == 200


def test_a_field_that_decides_is_sent_once(whole_api: httpx.Client) -> None:
    fields = [("authorization", "Bearer wrong"), ("authorization", f"Bearer {TOKEN}")]
    with httpx.Client(base_url=whole_api.base_url, trust_env=False, timeout=30) as client:
        for headers in (fields, fields[::-1]):
            answer = client.get("/v1/tokens", headers=headers)
            assert code(answer) == (400, "repeated_field")
