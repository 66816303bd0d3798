"""What a request may be: sizes, encodings, tokens, keys that make it repeatable, and a stream that is behind."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from neonblue.contract.identifiers import uuid7
from neonblue.contract.limits import REQUEST_BYTES
from tests.integration.api.conftest import Server
from tests.integration.api.fleet import running_api, running_process, wait_until
from tests.integration.api.test_durability import event, query, started

JSON = {"content-type": "application/json"}
ONE = b'{"user_id":"u","event_type":"visit"}'


def code(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert document["status"] == answer.status_code
    assert document["request_id"] == answer.headers["x-request-id"]
    return answer.status_code, document["code"]


def test_a_gzipped_body_is_read(api: httpx.Client) -> None:
    headers = JSON | {"content-encoding": "gzip"}
    answer = api.post("/v1/events", content=gzip.compress(ONE), headers=headers)
    assert answer.json()["accepted"] == 1


@pytest.mark.parametrize("path", ["/v1/events", "/v1/assignments", "/v1/experiments"])
@pytest.mark.parametrize(
    ("content", "headers", "expected"),
    [
        (gzip.compress(b" " * 200 * REQUEST_BYTES), {"content-encoding": "gzip"}, (413, "too_large")),
        (gzip.compress(ONE)[:-9], {"content-encoding": "gzip"}, (400, "invalid_gzip")),
        (b"no gzip", {"content-encoding": "gzip"}, (400, "invalid_gzip")),
        (ONE, {"content-encoding": "br"}, (415, "unsupported_encoding")),
        (b" " * (REQUEST_BYTES + 1), {}, (413, "too_large")),
    ],
    ids=["bomb", "cut", "no gzip", "brotli", "large"],
)
def test_a_body_beyond_the_rules_is_refused(
    api: httpx.Client, path: str, content: bytes, headers: dict[str, str], expected: tuple[int, str]
) -> None:
    assert code(api.post(path, content=content, headers=JSON | headers)) == expected


def test_other_types_and_methods_are_refused(api: httpx.Client) -> None:
    assert code(api.post("/v1/events", content=ONE, headers={"content-type": "text/csv"}))[0] == 415
    lines = {"content-type": "application/x-ndjson"}
    assert code(api.post("/v1/assignments", content=ONE, headers=lines))[0] == 415
    assert code(api.get("/v1/events")) == (405, "method_not_allowed")
    assert code(api.get("/v1/nothing")) == (404, "not_found")


BAD_EXPERIMENTS: dict[str, tuple[Any, str]] = {
    "no control": ({"variants": [{"key": "a"}, {"key": "b"}]}, "variants"),
    "two controls": ({"variants": [{"key": k, "is_control": True} for k in "ab"]}, "variants"),
    "one variant": ({"variants": [{"key": "a", "is_control": True}]}, "variants"),
    "same keys": ({"variants": [{"key": "a", "is_control": True}, {"key": "a"}]}, "variants"),
    "weight zero": ({"variants": [{"key": "a", "is_control": True, "weight": 0}, {"key": "b"}]}, "weight"),
    "weight a float": ({"variants": [{"key": "a", "is_control": True, "weight": 1.5}, {"key": "b"}]}, "weight"),
    "weight past 64 bits": ({"variants": [{"key": "a", "weight": 2**70}, {"key": "b"}]}, "weight"),
    "allocation too large": ({"allocation": 10_001}, "allocation"),
    "unknown field": ({"colour": "red"}, "colour"),
    "forbidden character in the key": ({"key": "a b/c"}, "key"),
    "nul in the name": ({"name": "a\x00"}, "name"),
    "lone surrogate in the name": ({"name": "\ud800"}, "name"),
    "nul in a payload": (
        {"variants": [{"key": "a", "is_control": True, "payload": {"x": "\x00"}}, {"key": "b"}]}, "payload",
    ),
    "colon in the salt": ({"salt": "a:b"}, "salt"),
    "metric that can't be computed": (
        {"metrics": [{"key": "m", "type": "proportion", "event_type": "e", "aggregation": "sum"}]}, "metrics",
    ),
    "metric cap negative": (
        {"metrics": [{"key": "m", "type": "mean", "event_type": "e", "aggregation": "sum", "cap": "-1"}]}, "cap",
    ),
    "not an object": ([], ""),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_EXPERIMENTS)
def test_a_bad_experiment_is_refused_with_field_and_rule(api: httpx.Client, name: str) -> None:
    changes, field = BAD_EXPERIMENTS[name]
    good = {"key": f"bad-{uuid4()}", "variants": [{"key": "a", "is_control": True}, {"key": "b"}]}
    body = good | changes if isinstance(changes, dict) else changes
    answer = api.post("/v1/experiments", content=json.dumps(body), headers=JSON)
    assert code(answer)[0] == 422
    errors = answer.json()["errors"]
    assert any(field in (error["field"] or "") or field in error["message"] for error in errors), errors


def test_a_key_named_twice_in_an_experiment_is_refused(api: httpx.Client) -> None:
    answer = api.post("/v1/experiments", content=b'{"key":"a","key":"b","variants":[]}', headers=JSON)
    assert code(answer) == (400, "duplicate_key")
    deep = b'{"a":' * 100_000 + b"1" + b"}" * 100_000
    assert code(api.post("/v1/experiments", content=deep, headers=JSON)) == (400, "too_deep")


def test_a_taken_key_is_a_conflict(api: httpx.Client) -> None:
    key = started(api)
    variants = [{"key": "a", "is_control": True}, {"key": "b"}]
    assert code(api.post("/v1/experiments", json={"key": key, "variants": variants})) == (
        409,
        "experiment_exists",
    )


def test_pages_hold_every_experiment_once(api: httpx.Client) -> None:
    made = {started(api) for _ in range(5)}
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = api.get("/v1/experiments", params={"limit": 2} | ({"cursor": cursor} if cursor else {})).json()
        seen += [item["key"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen))
    assert made <= set(seen)


@pytest.fixture
def token(postgres: Server) -> Any:
    def make(scopes: str, **columns: str) -> dict[str, str]:
        secret = uuid4().hex
        names = "".join(f", {name}" for name in columns)
        values = "".join(f", {value}" for value in columns.values())
        query(
            postgres,
            f"INSERT INTO api_tokens (name, token_hash, scopes{names}) VALUES ('test', %s, %s{values})",
            hashlib.sha256(secret.encode()).digest(),
            [scopes],
        )
        return {"authorization": f"Bearer {secret}"}

    return make


def test_a_token_opens_what_its_scope_says(api: httpx.Client, token: Any) -> None:
    ingest, assign, viewer, editor = (token(scope) for scope in ("ingest", "assign", "viewer", "editor"))
    calls = {
        "ingest": lambda h: api.post("/v1/events", content=ONE, headers=JSON | h).status_code,
        "assign": lambda h: api.post("/v1/assignments", content=b"{}", headers=JSON | h).status_code,
        "view": lambda h: api.get("/v1/experiments", headers=h).status_code,
        "edit": lambda h: api.post("/v1/experiments/none/start", headers=h).status_code,
    }
    allowed = [(ingest, {"ingest"}), (assign, {"assign"}), (viewer, {"view"}), (editor, {"view", "edit"})]
    for headers, open_calls in allowed:
        assert {name for name, call in calls.items() if call(headers) != 403} == open_calls


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"expires_at": "now() - interval '1 second'"}, "expired_token"),
        ({"revoked_at": "now()"}, "invalid_token"),
    ],
)
def test_an_expired_or_revoked_token_opens_nothing(
    api: httpx.Client, token: Any, columns: dict[str, str], expected: str
) -> None:
    answer = api.get("/v1/experiments", headers=token("admin", **columns))
    assert code(answer) == (401, expected)
    assert "Bearer" in answer.headers["www-authenticate"]


def test_a_revocation_is_seen_within_seconds(api: httpx.Client, postgres: Server, token: Any) -> None:
    headers = token("ingest")
    assert api.post("/v1/events", content=ONE, headers=JSON | headers).status_code == 200
    digest = hashlib.sha256(headers["authorization"].removeprefix("Bearer ").encode()).digest()
    query(postgres, "UPDATE api_tokens SET revoked_at = now() WHERE token_hash = %s", digest)
    wait_until(
        lambda: api.post("/v1/events", content=ONE, headers=JSON | headers).status_code == 401,
        "the token is refused",
    )


def test_a_repeated_request_with_a_key_is_the_same_request(api: httpx.Client, postgres: Server) -> None:
    user, key = f"key-{uuid4()}", {"idempotency-key": str(uuid4())}
    body = [
        {"user_id": user, "event_type": "visit"},
        {"user_id": user},
        {"user_id": user, "event_type": "buy"},
    ]
    with ThreadPoolExecutor(8) as threads:
        found = [
            future.result().json()
            for future in [threads.submit(api.post, "/v1/events", json=body, headers=key) for _ in range(12)]
        ]
    assert all(answer == found[0] for answer in found)
    assert (found[0]["accepted"], found[0]["rejected"]) == (2, 1)
    assert query(postgres, "SELECT count(*) FROM events WHERE user_id = %s", user) == [(2,)]
    other = api.post("/v1/events", json=body[:1], headers=key)
    assert code(other) == (422, "idempotency_key_reused")


def test_a_stream_that_is_behind_or_lost_its_slot_is_a_429_until_it_caught_up(
    postgres: Server, tmp_path_factory: pytest.TempPathFactory
) -> None:
    query(postgres, "SELECT pg_create_logical_replication_slot('neonblue_outbox', 'pgoutput')")
    try:
        folder = tmp_path_factory.mktemp("behind")
        with running_api(postgres, folder, max_pipeline_lag_bytes=str(REQUEST_BYTES)) as api:
            assert api.get("/readyz").json()["components"]["replication_slot"] == "ok"
            large = [event("u", properties={"x": "x" * 50_000}) for _ in range(15)]

            def refused() -> bool:
                answer = api.post("/v1/events", json=[e | {"id": uuid7()} for e in large])
                return answer.status_code == 429 and int(answer.headers["retry-after"]) >= 1

            wait_until(refused, "the API says 429")
            query(postgres, "SELECT pg_drop_replication_slot('neonblue_outbox')")
            wait_until(
                lambda: api.get("/readyz").json()["components"]["replication_slot"] == "missing",
                "the API sees that the slot is gone",
            )
            assert api.post("/v1/events", json=[event("u")]).status_code == 429
            query(postgres, "SELECT pg_create_logical_replication_slot('neonblue_outbox', 'pgoutput')")
            wait_until(lambda: api.post("/v1/events", json=[event("u")]).status_code == 200, "ingest goes on")
    finally:
        with psycopg.connect(postgres.dsn, autocommit=True) as connection:
            connection.execute("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots")


def test_an_ending_api_stores_all_that_it_acknowledges_here_with_a_row_for_each_event(
    postgres: Server, tmp_path_factory: pytest.TempPathFactory
) -> None:
    user = f"ending-{uuid4()}"
    settings = {"group_commit_milliseconds": "40", "outbox_batches": "false"}
    with running_process(postgres, tmp_path_factory.mktemp("ending"), **settings) as (api, process):

        def send(_: int) -> int:
            try:
                return api.post("/v1/events", json=[event(user), event(user)]).status_code
            except httpx.TransportError:
                return 0  # no connection, or no answer on it: nothing was promised

        with ThreadPoolExecutor(8) as threads:
            sent = [threads.submit(send, n) for n in range(400)]
            wait_until(lambda: sum(future.done() for future in sent) > 40, "events are stored")
            process.terminate()
            statuses = Counter(future.result() for future in sent)
    assert set(statuses) <= {200, 503, 0}
    assert statuses[200] < len(sent)
    ((stored,),) = query(postgres, "SELECT count(*) FROM events WHERE user_id = %s", user)
    assert 2 * statuses[200] <= stored <= 2 * (statuses[200] + statuses[0])
    rows = query(
        postgres,
        """SELECT aggregate_type, event_type, jsonb_typeof(payload), count(*) FROM outbox_events
        WHERE payload ->> 'user_id' = %s GROUP BY 1, 2, 3""",
        user,
    )
    assert rows == [("event", "EVENT_CREATED", "object", stored)]


def test_metrics_and_documents_are_served(api: httpx.Client) -> None:
    api.post("/v1/events", content=ONE, headers=JSON)
    text = api.get("/metrics").text
    names = ("requests_total", "request_seconds", "events_total", "commit_items", "pipeline_lag_bytes")
    assert [name for name in names if f"neonblue_{name}" not in text] == []
    assert 'route="/v1/events"' in text
    document = api.get("/openapi.json").json()
    assert {"/v1/events", "/v1/assignments", "/v1/experiments"} <= set(document["paths"])
    assert api.get("/docs").status_code == 200
