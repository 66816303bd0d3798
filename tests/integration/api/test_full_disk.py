"""The API on a full disk: it goes on, refuses events before anything fails, and takes them again by itself."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from neonblue.client import Client
from neonblue.contract.identifiers import uuid7
from neonblue.settings import ApiSettings, Settings
from neonblue.stack.services.api import Api
from tests.integration.api.conftest import TOKEN, Server
from tests.integration.api.fleet import running_api, running_process, wait_until
from tests.integration.api.test_durability import started

GIBIBYTE = 1024**3
MEBIBYTE = 1024**2


def event() -> dict[str, Any]:
    return {
        "id": uuid7(),
        "event_type": "visit",
        "timestamp": datetime.now(UTC).isoformat(),
        "user_id": "u",
    }


def break_a_commit(
    connection: psycopg.Connection[Any], client: httpx.Client, threads: ThreadPoolExecutor
) -> int:
    """Have PostgreSQL end the connection that stores an event; the status that its sender got."""
    waiting = """SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE wait_event_type = 'Lock' AND application_name LIKE 'neonblue-%'"""
    with connection.transaction():
        connection.execute("LOCK TABLE events IN ACCESS EXCLUSIVE MODE")
        sent = threads.submit(client.post, "/v1/events", json=[event()])
        wait_until(lambda: connection.execute(waiting).fetchone() != (0,), "its connection was ended")
        return sent.result().status_code


def test_a_failed_commit_whose_log_line_can_not_be_written_ends_nothing(
    postgres: Server, tmp_path: Path
) -> None:
    with (
        running_process(postgres, tmp_path, log=Path("/dev/full")) as (client, _),
        psycopg.connect(postgres.dsn, autocommit=True) as connection,
        ThreadPoolExecutor(1) as threads,
    ):
        for _ in range(3):  # more often than there are writers
            wait_until(
                lambda: client.post("/v1/events", json=[event()]).status_code == 200, "events are stored"
            )
            assert break_a_commit(connection, client, threads) == 503

        wait_until(lambda: client.post("/v1/events", json=[event()]).status_code == 200, "events are stored")
        ready = client.get("/readyz")
        assert (ready.status_code, ready.json()["components"]["background"]) == (200, "ok")
        assert client.get("/healthz").status_code == 200
        assert dropped_lines(client) >= 3


def dropped_lines(client: httpx.Client) -> float:
    lines = client.get("/metrics").text.splitlines()
    return next(
        float(line.split()[1]) for line in lines if line.startswith("neonblue_log_lines_dropped_total")
    )


@contextmanager
def balloon(folder: Path, size: int) -> Iterator[None]:
    """A file that takes so many bytes, at once."""
    file = folder / "balloon"
    with file.open("wb") as opened:
        os.posix_fallocate(opened.fileno(), 0, size)
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def test_events_are_refused_before_the_disk_is_full_and_taken_again_after(
    postgres: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = shutil.disk_usage(tmp_path).free
    if free < 4 * GIBIBYTE:
        pytest.skip("the balloon needs 2 GiB")
    monkeypatch.setenv("NEONBLUE_DISK_REFUSE_MEBIBYTES", str((free - GIBIBYTE) // MEBIBYTE))
    with (
        running_api(postgres, tmp_path) as client,
        Client(str(client.base_url), TOKEN) as sender,
    ):
        key = started(client)
        known = client.post("/v1/assignments", json={"experiment": key, "user_id": "known"}).json()
        with balloon(tmp_path, 2 * GIBIBYTE):
            wait_until(lambda: refused(client), "events are refused")
            answer = client.post("/v1/events", json=[event()])
            assert (answer.headers["retry-after"], answer.json()["code"]) == ("10", "disk_full")
            ready = client.get("/readyz")
            assert (ready.status_code, ready.json()["components"]["disk"]) == (503, "full")
            supervised(client).check()
            assert client.get("/healthz").status_code == 200
            again = client.post("/v1/assignments", json={"experiment": key, "user_id": "known"}).json()
            assert again["variant_key"] == known["variant_key"]
            assert "durable" not in again
            fresh = client.post("/v1/assignments", json={"experiment": key, "user_id": "new"}).json()
            assert fresh["durable"] is False
            client.get(f"/v1/experiments/{key}").raise_for_status()
            sender.track("u", "visit")
            wait_until(lambda: refusals(client) > 2, "the client was refused, too")
        assert sender.flush(60)
        assert sender.counts.accepted == 1
        assert client.get("/readyz").status_code == 200
        stored = client.post("/v1/assignments", json={"experiment": key, "user_id": "new"}).json()
        assert (stored["variant_key"], stored.get("durable")) == (fresh["variant_key"], None)


def supervised(client: httpx.Client) -> Api:
    """The API as its supervisor sees it."""
    return Api(Settings(api=ApiSettings(host=client.base_url.host, port=client.base_url.port or 80)))


def refused(client: httpx.Client) -> bool:
    return client.post("/v1/events", json=[event()]).status_code == 503


def refusals(client: httpx.Client) -> float:
    name = 'neonblue_requests_total{route="/v1/events",status="503"}'
    lines = client.get("/metrics").text.splitlines()
    return next((float(line.split()[1]) for line in lines if line.startswith(name)), 0.0)
