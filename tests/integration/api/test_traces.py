"""Requests as traces, from the API's process to a collector, and what a collector that is not well costs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from neonblue.log_lines import read
from tests.integration.api.conftest import Server
from tests.integration.api.experiments import write
from tests.integration.api.fleet import running_process, wait_until
from tests.tracing import Collector, collecting

PAYLOADS = """
SELECT coalesce(one.message, payload)::text FROM outbox_events
LEFT JOIN LATERAL jsonb_array_elements(CASE jsonb_typeof(payload) WHEN 'array' THEN payload END) AS one (message)
    ON true
WHERE coalesce(one.message, payload) ->> 'user_id' = %s
"""
_CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as running:
        yield running


@pytest.fixture
def traced(
    postgres: Server, collector: Collector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[httpx.Client]:
    monkeypatch.setenv("NEONBLUE_TRACES_ENDPOINT", collector.endpoint)
    monkeypatch.setenv("NEONBLUE_TRACES_SAMPLE_RATIO", "1")
    with running_process(postgres, tmp_path, log=tmp_path / "api.log") as (client, _):
        yield client


def event(user: str, **more: object) -> dict[str, object]:
    now = datetime.now(UTC).isoformat()
    return {"id": str(uuid4()), "user_id": user, "event_type": "view", "timestamp": now} | more


def messages(postgres: Server, user: str) -> list[dict[str, Any]]:
    with psycopg.connect(postgres.dsn) as connection:
        return [json.loads(row[0]) for row in connection.execute(PAYLOADS, (user,))]


def test_a_request_its_transaction_and_its_message_are_one_trace(
    traced: httpx.Client, postgres: Server, collector: Collector
) -> None:
    user = f"user-{uuid4()}"
    answer = traced.post("/v1/events", json=[event(user)], headers={"traceparent": _CALLER})
    assert answer.status_code == 200
    collector.wait_for(lambda: bool(collector.named("POST /v1/events")))

    (request,) = collector.named("POST /v1/events")
    (transaction,) = collector.named("events transaction")
    assert (request.trace_id, request.parent) == (_CALLER[3:35], _CALLER[36:52])
    assert request.attributes == {
        "http.request.method": "POST",
        "http.route": "/v1/events",
        "http.response.status_code": "200",
        "neonblue.request_id": answer.headers["x-request-id"],
    }
    assert (transaction.trace_id, transaction.parent) == (request.trace_id, request.span_id)
    assert (transaction.attributes["neonblue.requests"], transaction.attributes["neonblue.items"]) == (
        "1",
        "1",
    )
    assert request.start <= transaction.start <= transaction.end <= request.end
    (message,) = messages(postgres, user)
    assert message["traceparent"] == f"00-{request.trace_id}-{request.span_id}-01"


def test_one_transaction_of_several_requests_leads_to_all_of_them(
    traced: httpx.Client, collector: Collector
) -> None:
    def ask(_: int) -> int:
        return traced.post("/v1/events", json=[event(f"user-{uuid4()}")]).status_code

    with ThreadPoolExecutor(16) as threads:
        assert set(threads.map(ask, range(160))) == {200}
    collector.wait_for(lambda: len(collector.named("POST /v1/events")) == 160)

    requests = {span.span_id for span in collector.named("POST /v1/events")}
    transactions = collector.named("events transaction")
    reached = [span for one in transactions for span in (one.parent, *one.links)]
    assert len(transactions) < 160
    assert sorted(reached) == sorted(requests)


def test_nothing_of_a_person_is_in_a_span(traced: httpx.Client, collector: Collector) -> None:
    mark = "zzmarkedzz"
    traced.post("/v1/events", json=[event(mark, properties={mark: mark})])
    traced.post("/v1/events", content=mark.encode())
    traced.put(f"/v1/users/{mark}", json={"attributes": {mark: mark}})
    traced.get(f"/v1/users/{mark}?token={mark}")
    traced.get(f"/v1/no/{mark}")
    collector.wait_for(
        lambda: len([one for one in collector.spans if one.attributes.get("http.request.method")]) == 5
    )

    assert mark not in repr(collector.spans).lower()
    assert {"PUT /v1/users/{user_id:path}", "GET /v1/users/{user_id:path}"} <= {
        span.name for span in collector.spans
    }


def test_what_memory_answers_is_traced_as_well(
    traced: httpx.Client, postgres: Server, collector: Collector
) -> None:
    experiment = write(postgres)
    body = {"experiment": experiment.key, "user_id": f"user-{uuid4()}"}
    wait_until(lambda: traced.post("/v1/assignments", json=body).status_code == 200, "it is known")
    for _ in range(3):
        assert traced.post("/v1/assignments", json=body).status_code == 200

    collector.wait_for(
        lambda: any(one.attributes.get("neonblue.at_once") for one in collector.named("POST /v1/assignments"))
    )


def test_a_line_of_a_traced_request_carries_the_trace_s_id(
    traced: httpx.Client, tmp_path: Path, collector: Collector
) -> None:
    answer = traced.post(
        "/v1/assignments", json={"experiment": "none", "user_id": "u"}, headers={"traceparent": _CALLER}
    )
    lines = [known for line in (tmp_path / "api.log").read_text().splitlines() if (known := read(line))]

    of_request = [one for one in lines if one.fields.get("request_id") == answer.headers["x-request-id"]]
    assert "request_refused" in {one.event for one in of_request}
    assert {one.fields["trace_id"] for one in of_request} == {_CALLER[3:35]}


def test_without_traces_a_message_is_as_it_was(api: httpx.Client, postgres: Server) -> None:
    user = f"user-{uuid4()}"
    assert api.post("/v1/events", json=[event(user)], headers={"traceparent": _CALLER}).is_success

    (message,) = messages(postgres, user)
    assert "traceparent" not in message


@pytest.mark.parametrize("trouble", ["away", "slow", "refusing"])
def test_a_collector_that_is_not_well_costs_no_request(
    postgres: Server, collector: Collector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    collector.busy_seconds = 30.0 if trouble == "slow" else 0.0
    collector.status = 503 if trouble == "refusing" else 200
    monkeypatch.setenv(
        "NEONBLUE_TRACES_ENDPOINT", "http://127.0.0.1:9" if trouble == "away" else collector.endpoint
    )
    monkeypatch.setenv("NEONBLUE_TRACES_SAMPLE_RATIO", "1")
    monkeypatch.setenv("NEONBLUE_TRACES_QUEUE_SPANS", "64")

    with running_process(postgres, tmp_path) as (client, process):
        slowest = 0.0
        for _ in range(400):
            began = monotonic()
            assert client.post("/v1/events", json=[event("u")]).status_code == 200
            slowest = max(slowest, monotonic() - began)
        wait_until(lambda: _dropped(client) > 0, "what is lost is counted")
        assert slowest < 5  # so long one post may take
        began = monotonic()
        process.terminate()
        process.wait(30)
        assert monotonic() - began < 15


def _dropped(client: httpx.Client) -> float:
    (line,) = (
        line
        for line in client.get("/metrics").text.splitlines()
        if line.startswith("neonblue_trace_spans_dropped_total ")
    )
    return float(line.split()[1])
