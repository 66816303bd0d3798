"""The API over HTTP on a real PostgreSQL: what it keeps, what it refuses, what it says."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4, uuid5

import httpx
import psycopg
import pytest

from neonblue.contract.identifiers import uuid7
from neonblue.contract.limits import EVENT_BYTES
from tests.integration.api.conftest import Server, wait_until

Json = dict[str, Any]


def _event(**fields: Any) -> Json:
    now = datetime.now(UTC)
    base: Json = {"id": uuid7(), "user_id": "u", "event_type": "visit", "timestamp": now.isoformat()}
    return {key: value for key, value in (base | fields).items() if value is not None}


def _send(api: httpx.Client, *events: Json) -> Json:
    answer: Json = api.post("/v1/events", json=list(events)).json()
    return answer


def _counts(answer: Json) -> tuple[int, int, int]:
    return answer["accepted"], answer["duplicates"], answer["rejected"]


def _rows(server: Server, query: str, *values: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(server.dsn) as connection:
        return connection.execute(query.encode(), values).fetchall()


def _published(server: Server, event_id: str) -> int:
    """How often the event is in the outbox, alone or in a batch."""
    query = """SELECT count(*) FROM outbox_events,
        jsonb_array_elements(CASE jsonb_typeof(payload) WHEN 'array' THEN payload ELSE jsonb_build_array(payload) END)
        AS message WHERE message ->> 'id' = %s"""
    return int(_rows(server, query, event_id)[0][0])


def _experiment(api: httpx.Client, *, start: bool = True, **fields: Any) -> Json:
    key = f"experiment-{uuid4()}"
    variants = [{"key": "a", "weight": 1, "is_control": True}, {"key": "b", "weight": 1}]
    body: Json = {"key": key, "variants": variants, "metrics": []} | fields
    assert api.post("/v1/experiments", json=body).status_code == 201
    step = "/start" if start else ""
    call = api.post if start else api.get
    answer: Json = call(f"/v1/experiments/{key}{step}").json()
    return answer


def test_a_repeated_event_is_stored_and_published_once(api: httpx.Client, postgres: Server) -> None:
    event = _event()
    assert _counts(_send(api, event)) == (1, 0, 0)
    assert _counts(_send(api, event)) == (0, 1, 0)
    assert len(_rows(postgres, "SELECT 1 FROM events WHERE id = %s", event["id"])) == 1
    assert _published(postgres, event["id"]) == 1


def test_repetitions_within_one_request_count_once(api: httpx.Client, postgres: Server) -> None:
    event, other = _event(), _event()
    assert _counts(_send(api, event, other, event)) == (2, 1, 0)
    assert _published(postgres, event["id"]) == 1


def test_an_id_with_other_content_is_rejected(api: httpx.Client, postgres: Server) -> None:
    event = _event(value="1.5")
    answer = _send(api, event, event | {"value": "2"})
    assert _counts(answer) == (1, 0, 1)
    assert answer["items"][1]["code"] == "id_reused"
    assert _rows(postgres, "SELECT value::text FROM events WHERE id = %s", event["id"]) == [("1.500000",)]


def test_a_retry_on_the_next_day_is_the_same_event(api: httpx.Client, postgres: Server) -> None:
    """The partition's day is the id's, whatever the day of the request."""
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    before = midnight - timedelta(milliseconds=1)
    event = _event(id=uuid7(int(before.timestamp() * 1000)), timestamp=midnight.isoformat())
    assert _counts(_send(api, event)) == (1, 0, 0)
    assert _counts(_send(api, event)) == (0, 1, 0)
    days = _rows(postgres, "SELECT day FROM events WHERE id = %s", event["id"])
    assert days == [(before.date(),)]


def test_concurrent_requests_with_the_same_events_store_each_once(
    api: httpx.Client, postgres: Server
) -> None:
    events = [_event() for _ in range(200)]
    orders = [events, events[::-1], events[100:] + events[:100], events[::2] + events[1::2]] * 3
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda order: _send(api, *order), orders))
    assert sum(answer["accepted"] for answer in answers) == len(events)
    assert sum(answer["duplicates"] for answer in answers) == len(events) * (len(orders) - 1)
    assert [_published(postgres, event["id"]) for event in events[:5]] == [1] * 5


NOW = datetime.now(UTC)
BAD: list[tuple[str, str, Json]] = [
    ("invalid_uuid", "id", {"id": "x"}),
    ("timestamp_required", "timestamp", {"id": str(uuid4()), "timestamp": None}),
    ("too_old", "timestamp", {"timestamp": (NOW - timedelta(days=400)).isoformat()}),
    ("in_future", "timestamp", {"timestamp": (NOW + timedelta(days=2)).isoformat()}),
    ("unknown_field", "colour", {"colour": "red"}),
    ("missing_field", "user_id", {"user_id": None}),
    ("too_long", "user_id", {"user_id": "x" * 257}),
    ("too_short", "event_type", {"event_type": ""}),
    ("too_large", "properties", {"properties": {"text": "x" * EVENT_BYTES}}),
    ("nul_character", "user_id", {"user_id": "a\x00"}),
    ("value_out_of_range", "value", {"value": "1234567890123"}),
    ("unknown_experiment", "experiment", {"experiment": "none"}),
]


@pytest.mark.parametrize(("code", "field", "fields"), BAD, ids=[case[0] for case in BAD])
def test_a_bad_event_is_named_and_the_good_ones_are_kept(
    api: httpx.Client, code: str, field: str, fields: Json
) -> None:
    answer = _send(api, _event(), _event(**fields), _event())
    assert _counts(answer) == (2, 0, 1)
    rejected = answer["items"][1]
    assert (rejected["index"], rejected["code"], rejected["field"]) == (1, code, field)


def test_lines_are_events_and_a_broken_line_fails_alone(api: httpx.Client) -> None:
    good = httpx.Request("POST", "http://x", json=_event()).content
    body = good + b"\nnot json\n"
    answer = api.post("/v1/events", content=body, headers={"Content-Type": "application/x-ndjson"}).json()
    assert _counts(answer) == (1, 0, 1)
    assert answer["items"][1]["code"] == "not_json"


def test_only_rejections_are_a_422(api: httpx.Client) -> None:
    assert api.post("/v1/events", json=[_event(id="x")]).status_code == 422


def test_a_body_past_the_limit_is_refused_also_without_a_length(api: httpx.Client) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(3):
            yield b" " * 600_000

    assert api.post("/v1/events", content=chunks()).status_code == 413
    assert api.post("/v1/events", content=b" " * 1_100_000).status_code == 413
    assert api.post("/v1/events", json=[{}] * 1_001).status_code == 413


def test_every_path_asks_for_a_token(api: httpx.Client) -> None:
    for token in ("", "Bearer wrong"):
        for method, path in (("POST", "/v1/events"), ("POST", "/v1/assignments"), ("GET", "/v1/experiments")):
            answer = api.request(method, path, headers={"Authorization": token})
            assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")


def test_illegal_steps_name_the_legal_ones(api: httpx.Client) -> None:
    draft = _experiment(api, start=False)
    answer = api.post(f"/v1/experiments/{draft['key']}/conclude")
    assert answer.status_code == answer.json()["status"] == 409
    assert answer.json()["legal_steps"] == ["schedule", "start"]


def test_each_step_is_a_version_and_a_message(api: httpx.Client, postgres: Server) -> None:
    experiment = _experiment(api)
    api.post(f"/v1/experiments/{experiment['key']}/conclude").raise_for_status()
    number = experiment["id"]
    versions = _rows(postgres, "SELECT count(*) FROM experiment_versions WHERE experiment_id = %s", number)
    query = "SELECT payload ->> 'status' FROM outbox_events WHERE event_type = %s AND aggregate_id = %s ORDER BY id"
    messages = _rows(postgres, query, "EXPERIMENT_CHANGED", str(number))
    assert versions == [(3,)]
    assert messages == [("draft",), ("running",), ("concluded",)]


def test_an_assignment_stays_and_its_exposure_is_recorded_once(api: httpx.Client, postgres: Server) -> None:
    experiment = _experiment(api)
    body = {"experiment": experiment["key"], "user_id": "u1", "expose": False}
    first = api.post("/v1/assignments", json=body).json()
    for _ in range(3):
        again = api.post("/v1/assignments", json=body | {"expose": True}).json()
        assert (again["variant_key"], again["created"]) == (first["variant_key"], False)
    query = "SELECT variant_key FROM events WHERE experiment_id = %s AND event_type = 'exposure'"
    assert _rows(postgres, query, experiment["id"]) == [(first["variant_key"],)]


def test_concurrent_assignments_of_one_unit_agree(api: httpx.Client, postgres: Server) -> None:
    experiment = _experiment(api)
    body = [{"experiment": experiment["key"], "user_id": f"u{n}"} for n in range(50)]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: api.post("/v1/assignments", json=body).json()["items"], range(12)))
    assert sum(item["created"] for answer in answers for item in answer) == len(body)
    assert len({tuple(item["variant_key"] for item in answer) for answer in answers}) == 1
    query = "SELECT count(*) FROM events WHERE experiment_id = %s AND event_type = 'exposure'"
    assert _rows(postgres, query, experiment["id"]) == [(len(body),)]


def test_an_event_carries_the_stored_variant(api: httpx.Client, postgres: Server) -> None:
    experiment = _experiment(api)
    assigned = api.post("/v1/assignments", json={"experiment": experiment["key"], "user_id": "s"}).json()
    event = _event(user_id="s", experiment=experiment["key"])
    _send(api, event)
    stored = _rows(postgres, "SELECT variant_key FROM events WHERE id = %s", event["id"])
    assert stored == [(assigned["variant_key"],)]


def test_imported_history_takes_its_own_variants_and_times(api: httpx.Client, postgres: Server) -> None:
    experiment = _experiment(api, source="external")
    instant = "2012-03-04T05:06:07Z"
    wanted = {"experiment": experiment["key"], "user_id": "h", "variant_key": "b", "timestamp": instant}
    assert api.post("/v1/assignments", json=wanted).json()["variant_key"] == "b"
    identifier = str(uuid5(uuid4(), "row"))
    event = _event(id=identifier, user_id="h", timestamp=instant, experiment=experiment["key"])
    assert _counts(_send(api, event)) == (1, 0, 0)
    query = "SELECT variant_key FROM assignments WHERE experiment_id = %s AND assigned_at = %s::timestamptz"
    assert _rows(postgres, query, experiment["id"], instant) == [("b",)]


def test_given_variants_belong_to_external_experiments(api: httpx.Client) -> None:
    experiment = _experiment(api)
    answer = api.post(
        "/v1/assignments", json={"experiment": experiment["key"], "user_id": "u", "variant_key": "a"}
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "external_only")


def test_without_postgresql_nothing_is_acknowledged_and_afterwards_all_goes_on(
    api: httpx.Client, postgres: Server
) -> None:
    event = _event()
    postgres.stop()
    try:
        answer = api.post("/v1/events", json=[event])
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) >= 1
        assert api.get("/healthz").status_code == 200
    finally:
        postgres.start()
    deadline = time.monotonic() + 30
    while (answer := api.post("/v1/events", json=[event])).status_code == 503:
        assert time.monotonic() < deadline
    assert _counts(answer.json()) == (1, 0, 0)
    wait_until(lambda: api.get("/readyz").raise_for_status())
