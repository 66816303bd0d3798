"""Data in the body."""

from __future__ import annotations

import http.client
import json

import httpx
import pytest

from .conftest import ADMIN, Server, wait_until

ROWS = {
    "CSV": b'1,"a; SELECT 1"\r\n2,"b\n\'c"\r\n',
    "TSV": b"1\ta; SELECT 1\n2\tb\\n'c\n",
    "JSONEachRow": b'{"a":1,"s":"a; SELECT 1"}\n{"a":2,"s":"b\\n\'c"}\n',
    "Values": b"(1, 'a; SELECT 1'), (2, 'b\\n\\'c')",
    "RowBinary": b"\x01\x00\x00\x00\x0ba; SELECT 1\x02\x00\x00\x00\x04b\n'c",
}


def contents(server: Server, table: str) -> list[list[object]]:
    lines = server.post(f"SELECT a, s FROM {table} ORDER BY a FORMAT JSONCompactEachRow").text.splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize("data_format", ROWS)
@pytest.mark.parametrize("place", ["url", "body"])
def test_formats(server: Server, table: str, data_format: str, place: str) -> None:
    statement = f"INSERT INTO {table} (a, s) FORMAT {data_format}"
    if place == "url":
        response = server.post(ROWS[data_format], query=statement)
    else:
        response = server.post(statement.encode() + b"\n" + ROWS[data_format])
    assert response.status_code == 200, response.text
    assert json.loads(response.headers["X-ClickHouse-Summary"])["written_rows"] == "2"
    assert contents(server, table) == [[1, "a; SELECT 1"], [2, "b\n'c"]]


def test_values_with_settings_parameters_and_expressions(server: Server, table: str) -> None:
    statement = f"INSERT INTO {table} (a, s) SETTINGS max_insert_threads = 1 VALUES "
    response = server.post(statement + "(1 + 1, {x:String}), (3, upper('b'))", param_x="p")
    assert response.status_code == 200, response.text
    assert contents(server, table) == [[2, "p"], [3, "B"]]


def test_insert_select_and_its_input_function(server: Server, table: str) -> None:
    assert server.post(f"INSERT INTO {table} SELECT number, 'x' FROM numbers(2)").status_code == 200
    statement = f"INSERT INTO {table} SELECT n + 10, upper(t) FROM input('n UInt32, t String') FORMAT CSV"
    assert server.post(b"1,a\n2,b\n", query=statement).status_code == 200
    assert contents(server, table) == [[0, "x"], [1, "x"], [11, "A"], [12, "B"]]


def test_broken_row_stores_nothing(server: Server, table: str) -> None:
    response = server.post(b"1\ta\nx\tb\n", query=f"INSERT INTO {table} FORMAT TSV")
    assert (response.status_code, response.headers["X-ClickHouse-Exception-Code"]) == (400, "27")
    assert contents(server, table) == []


def test_large_body_to_a_missing_table_is_answered(server: Server) -> None:
    response = server.post(b"1\ta\n" * 4_000_000, query="INSERT INTO missing FORMAT TSV")
    assert (response.status_code, response.headers["X-ClickHouse-Exception-Code"]) == (404, "60")
    refused = server.post(
        b"1\ta\n" * 4_000_000, user=("admin", "wrong"), query="INSERT INTO missing FORMAT TSV"
    )
    assert refused.status_code == 403


def test_chunked_upload_streams(server: Server, table: str) -> None:
    pieces = (
        b"".join(b"%d\ttext\n" % (block * 10_000 + row) for row in range(10_000)) for block in range(100)
    )
    response = httpx.post(
        server.address,
        params={"query": f"INSERT INTO {table} FORMAT TSV"},
        content=pieces,
        auth=ADMIN,
        timeout=60,
    )
    assert response.status_code == 200, response.text
    assert server.post(f"SELECT count(), uniqExact(a) FROM {table}").text == "1000000\t1000000\n"


def test_client_that_leaves_in_the_middle_of_an_insert_stores_nothing(server: Server, table: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    connection.putrequest("POST", f"/?query=INSERT%20INTO%20{table}%20FORMAT%20TSV")
    connection.putheader("X-ClickHouse-User", ADMIN[0])
    connection.putheader("X-ClickHouse-Key", ADMIN[1])
    connection.putheader("Content-Length", "1000000")
    connection.endheaders(b"1\ta\n" * 1000)
    wait_until(lambda: server.running(f"INSERT INTO {table}") == 1)
    connection.close()
    wait_until(lambda: server.running(f"INSERT INTO {table}") == 0)
    assert contents(server, table) == []


def test_insert_without_data_is_no_hang(server: Server, table: str) -> None:
    assert server.post(b"", query=f"INSERT INTO {table} FORMAT CSV").status_code in {200, 400}
    assert server.post(f"INSERT INTO {table} VALUES").status_code in {200, 400, 500}
    assert contents(server, table) == []


def test_query_larger_than_the_limit_is_refused(server: Server) -> None:
    response = server.post("SELECT " + ", ".join(["1"] * 1_000_000))
    assert (response.status_code, response.headers["X-ClickHouse-Exception-Code"]) == (400, "62")
