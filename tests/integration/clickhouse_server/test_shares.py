"""What readers do to the server keeps neither the platform nor the server's answers to others waiting."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import zstandard

from .conftest import ADMIN, READER, Server, wait_until

# Marked by a name: a reader's comments do not reach the engine.
SLEEPING = "SELECT sum(sleep(3)) AS {} FROM numbers(2)"


@contextmanager
def watched(server: Server) -> Iterator[list[float]]:
    """The seconds that each /ping and each of the platform's queries took meanwhile."""
    seconds: list[float] = []
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.05):
            began = time.monotonic()
            assert httpx.get(f"{server.address}/ping", timeout=60, trust_env=False).is_success
            assert server.post("SELECT 1").text == "1\n"
            seconds.append(time.monotonic() - began)

    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(watch)
        try:
            yield seconds
        finally:
            done.set()
            watching.result()


def test_sleeping_readers_do_not_lock_the_platform_out(server: Server) -> None:
    with ThreadPoolExecutor(24) as pool:
        asleep = [
            pool.submit(server.post, SLEEPING.format(f"asleep_{number}"), READER, max_block_size="1")
            for number in range(24)
        ]
        wait_until(lambda: server.running("asleep") == 6)
        began = time.monotonic()
        assert server.post("SELECT 1").text == "1\n"
        assert time.monotonic() - began < 3
        assert not all(one.done() for one in asleep)


def test_a_readers_sessions_leave_the_platform_its_own(server: Server) -> None:
    last = None
    with httpx.Client(auth=READER, trust_env=False, timeout=60) as http_client:
        for number in range(201):
            given = {"session_id": f"hoarded {number}", "session_timeout": "3"}
            last = http_client.post(server.address, content="SELECT 1", params=given)
            if last.is_error:
                break
    assert last is not None
    assert server.post("SELECT 1", session_id="the platform's own").text == "1\n"


@pytest.mark.parametrize(
    "hostile",
    [
        "SELECT " + " ".join(f"$a{number}$" for number in range(30_000)),
        "SELECT " + "“ " * 60_000,
        "SELECT " + "a, " * 80_000 + "1",
    ],
)
def test_a_hostile_text_holds_up_nobody(server: Server, hostile: str) -> None:
    with watched(server) as seconds, ThreadPoolExecutor(8) as pool:
        sent = [pool.submit(server.post, hostile, READER) for _ in range(8)]
        assert all(answer.result().is_error for answer in sent)
    assert max(seconds, default=0) < 10


def test_a_bomb_is_refused_before_it_takes_memory(server: Server) -> None:
    assert server.process is not None
    before = _resident(server.process.pid)
    bomb = zstandard.ZstdCompressor().compress(bytes(1024**3))
    for _ in range(4):
        answer = server.post(bomb, READER, headers={"Content-Encoding": "zstd"})
        assert answer.status_code == 413
    assert _resident(server.process.pid) - before < 300 * 1024**2


@pytest.mark.parametrize("kind", ["text/plain", "multipart/form-data; boundary=x"])
def test_a_readers_body_has_two_megabytes(server: Server, kind: str) -> None:
    answer = server.post(b" " * (3 * 1024**2), READER, headers={"Content-Type": kind})
    assert answer.status_code == 413


def test_a_readers_query_ends_when_its_memory_does(server: Server) -> None:
    wide = "SELECT length(groupArray(number)) FROM numbers(1000000000)"
    assert (
        server.post(wide, READER, max_memory_usage="50000000").headers["X-ClickHouse-Exception-Code"] == "241"
    )
    filled = "SELECT number FROM numbers(10) ORDER BY number WITH FILL FROM 0 TO 1000000000000"
    answer = server.post(filled, READER, max_memory_usage="50000000", default_format="Null")
    assert answer.headers["X-ClickHouse-Exception-Code"] in {"241", "159"}
    assert server.post("SELECT 1", READER, max_memory_usage="0").status_code == 400


@pytest.fixture(scope="module")
def hurried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose readers have two seconds."""
    started = Server(
        tmp_path_factory.mktemp("hurried") / "data",
        more={"NEONBLUE_CLICKHOUSE_READONLY_MAX_EXECUTION_TIME": "2"},
    )
    started.start()
    yield started
    started.stop()


def test_a_readers_query_ends_after_its_time(hurried: Server) -> None:
    answer = hurried.post("SELECT count() FROM system.numbers WHERE NOT ignore(sipHash64(number))", READER)
    assert answer.headers["X-ClickHouse-Exception-Code"] == "159"
    asked_for_more = hurried.post("SELECT 1", READER, max_execution_time="3")
    assert asked_for_more.headers["X-ClickHouse-Exception-Code"] == "452"
    assert hurried.post("SELECT getSetting('max_execution_time')").text == "0\n"


def test_a_reader_that_stops_reading_gives_its_place_back(hurried: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", hurried.port)
    headers = {"X-ClickHouse-User": READER[0], "X-ClickHouse-Key": READER[1]}
    connection.request("POST", "/", b"SELECT number AS stuck FROM system.numbers", headers)
    wait_until(lambda: hurried.running("stuck") == 1)
    wait_until(lambda: hurried.running("stuck") == 0)
    connection.close()


def test_readers_leave_the_platform_memory(server: Server) -> None:
    """As many as may run at once, each with as much as it may take."""
    done = threading.Event()

    def take() -> None:
        while not done.is_set():
            server.post("SELECT length(groupArray(number)) FROM numbers(1000000000)", READER)

    query = "SELECT value FROM system.server_settings WHERE name = 'max_server_memory_usage'"
    numbers = int(server.post(query).text) // 8 // 32
    with ThreadPoolExecutor(6) as pool:
        for _ in range(6):
            pool.submit(take)
        try:
            for _ in range(10):
                assert server.post(f"SELECT length(groupArray(number)) FROM numbers({numbers})").is_success
        finally:
            done.set()


def test_the_limits_are_for_readers_only(server: Server) -> None:
    query = "SELECT getSetting('max_execution_time'), getSetting('max_memory_usage') > 0"
    assert server.post(query, ADMIN).text == "0\t1\n"
    assert server.post(query, READER).text == "300\t1\n"


def _resident(pid: int) -> int:
    """Bytes of resident memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096
