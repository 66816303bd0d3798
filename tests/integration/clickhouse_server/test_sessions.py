"""Sessions, concurrency, and queries that are stopped."""

from __future__ import annotations

import http.client
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from .conftest import ADMIN, READER, Server, wait_until

ENDLESS = "SELECT sum(sipHash64(number)) FROM system.numbers /* {} */"


def test_session_keeps_settings_and_tables(server: Server) -> None:
    session = {"session_id": "keeps"}
    server.post("SET max_block_size = 777", **session)
    server.post("CREATE TEMPORARY TABLE mine (a UInt8)", **session)
    server.post("INSERT INTO mine VALUES (5)", **session)
    query = "SELECT a, getSetting('max_block_size') FROM mine"
    assert server.post(query, **session).text == "5\t777\n"
    assert server.post(query, **session, max_block_size="888").text == "5\t888\n"
    assert server.post(query, **session).text == "5\t777\n"
    assert server.post(query).headers["X-ClickHouse-Exception-Code"] == "60"


def test_session_keeps_its_database(server: Server) -> None:
    server.post("CREATE DATABASE IF NOT EXISTS used")
    server.post("USE used", session_id="uses")
    query = "SELECT currentDatabase()"
    assert server.post(query, session_id="uses").text == "used\n"
    assert server.post(query, session_id="uses", database="system").text == "system\n"
    assert server.post(query, session_id="uses").text == "used\n"
    server.post("USE used", user=READER, session_id="uses")
    assert server.post(query, user=READER, session_id="uses", max_threads="1").text == "used\n"


def test_sessions_of_different_users_are_different(server: Server) -> None:
    server.post("CREATE TEMPORARY TABLE private (a UInt8)", session_id="same name")
    response = server.post("SELECT * FROM private", user=READER, session_id="same name")
    assert response.headers["X-ClickHouse-Exception-Code"] == "60"


def test_session_check_and_timeout(server: Server) -> None:
    unknown = server.post("SELECT 1", session_id="unknown", session_check="1")
    assert (unknown.status_code, unknown.headers["X-ClickHouse-Exception-Code"]) == (404, "372")
    server.post("CREATE TEMPORARY TABLE short (a UInt8)", session_id="short", session_timeout="1")
    assert server.post("SELECT 1", session_id="short", session_check="1", session_timeout="1").text == "1\n"

    def expired() -> bool:
        # Asking prolongs the session, so each look comes after more than its timeout.
        response = server.post("SELECT sleep(1.2)", session_id="waiting")
        assert response.is_success
        return (
            server.post("SELECT 1", session_id="short", session_check="1", session_timeout="1").status_code
            == 404
        )

    wait_until(expired, 20)
    for timeout in ("100000", "-1", "soon"):
        assert server.post("SELECT 1", session_id="short", session_timeout=timeout).status_code == 400


def test_busy_session_is_locked(server: Server) -> None:
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(server.post, ENDLESS.format("busy"), session_id="busy", query_id="busy-1")
        wait_until(lambda: server.running("busy") == 1)
        second = server.post("SELECT 1", session_id="busy")
        assert (second.status_code, second.headers["X-ClickHouse-Exception-Code"]) == (500, "373")
        assert server.post("KILL QUERY WHERE query_id = 'busy-1'").is_success
        assert running.result().headers["X-ClickHouse-Exception-Code"] == "394"
    assert server.post("SELECT 1", session_id="busy").text == "1\n"


def test_same_query_id_twice_is_refused(server: Server) -> None:
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(server.post, ENDLESS.format("twin"), query_id="twin")
        wait_until(lambda: server.running("twin") == 1)
        assert server.post("SELECT 1", query_id="twin").headers["X-ClickHouse-Exception-Code"] == "216"
        server.post("KILL QUERY WHERE query_id = 'twin'")
        assert running.result().status_code == 500


@pytest.mark.parametrize(
    "query",
    [
        "SELECT sum(sipHash64(number)) FROM system.numbers /* gone */",
        "SELECT number FROM system.numbers FORMAT JSONEachRow /* gone */",
        "SELECT sleepEachRow(0.01) FROM system.numbers SETTINGS max_block_size = 10 /* gone */",
    ],
)
def test_query_of_a_client_that_left_is_cancelled(server: Server, query: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    headers = {"X-ClickHouse-User": ADMIN[0], "X-ClickHouse-Key": ADMIN[1]}
    connection.request("POST", "/", query.encode(), headers)
    wait_until(lambda: server.running("gone") == 1)
    connection.sock.close()
    connection.close()
    wait_until(lambda: server.running("gone") == 0)


def test_client_that_stops_reading_does_not_grow_the_server(server: Server) -> None:
    assert server.process is not None
    plain = {"Accept-Encoding": "identity"}
    query = "SELECT number FROM system.numbers"
    with httpx.stream("POST", server.address, content=query, auth=ADMIN, headers=plain) as response:
        pieces = response.iter_raw()
        next(pieces)
        received = 0
        before = _resident(server.process.pid)
        while received < 300 * 1024**2:
            received += len(next(pieces))
        assert _resident(server.process.pid) - before < 150 * 1024**2
    wait_until(lambda: server.running("system.numbers") == 0)


def _resident(pid: int) -> int:
    """Bytes of resident memory."""
    with open(f"/proc/{pid}/statm") as file:  # noqa: PTH123
        return int(file.read().split()[1]) * 4096


def test_many_clients_at_once(server: Server, table: str) -> None:
    def work(number: int) -> str:
        with server.client() as client:
            for turn in range(5):
                client.insert(table, [[number * 1000 + turn, f"of {number}"]], column_names=["a", "s"])
            query = f"SELECT count(), getSetting('max_block_size') FROM {table} WHERE s = {{s:String}}"
            found = client.query(query, {"s": f"of {number}"}, settings={"max_block_size": 1000 + number})
            return str(found.first_row)

    with ThreadPoolExecutor(24) as pool:
        answers = list(pool.map(work, range(24)))
    assert answers == [str((5, 1000 + number)) for number in range(24)]


def test_slow_queries_do_not_hold_up_health(server: Server) -> None:
    with ThreadPoolExecutor(40) as pool:
        slow = [pool.submit(server.post, "SELECT sleep(0.5)") for _ in range(40)]
        assert httpx.get(f"{server.address}/ping").text == "Ok.\n"
        assert all(query.result().is_success for query in slow)
