"""Two API processes on one PostgreSQL: what is acknowledged is stored and published exactly once, whatever breaks."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from neonblue.contract.identifiers import uuid7
from tests.integration.api.conftest import TOKEN, Server
from tests.integration.api.fleet import running_api, wait_until

Json = dict[str, Any]
Pair = tuple[httpx.Client, httpx.Client]


@pytest.fixture(scope="module")
def pair(api: httpx.Client, postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with running_api(postgres, tmp_path_factory.mktemp("second")) as second:
        yield api, second


def query(server: Server, statement: str, *values: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(server.dsn, autocommit=True) as connection:
        cursor = connection.execute(statement.encode(), values)
        return cursor.fetchall() if cursor.description else []


def published(server: Server, kind: str, field: str, prefix: str) -> Counter[str]:
    """How often each message whose `field` begins with `prefix` is in the outbox."""
    rows = query(
        server,
        """SELECT message ->> %s FROM outbox_events, jsonb_array_elements(
            CASE jsonb_typeof(payload) WHEN 'array' THEN payload ELSE jsonb_build_array(payload) END) AS message
        WHERE aggregate_type LIKE %s AND starts_with(message ->> %s, %s)""",
        field, f"{kind}%", field, prefix,
    )  # fmt: skip
    return Counter(value for (value,) in rows)


def event(user: str, **fields: object) -> Json:
    base = {"id": uuid7(), "event_type": "visit", "timestamp": datetime.now(UTC).isoformat()}
    return base | {"user_id": user} | fields


def started(client: httpx.Client, **fields: object) -> str:
    key = f"experiment-{uuid4()}"
    variants = [{"key": "a", "weight": 1, "is_control": True}, {"key": "b", "weight": 1}]
    client.post("/v1/experiments", json={"key": key, "variants": variants} | fields).raise_for_status()
    client.post(f"/v1/experiments/{key}/start").raise_for_status()
    return key


def test_the_same_events_in_two_processes_are_accepted_once(pair: Pair, postgres: Server) -> None:
    user = f"shared-{uuid4()}"
    events = [event(user) for _ in range(300)]
    orders = [
        events,
        events[::-1],
        events[150:] + events[:150],
        events[::3] + events[1::3] + events[2::3],
    ] * 4

    with ThreadPoolExecutor(8) as threads:
        sent = [threads.submit(pair[n % 2].post, "/v1/events", json=order) for n, order in enumerate(orders)]
        found = [future.result().json() for future in sent]

    assert sum(answer["accepted"] for answer in found) == len(events)
    assert sum(answer["rejected"] for answer in found) == 0
    assert query(postgres, "SELECT count(*) FROM events WHERE user_id = %s", user) == [(len(events),)]
    assert published(postgres, "event", "user_id", user) == {user: len(events)}


def test_one_id_with_two_contents_in_two_processes_keeps_one(pair: Pair, postgres: Server) -> None:
    user = f"rivals-{uuid4()}"
    one = event(user, value="0")
    two = one | {"value": "7"}
    with ThreadPoolExecutor(8) as threads:
        sent = [
            threads.submit(pair[n % 2].post, "/v1/events", json=[one if n % 3 else two]) for n in range(24)
        ]
        items = [future.result().json()["items"][0] for future in sent]
    assert sum(item["status"] == "accepted" for item in items) == 1
    stored = query(postgres, "SELECT value FROM events WHERE user_id = %s", user)
    assert len(stored) == 1
    expected = {0: "duplicate", 7: "id_reused"} if stored[0][0] == 0 else {7: "duplicate", 0: "id_reused"}
    for n, item in enumerate(items):
        if item["status"] != "accepted":
            assert (item.get("code") or item["status"]) == expected[0 if n % 3 else 7]


def test_concurrent_first_requests_of_many_units_agree(pair: Pair, postgres: Server) -> None:
    key = started(pair[0])
    units = [f"{key}-{n}" for n in range(40)]

    def ask(n: int) -> tuple[str, str, str, bool]:
        unit = units[n % len(units)]
        answer = pair[(n // len(units)) % 2].post(
            "/v1/assignments", json={"experiment": key, "user_id": unit}
        )
        found = answer.raise_for_status().json()
        return unit, found["variant_key"], found["assigned_at"], found["created"]

    with ThreadPoolExecutor(16) as threads:
        found = list(threads.map(ask, range(len(units) * 10)))

    assert len({(unit, variant, at) for unit, variant, at, _ in found}) == len(units)
    assert Counter(unit for unit, _, _, created in found if created) == dict.fromkeys(units, 1)
    assert published(postgres, "assignment", "user_id", key) == dict.fromkeys(units, 1)
    assert published(postgres, "event", "user_id", key) == dict.fromkeys(units, 1)
    exposures = """SELECT count(*), count(DISTINCT user_id) FROM events
        WHERE event_type = 'exposure' AND starts_with(user_id, %s)"""
    assert query(postgres, exposures, key) == [(len(units), len(units))]


def test_an_experiment_started_in_one_process_runs_in_the_other_at_once(pair: Pair) -> None:
    for _ in range(5):
        key = started(pair[0])
        answer = pair[1].post("/v1/assignments", json={"experiment": key, "user_id": "u"})
        assert answer.status_code == 200, answer.text


def test_an_experiment_resumed_in_one_process_runs_in_the_other_at_once(pair: Pair) -> None:
    for _ in range(5):
        key = started(pair[0])
        own = pair[1].post("/v1/assignments", json={"experiment": key, "user_id": "u"}).json()["variant_key"]
        for step in ("pause", "resume"):
            pair[0].post(f"/v1/experiments/{key}/{step}").raise_for_status()
        found = pair[1].post("/v1/assignments", json={"experiment": key, "user_id": "u"}).json()
        assert (found["variant_key"], "served_by" in found) == (own, False)


def test_a_concluded_experiment_assigns_nobody_in_either_process(pair: Pair, postgres: Server) -> None:
    key = started(pair[0])
    pair[1].post("/v1/assignments", json={"experiment": key, "user_id": "u"}).raise_for_status()
    pair[0].post(f"/v1/experiments/{key}/conclude").raise_for_status()
    for n, client in enumerate(pair):
        answer = client.post("/v1/assignments", json={"experiment": key, "user_id": f"late-{n}"})
        told = answer.json()
        assert (answer.status_code, told["reason"], told["served_by"]) == (200, "concluded", "control")
    stored = "SELECT count(*) FROM assignments JOIN experiments AS e ON e.id = experiment_id WHERE e.key = %s"
    assert query(postgres, stored, key) == [(1,)]


def test_data_that_the_store_refuses_fails_its_request_alone(pair: Pair, postgres: Server) -> None:
    """The contract leaves nothing for PostgreSQL to refuse, so a rule is added that only PostgreSQL knows."""
    name = f"poison-{uuid4()}"
    query(postgres, f"ALTER TABLE events ADD CONSTRAINT poisoned CHECK (user_id <> '{name}') NOT VALID")
    try:
        users = [name if n == 11 else f"good-{name}-{n}" for n in range(24)]
        with ThreadPoolExecutor(24) as threads:
            found = list(threads.map(lambda user: pair[0].post("/v1/events", json=[event(user)]), users))
    finally:
        query(postgres, "ALTER TABLE events DROP CONSTRAINT poisoned")
    assert [answer.status_code for answer in found] == [422 if user == name else 200 for user in users]
    assert found[11].json()["items"][0]["code"] == "refused_by_store"
    assert query(postgres, "SELECT count(*) FROM events WHERE starts_with(user_id, %s)", f"good-{name}") == [
        (23,)
    ]


def test_a_dropped_partition_is_made_again(pair: Pair, postgres: Server) -> None:
    key = started(pair[0], source="external")
    old = {"experiment": key, "timestamp": "2019-03-05T00:00:00Z"}
    for _ in range(2):
        answer = pair[0].post("/v1/events", json=[event("u", **old) | {"id": str(uuid4())}])
        assert answer.json()["accepted"] == 1
        query(postgres, "DROP TABLE events_201903")


def test_one_request_may_span_decades(pair: Pair, postgres: Server) -> None:
    key = started(pair[0], source="external")
    times = [f"{year}-{month:02}-15T12:00:00Z" for year in range(1971, 2021, 7) for month in (1, 6, 12)]
    events = [event(key, experiment=key, timestamp=at) | {"id": str(uuid4())} for at in times]
    for accepted in (len(events), 0):
        answer = pair[1].post("/v1/events", json=events).json()
        assert (answer["accepted"], answer["duplicates"]) == (accepted, len(events) - accepted)
    assert query(postgres, "SELECT count(DISTINCT day) FROM events WHERE user_id = %s", key) == [
        (len(events),)
    ]


def test_a_client_that_goes_away_in_mid_commit_leaves_its_event_whole(pair: Pair, postgres: Server) -> None:
    user = f"gone-{uuid4()}"
    url = pair[0].base_url
    with psycopg.connect(postgres.dsn) as blocker:
        blocker.execute("LOCK TABLE events IN SHARE MODE")
        with socket.create_connection((url.host, url.port or 80)) as connection:
            connection.sendall(_request(f'{{"user_id":"{user}","event_type":"visit"}}'.encode()))
            wait_until(lambda: _blocked_writers(postgres) > 0, "the event is being written")
    wait_until(lambda: _count(postgres, user) == 1, "the event is stored")
    assert published(postgres, "event", "user_id", user) == {user: 1}


def test_half_a_request_stores_nothing_and_harms_nobody(pair: Pair, postgres: Server) -> None:
    user = f"half-{uuid4()}"
    url = pair[0].base_url
    request = _request(f'[{{"user_id":"{user}","event_type":"visit"}},1,2,3]'.encode())
    for missing in (1, 8, 80, len(request) - 5):
        with socket.create_connection((url.host, url.port or 80)) as connection:
            connection.sendall(request[:-missing])
    assert pair[0].post("/v1/events", json=[event(f"whole-{user}")]).json()["accepted"] == 1
    assert _count(postgres, user) == 0


def test_postgresql_dying_in_mid_load_loses_nothing_acknowledged(pair: Pair, postgres: Server) -> None:
    prefix = f"load-{uuid4()}"
    sent: Counter[str] = Counter()
    acknowledged: set[str] = set()
    statuses: Counter[int] = Counter()
    enough = threading.Event()
    lock = threading.Lock()

    def load(number: int) -> None:
        turn = 0
        while not enough.is_set():
            turn += 1
            batch = [event(f"{prefix}-{number}-{turn}-{n}") for n in range(20)]
            _send_until_stored(pair[turn % 2], batch, sent, acknowledged, statuses, lock)

    with ThreadPoolExecutor(6) as threads:
        loads = [threads.submit(load, number) for number in range(6)]
        for _ in range(3):
            before = statuses[200]
            wait_until(lambda: statuses[200] > before + 40, "the load goes on")  # noqa: B023
            _kill_a_backend(postgres)
        after = statuses[200]
        wait_until(lambda: statuses[200] > after + 40, "the load goes on after the last crash")
        enough.set()
        for future in loads:
            future.result()

    stored = query(postgres, "SELECT id::text, user_id FROM events WHERE starts_with(user_id, %s)", prefix)
    assert statuses[503] > 0
    assert set(statuses) == {200, 503}
    assert acknowledged == {identifier for identifier, _ in stored}
    assert len(stored) == len(acknowledged)
    assert published(postgres, "event", "user_id", prefix) == dict.fromkeys((user for _, user in stored), 1)


def test_a_restart_of_postgresql_between_requests_is_not_noticed(pair: Pair, postgres: Server) -> None:
    key = started(pair[0])
    for turn in range(3):
        ended = query(
            postgres,
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name LIKE 'neonblue-%%'",
        )
        assert ended
        assert set(ended) == {(True,)}
        stored = pair[0].post("/v1/events", json=event(f"{key}-{turn}"))
        assigned = pair[0].post("/v1/assignments", json={"experiment": key, "user_id": f"{key}-{turn}"})
        assert (stored.status_code, assigned.status_code) == (200, 200)
        assert pair[0].get(f"/v1/experiments/{key}").status_code == 200


def _send_until_stored(
    client: httpx.Client,
    batch: list[Json],
    sent: Counter[str],
    acknowledged: set[str],
    statuses: Counter[int],
    lock: threading.Lock,
) -> None:
    while True:
        answer = client.post("/v1/events", json=batch)
        with lock:
            statuses[answer.status_code] += 1
        if answer.status_code == httpx.codes.OK:
            items = answer.json()["items"]
            assert {item["status"] for item in items} <= {"accepted", "duplicate"}
            with lock:
                acknowledged.update(item["id"] for item in items)
            return
        assert answer.status_code == httpx.codes.SERVICE_UNAVAILABLE
        assert int(answer.headers["retry-after"]) >= 1


def _kill_a_backend(server: Server) -> None:
    """SIGKILL of one backend makes PostgreSQL drop every connection and recover from its log."""
    (pid,), *_ = query(
        server, "SELECT pid FROM pg_stat_activity WHERE application_name = 'neonblue-events' ORDER BY pid"
    )
    os.kill(pid, signal.SIGKILL)


def _request(body: bytes) -> bytes:
    head = (
        f"POST /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\ncontent-length: {len(body)}"
    )
    return head.encode() + b"\r\n\r\n" + body


def _count(server: Server, user: str) -> int:
    ((count,),) = query(server, "SELECT count(*) FROM events WHERE user_id = %s", user)
    return int(count)


def _blocked_writers(server: Server) -> int:
    ((count,),) = query(
        server,
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'neonblue-events' AND wait_event_type = 'Lock'",
    )
    return int(count)
