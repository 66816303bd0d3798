"""Reads and refused calls in the audit log: all of them, in few entries, and no call waits for it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from api.migrations import upgrade
from tests.integration.api.access.conftest import Cache, bearer
from tests.integration.api.access.test_accesses import entries
from tests.integration.api.access.test_audit import verify
from tests.integration.api.conftest import Server, running_postgres
from tests.integration.api.fleet import running_api, wait_until
from tests.integration.api.prometheus import counted
from tests.integration.api.test_durability import query

UNWRITTEN = "neonblue_audit_unwritten_calls"


@pytest.fixture(scope="module")
def quick(start_api: Any) -> Iterator[httpx.Client]:
    """An API that writes its sums every second."""
    with start_api(audit_summary_seconds="1", token_cache_seconds="0.2") as client:
        yield client


def made(api: httpx.Client, *scopes: str, **fields: Any) -> tuple[str, str, int]:
    """A token's secret, its actor in the log, its number."""
    name = f"summed {uuid4().hex}"
    token = (
        api.post("/v1/tokens", json={"name": name, "scopes": list(scopes)} | fields).raise_for_status().json()
    )
    return token["secret"], f"token:{token['id']}:{name}", token["id"]


def calls(found: list[dict[str, Any]]) -> int:
    return sum(one["after"]["calls"] for one in found)


def settled(api: httpx.Client, count: int, **wanted: str) -> list[dict[str, Any]]:
    """The entries, once they tell of so many calls."""
    wait_until(lambda: calls(entries(api, **wanted)) >= count, f"{count} calls are in the log")
    found = entries(api, **wanted)
    assert calls(found) == count
    return found


def newest(postgres: Server) -> int:
    """The number of the log's last entry."""
    ((number,),) = query(postgres, "SELECT coalesce(max(id), 0) FROM audit_log")
    return int(number)


def since(api: httpx.Client, number: int, count: int, **wanted: str) -> list[dict[str, Any]]:
    """The entries behind that one, once they tell of so many calls; other processes' may be among them."""

    def found() -> list[dict[str, Any]]:
        return [one for one in entries(api, limit="200", **wanted) if one["id"] > number]

    wait_until(lambda: calls(found()) >= count, f"{count} calls are in the log")
    return found()


def test_reads_share_an_entry_by_caller_route_and_status(quick: httpx.Client) -> None:
    secret, actor, _ = made(quick, "viewer")
    for _ in range(5):
        assert quick.get("/v1/experiments", headers=bearer(secret)).is_success
    for _ in range(2):
        assert quick.get("/v1/experiments/nothing", headers=bearer(secret)).status_code == 404

    found = settled(quick, 7, actor=actor, action="read_calls")

    assert {(one["object_type"], one["object_id"], one["after"]["status"]) for one in found} == {
        ("route", "GET /v1/experiments", 200),
        ("route", "GET /v1/experiments/{key}", 404),
    }
    assert len(found) <= 4
    assert all(one["address"] == "127.0.0.1" and one["request_id"] is None for one in found)
    assert all(one["after"]["first"] <= one["after"]["last"] for one in found)


def test_calls_of_programs_write_nothing(quick: httpx.Client) -> None:
    secret, actor, _ = made(quick, "ingest", "assign", "viewer")
    event = {"user_id": "u", "event_type": "visit"}
    assert quick.post("/v1/events", json=event, headers=bearer(secret)).is_success
    assert quick.get("/v1/configuration", headers=bearer(secret)).is_success
    assert quick.get("/v1/experiments", headers=bearer(secret)).is_success

    (entry,) = settled(quick, 1, actor=actor)

    assert entry["object_id"] == "GET /v1/experiments"


