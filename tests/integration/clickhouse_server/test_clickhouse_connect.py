"""clickhouse-connect's own calls."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError, StreamFailureError

from .conftest import READER, Server


def test_query_types(client: Client) -> None:
    query = (
        "SELECT 1::UInt8 AS a, 'x' AS b, NULL::Nullable(Int32) AS c, [1, 2]::Array(UInt16) AS d, "
        "toDecimal64('1.5', 2) AS e, toDateTime('2024-01-02 03:04:05', 'UTC') AS f, map('k', 1) AS g"
    )
    result = client.query(query)
    assert result.column_names == ("a", "b", "c", "d", "e", "f", "g")
    expected = (1, "x", None, [1, 2], Decimal("1.50"), datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC), {"k": 1})
    row = result.result_rows[0]
    assert (*row[:5], row[5].replace(tzinfo=UTC), row[6]) == expected


def test_empty_result_still_names_its_columns_where_the_client_asks(client: Client) -> None:
    assert client.query("SELECT number AS n FROM numbers(3) LIMIT 0").column_names == ("n",)
    assert client.query("SELECT number AS n FROM numbers(3) WHERE n > 5").result_rows == []


def test_parameters_too_long_for_a_url_come_as_a_form(client: Client) -> None:
    names = [f"name \N{SNOWMAN} '{number}\t\\;" for number in range(2_000)]
    query = "SELECT length({names:Array(String)}), {names:Array(String)}[2000], {other:UInt8}"
    assert client.query(query, parameters={"names": names, "other": 7}).result_rows == [(2_000, names[-1], 7)]


def test_insert_and_read_back(client: Client, table: str) -> None:
    rows = [[number, f"text\n{number}\t'"] for number in range(150_000)]
    summary = client.insert(table, rows, column_names=["a", "s"])
    assert summary.written_rows == len(rows)
    assert client.query(f"SELECT * FROM {table} ORDER BY a").result_rows == [tuple(row) for row in rows]


@pytest.mark.parametrize("compression", [False, "lz4", "zstd", "gzip"])
def test_compressions(server: Server, table: str, compression: str | bool) -> None:
    with server.client(compress=compression) as client:
        client.insert(table, [[number, "text"] for number in range(50_000)], column_names=["a", "s"])
        assert sum(client.query(f"SELECT a FROM {table}").result_columns[0]) == sum(range(50_000))


def test_numpy_and_arrow(client: Client, table: str) -> None:
    pytest.importorskip("numpy")
    assert client.query_np("SELECT number FROM numbers(70000)").sum() == sum(range(70_000))
    arrow = pytest.importorskip("pyarrow")
    found = client.query_arrow("SELECT number::UInt32 AS a, toString(number) AS s FROM numbers(70000)")
    assert (found.num_rows, found.column_names) == (70_000, ["a", "s"])
    client.insert_arrow(table, found.cast(arrow.schema([("a", arrow.uint32()), ("s", arrow.string())])))
    assert client.command(f"SELECT count() FROM {table}") == 70_000


def test_command_and_parameters(client: Client, table: str) -> None:
    client.command(f"INSERT INTO {table} VALUES (1, 'a'), (2, 'b')")
    query = f"SELECT s FROM {table} WHERE a = {{a:UInt32}} AND s IN {{s:Array(String)}}"
    assert client.query(query, parameters={"a": 2, "s": ["b", "it's\t\n\\"]}).result_rows == [("b",)]
    assert client.query("SELECT %(text)s", parameters={"text": "it's\t\n\\"}).first_row == ("it's\t\n\\",)
    assert client.command("SELECT 1 + 1") == 2
    assert client.command(f"EXISTS TABLE {table}") == 1


def test_raw_calls(client: Client, table: str) -> None:
    client.raw_insert(table, ["a", "s"], "1,x\n2,y\n", fmt="CSV")
    client.raw_insert(table, ["a", "s"], io.BytesIO(b'{"a":3,"s":"z"}\n'), fmt="JSONEachRow")
    assert client.raw_query(f"SELECT a FROM {table} ORDER BY a", fmt="CSVWithNames") == b'"a"\n1\n2\n3\n'
    assert client.raw_stream(f"SELECT s FROM {table} ORDER BY a", fmt="TSV").read() == b"x\ny\nz\n"


def test_settings_of_client_and_call(server: Server) -> None:
    query = "SELECT getSetting('max_block_size'), getSetting('final')"
    with server.client(settings={"max_block_size": 1000}) as client:
        assert client.query(query).first_row == (1000, True)
        assert client.query(query, settings={"max_block_size": 2000, "final": 0}).first_row == (2000, False)
        assert client.query(query).first_row == (1000, True)
        client.command("SET max_threads = 1")
        assert client.query("SELECT getSetting('max_threads')").first_row == (1,)


def test_session_keeps_temporary_tables(server: Server, client: Client) -> None:
    client.command("CREATE TEMPORARY TABLE kept (x UInt8)")
    client.insert("kept", [[1], [2]], column_names=["x"])
    assert client.query("SELECT sum(x) FROM kept").first_row == (3,)
    with server.client() as other, pytest.raises(DatabaseError, match="UNKNOWN_TABLE"):
        other.query("SELECT * FROM kept")


def test_streams(client: Client) -> None:
    with client.query_row_block_stream("SELECT number FROM numbers(1000000)") as blocks:
        sizes = [len(block) for block in blocks]
    assert (sum(sizes), len(sizes) > 1) == (1_000_000, True)
    with client.query_rows_stream("SELECT number FROM numbers(10)") as rows:
        assert [row[0] for row in rows] == list(range(10))


def test_stream_that_fails_half_way_raises(client: Client) -> None:
    query = "SELECT throwIf(number = 9000000), number FROM numbers(10000000) SETTINGS max_threads = 1"
    with pytest.raises(StreamFailureError, match="395"), client.query_row_block_stream(query) as blocks:
        for _ in blocks:
            pass


def test_errors(client: Client) -> None:
    with pytest.raises(DatabaseError, match=r"(?s)code: 60.*UNKNOWN_TABLE"):
        client.query("SELECT * FROM nothing")
    with pytest.raises(DatabaseError, match="code: 395"):
        client.query("SELECT throwIf(number = 2000000) FROM numbers(3000000)")
    with pytest.raises(DatabaseError, match="code: 117"):
        client.query("SELECT * FROM format(CSV, 'a UInt8', 'x')")


def test_wrong_password(server: Server) -> None:
    with pytest.raises(DatabaseError, match="516"):
        server.client(("admin", "wrong"))


def test_reader_can_read(server: Server) -> None:
    with server.client(READER) as client:
        assert client.query("SELECT sum(number) FROM numbers(10)").first_row == (45,)