def test_refused_calls_name_the_token_that_was_refused(quick: httpx.Client) -> None:
    viewer, actor, _ = made(quick, "viewer")
    shop, shop_actor, _ = made(quick, "assign", origins=["https://shop.example"])
    slow, slow_actor, _ = made(quick, "viewer", rate_limit=1)
    for _ in range(3):
        assert quick.get("/v1/tokens", headers=bearer(viewer)).status_code == 403
        assert quick.post("/v1/events", json={}, headers=bearer(viewer)).status_code == 403
        assert quick.post("/v1/assignments", json={}, headers=bearer(shop)).status_code == 403
    wait_until(lambda: quick.get("/v1/experiments", headers=bearer(slow)).status_code == 429, "it is limited")

    found = settled(quick, 6, actor=actor, action="refused_calls")
    assert {(one["object_id"], one["after"]["status"], one["after"]["code"]) for one in found} == {
        ("GET /v1/tokens", 403, "insufficient_scope"),
        ("POST /v1/events", 403, "insufficient_scope"),
    }
    assert {one["address"] for one in found} == {"127.0.0.1"}
    (foreign, *_) = settled(quick, 3, actor=shop_actor, action="refused_calls")
    assert (foreign["after"]["code"], foreign["address"]) == ("origin_not_allowed", None)  # a visitor's
    (limited, *_) = settled(quick, 1, actor=slow_actor, action="refused_calls")
    assert (limited["after"]["status"], limited["after"]["code"]) == (429, "rate_limited")


@pytest.mark.parametrize("ending", ["revoked", "expired"])
@pytest.mark.parametrize("path", ["/v1/experiments", "/v1/events"])
def test_the_use_of_a_token_that_has_ended_names_it(
    quick: httpx.Client, postgres: Server, ending: str, path: str
) -> None:
    secret, actor, number = made(quick, "viewer", "ingest")
    if ending == "revoked":
        quick.delete(f"/v1/tokens/{number}").raise_for_status()
    else:
        query(postgres, "UPDATE api_tokens SET expires_at = now() WHERE id = %s", number)
    method = "POST" if path == "/v1/events" else "GET"
    answer = quick.request(method, path, headers=bearer(secret))

    assert answer.status_code == 401
    assert actor not in answer.text
    (entry,) = settled(quick, 1, actor=actor, action="refused_calls")
    assert entry["after"]["code"] == {"revoked": "invalid_token", "expired": "expired_token"}[ending]


def test_a_session_without_its_csrf_token_is_refused_in_its_tokens_name(quick: httpx.Client) -> None:
    secret, actor, _ = made(quick, "admin")
    with httpx.Client(base_url=quick.base_url, trust_env=False, timeout=30) as client:
        wait_until(lambda: client.post("/v1/session", json={"token": secret}).is_success, "logged in")
        assert client.post("/v1/tokens", json={}).status_code == 403

    (entry,) = settled(quick, 1, actor=actor, action="refused_calls")
    assert entry["after"]["code"] == "csrf"


def test_failed_log_ins_and_unknown_tokens_show_no_secret(quick: httpx.Client, postgres: Server) -> None:
    secret = f"almost-{uuid4().hex}"
    before = newest(postgres)
    for _ in range(3):
        assert quick.post("/v1/session", json={"token": secret}).status_code == 401
        assert quick.get("/v1/experiments", headers=bearer(secret)).status_code == 401
        assert quick.get("/v1/experiments", headers={"authorization": secret}).status_code == 401

    logins = since(quick, before, 3, actor="unknown", action="refused_log_ins")
    assert logins[-1]["object_id"] == "POST /v1/session"
    assert logins[-1]["address"] == "127.0.0.1"
    found = since(quick, before, 6, actor="unknown", action="refused_calls")
    assert {one["after"]["code"] for one in found} >= {"invalid_token", "missing_token"}
    assert query(postgres, "SELECT 1 FROM audit_log WHERE strpos(audit_log::text, %s) > 0", secret[:16]) == []


def test_what_a_stranger_sends_is_neither_long_nor_a_path(quick: httpx.Client, postgres: Server) -> None:
    before = newest(postgres)
    quick.request(
        "ADA" * 50, "/v1/experiments", headers={"authorization": "", "x-forwarded-for": "ada" * 500}
    )
    quick.get("/v1/experiments/ada-secret", headers={"authorization": "", "x-forwarded-for": "ada" * 500})

    since(quick, before, 1, actor="unknown", object_id="GET /v1/experiments/{key}")
    assert query(postgres, "SELECT 1 FROM audit_log WHERE strpos(audit_log::text, 'ada-secret') > 0") == []
    ((longest,),) = query(postgres, "SELECT max(length(coalesce(address, ''))) FROM audit_log")
    assert longest <= 64


def test_a_flood_of_refused_calls_leaves_few_entries_and_holds_nothing_up(
    start_api: Any, postgres: Server
) -> None:
    with start_api(audit_summary_seconds="1") as api:
        before = newest(postgres)
        started = time.monotonic()
        slowest = asyncio.run(flood(str(api.base_url), 10_000))
        since(api, before, 10_000, action="refused_calls")
        seconds = time.monotonic() - started
        after = newest(postgres)

    assert after - before < 10 * (seconds + 2)  # a few entries each second that it took
    assert slowest < 5.0  # a stall, on however slow a machine
    assert verify(postgres.dsn)[0] == 0


async def flood(address: str, count: int) -> float:
    """So many refused calls; the slowest answer of the probe meanwhile, in seconds."""
    left = iter(range(count))
    slowest = 0.0
    async with httpx.AsyncClient(base_url=address, trust_env=False, timeout=60) as client:

        async def strike() -> None:
            for number in left:
                path = ("/v1/experiments", "/v1/events", "/v1/tokens")[number % 3]
                await client.request("POST" if number % 3 else "GET", path)

        async def probe() -> None:
            nonlocal slowest
            while True:
                began = time.monotonic()
                await client.get("/healthz")
                slowest = max(slowest, time.monotonic() - began)

        probing = asyncio.create_task(probe())
        await asyncio.gather(*(strike() for _ in range(20)))
        probing.cancel()
    return slowest


def test_changes_and_sums_written_together_form_one_chain(quick: httpx.Client, postgres: Server) -> None:
    def work(number: int) -> None:
        for _ in range(20):
            quick.get("/v1/tokens", headers={"authorization": f"Bearer wrong-{number}"})
            quick.post(
                "/v1/tokens", json={"name": f"one of {number}", "scopes": ["viewer"]}
            ).raise_for_status()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))

    status, report = verify(postgres.dsn)
    assert (status, report["broken"]) == (0, None)


def test_what_was_counted_last_is_written_as_the_process_ends(
    start_api: Any, whole_api: httpx.Client
) -> None:
    secret, actor, _ = made(whole_api, "viewer")
    with start_api(audit_summary_seconds="3600") as api:
        for _ in range(4):
            api.get("/v1/tokens", headers=bearer(secret))
        assert entries(whole_api, actor=actor) == []

    (entry,) = entries(whole_api, actor=actor)
    assert (entry["action"], entry["after"]["calls"]) == ("refused_calls", 4)


def test_without_postgresql_calls_are_refused_as_ever_and_written_afterwards(
    valkey: Cache, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with running_postgres(tmp_path_factory.mktemp("away")) as (_, server):
        upgrade(server.dsn)
        folder: Path = tmp_path_factory.mktemp("api")
        with running_api(server, folder, valkey=valkey.url, audit_summary_seconds="1") as api:
            server.stop()
            for _ in range(30):
                assert api.get("/v1/experiments", headers={"authorization": ""}).status_code == 401
            wait_until(lambda: counted(api, UNWRITTEN) == 30, "they are counted as not written")
            server.start()
            found = settled(api, 30, actor="unknown")
            wait_until(lambda: counted(api, UNWRITTEN) == 0, "nothing waits")

        assert {one["after"]["code"] for one in found} == {"missing_token"}
        assert verify(server.dsn)[0] == 0
        log = "".join(path.read_text() for path in folder.glob("api-*.log"))
        events = [json.loads(line)["event"] for line in log.splitlines() if line.startswith("{")]
        assert "audit_calls_unwritten" in events
        assert "audit_calls_lost" not in events


def test_what_is_lost_at_the_end_is_said(valkey: Cache, tmp_path_factory: pytest.TempPathFactory) -> None:
    with running_postgres(tmp_path_factory.mktemp("gone")) as (_, server):
        upgrade(server.dsn)
        folder: Path = tmp_path_factory.mktemp("api")
        with running_api(server, folder, valkey=valkey.url, audit_summary_seconds="3600") as api:
            server.stop()
            for _ in range(3):
                api.get("/v1/experiments", headers={"authorization": ""})
        log = "".join(path.read_text() for path in folder.glob("api-*.log"))
        lost = [json.loads(line) for line in log.splitlines() if "audit_calls_lost" in line]
        assert [line["calls"] for line in lost] == [3]
        server.start()
