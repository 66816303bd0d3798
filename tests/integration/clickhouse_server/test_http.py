"""What plain HTTP clients rely on."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
import zlib

import httpx
import lz4.frame
import pytest
import zstandard

from .conftest import ADMIN, READER, Server

CODINGS = {
    "gzip": (gzip.compress, gzip.decompress),
    "zstd": (
        zstandard.ZstdCompressor().compress,
        lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data),
    ),
    "lz4": (lz4.frame.compress, lz4.frame.decompress),
    "deflate": (zlib.compress, zlib.decompress),
}


@pytest.mark.parametrize("path", ["/ping", "/", "/replicas_status"])
def test_health_needs_no_user(server: Server, path: str) -> None:
    assert httpx.get(server.address + path).text == "Ok.\n"
    head = httpx.head(server.address + path)
    assert (head.status_code, head.content) == (200, b"")


def test_unknown_path_and_method_are_refused(server: Server) -> None:
    assert httpx.get(f"{server.address}/nothing").status_code == 404
    assert httpx.request("DELETE", server.address).status_code == 501


def test_query_in_url_in_body_and_in_both(server: Server) -> None:
    assert httpx.get(server.address, params={"query": "SELECT 1"}, auth=ADMIN).text == "1\n"
    assert server.post("SELECT 2").text == "2\n"
    assert server.post("FROM numbers(3)", query="SELECT sum(number)").text == "3\n"


@pytest.mark.parametrize(
    ("version", "more"), [("1", 0), ("54405", 0), ("54453", 0), ("54454", 10), ("54480", 12)]
)
def test_results_in_native_are_reframed_for_clients_that_read_so_alone(
    server: Server, version: str, more: int
) -> None:
    """Eight bytes of information about the block, ten with that of its buckets, and one before each column's data."""
    query = "SELECT 1 AS a, 'b' AS b FORMAT Native"

    plain, asked = server.post(query).content, server.post(query, client_protocol_version=version).content

    assert len(asked) == len(plain) + more
    assert more or asked == plain


def test_headers_tell_id_format_zone_and_summary(server: Server) -> None:
    response = server.post("SELECT number FROM numbers(10) FORMAT JSONEachRow", query_id="my-id")
    assert response.headers["X-ClickHouse-Query-Id"] == "my-id"
    assert response.headers["X-ClickHouse-Format"] == "JSONEachRow"
    assert response.headers["X-ClickHouse-Timezone"] == "UTC"
    assert response.headers["X-ClickHouse-Server-Display-Name"]
    summary = json.loads(response.headers["X-ClickHouse-Summary"])
    assert (summary["result_rows"], summary["read_rows"]) == ("10", "10")


def test_default_format_and_its_header(server: Server) -> None:
    assert server.post("SELECT 1 AS a", default_format="CSVWithNames").text == '"a"\n1\n'
    assert server.post("SELECT 1 AS a", headers={"X-ClickHouse-Format": "JSONEachRow"}).json() == {"a": 1}
    assert server.post("SELECT 1 AS a FORMAT CSV", default_format="JSON").text == "1\n"


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1 AS format",
        "SELECT format FROM (SELECT 1 AS format) ORDER BY format DESC",
        "SELECT 1 FORMAT TabSeparated SETTINGS max_threads = 1",
        "SELECT 1 SETTINGS max_threads = 1 FORMAT TabSeparated;",
        "(SELECT 1) -- a comment; with a semicolon",
        "/* SELECT 2; */ SELECT 1;\n",
        "WITH 1 AS x SELECT x",
        "FROM system.one SELECT 1",
    ],
)
def test_statement_shapes(server: Server, query: str) -> None:
    response = server.post(query)
    assert (response.status_code, response.text) == (200, "1\n"), response.text


@pytest.mark.parametrize(
    "output_format", ["JSON", "JSONCompact", "CSVWithNames", "Parquet", "Arrow", "XML", "Pretty"]
)
def test_many_blocks_are_one_document(server: Server, output_format: str) -> None:
    query = f"SELECT number FROM numbers(200000) FORMAT {output_format}"
    content = server.post(query, max_block_size="1000").content
    if output_format.startswith("JSON"):
        assert json.loads(content)["rows"] == 200_000
    elif output_format == "CSVWithNames":
        assert content.count(b'"number"') == 1
        assert content.count(b"\n") == 200_001
    elif output_format == "Parquet":
        assert (content[:4], content[-4:], content.count(b"PAR1")) == (b"PAR1", b"PAR1", 2)
    assert content


def test_totals_are_kept(server: Server) -> None:
    query = (
        "SELECT number % 2 AS k, count() AS n FROM numbers(10) GROUP BY k WITH TOTALS ORDER BY k FORMAT JSON"
    )
    assert server.post(query).json()["totals"]["n"] == "10" or server.post(query).json()["totals"]["n"] == 10


def test_typed_parameters(server: Server) -> None:
    query = "SELECT {s:String}, {n:UInt8} + 1, {a:Array(String)}, {x:Nullable(String)} IS NULL"
    arguments = {"param_s": 'it\'s\\t"a"', "param_n": "7", "param_a": "['b\\'c']", "param_x": "\\N"}
    assert server.post(query, default_format="JSONCompactEachRow", **arguments).json() == [
        'it\'s\t"a"',
        8,
        ["b'c"],
        1,
    ]


def test_missing_and_wrong_parameters_are_errors(server: Server) -> None:
    assert server.post("SELECT {x:UInt8}").headers["X-ClickHouse-Exception-Code"] == "456"
    assert server.post("SELECT {x:UInt8}", param_x="y").status_code == 400


def test_settings_hold_for_their_request_only(server: Server) -> None:
    query = "SELECT getSetting('max_block_size')"
    usual = server.post(query).text
    assert server.post(query, max_block_size="1234").text == "1234\n"
    assert server.post(query).text == usual
    assert server.post("SELECT 1", no_such_setting="1").headers["X-ClickHouse-Exception-Code"] == "115"


def test_set_without_a_session_is_forgotten(server: Server) -> None:
    assert server.post("SET max_block_size = 4321").status_code == 200
    assert server.post("SELECT getSetting('max_block_size')").text != "4321\n"


def test_queries_see_final_rows(server: Server) -> None:
    server.post("CREATE TABLE seen_final (k UInt8, v UInt8) ENGINE = ReplacingMergeTree ORDER BY k")
    server.post("SYSTEM STOP MERGES seen_final")
    for value in (1, 2):
        server.post(f"INSERT INTO seen_final VALUES (1, {value})")
    assert server.post("SELECT v FROM seen_final").text == "2\n"
    assert server.post("SELECT count() FROM seen_final", final="0").text == "2\n"


def test_database_parameter(server: Server) -> None:
    server.post("CREATE DATABASE IF NOT EXISTS elsewhere")
    assert server.post("SELECT currentDatabase()", database="elsewhere").text == "elsewhere\n"
    assert server.post("SELECT currentDatabase()").text == "default\n"
    assert server.post("SELECT 1", database="nowhere").status_code == 404


@pytest.mark.parametrize(
    ("query", "status", "code", "name"),
    [
        ("SELECT * FROM nothing", 404, 60, "UNKNOWN_TABLE"),
        ("SELECT FROM WHERE", 400, 62, "SYNTAX_ERROR"),
        ("SELECT nothing", 400, 47, "UNKNOWN_IDENTIFIER"),
        ("SELECT 1; SELECT 2", 400, 62, "SYNTAX_ERROR"),
        ("SELECT 'unfinished", 400, 62, "SYNTAX_ERROR"),
        ("", 400, 62, "SYNTAX_ERROR"),
        ("SELECT throwIf(1)", 500, 395, "FUNCTION_THROW_IF_VALUE_IS_NON_ZERO"),
        ("SELECT 1 INTO OUTFILE '/tmp/x'", 501, 48, "NOT_IMPLEMENTED"),
    ],
)
def test_exceptions(server: Server, query: str, status: int, code: int, name: str) -> None:
    response = server.post(query)
    assert response.status_code == status
    assert response.headers["X-ClickHouse-Exception-Code"] == str(code)
    assert response.text.startswith(f"Code: {code}. DB::Exception: ")
    assert f"({name})" in response.text


def test_exception_after_the_first_rows_is_told_and_the_body_stays_unfinished(server: Server) -> None:
    query = "SELECT throwIf(number = 5000000), number FROM numbers(6000000) SETTINGS max_threads = 1"
    received = b""
    plain = {"Accept-Encoding": "identity"}
    with httpx.stream("POST", server.address, content=query, auth=ADMIN, headers=plain) as response:
        assert response.status_code == 200
        tag = response.headers["X-ClickHouse-Exception-Tag"]
        with pytest.raises(httpx.RemoteProtocolError):  # noqa: PT012
            for piece in response.iter_raw():
                received = (received + piece)[-4096:]
    assert b"Code: 395." in received
    assert f"__exception__\r\n{tag}\r\n".encode() in received


def test_users(server: Server) -> None:
    name, password = ADMIN
    accepted = [
        {"auth": ADMIN},
        {"headers": {"X-ClickHouse-User": name, "X-ClickHouse-Key": password}},
        {"params": {"query": "SELECT 1", "user": name, "password": password}},
        {"auth": READER},
    ]
    for options in accepted:
        assert httpx.get(server.address, **{"params": {"query": "SELECT 1"}, **options}).text == "1\n"
    refused = [
        {"auth": (name, "wrong")},
        {"auth": ("nobody", password)},
        {"headers": {"X-ClickHouse-User": name}},
    ]
    for options in refused:
        response = httpx.get(server.address, params={"query": "SELECT 1"}, **options)
        assert (response.status_code, response.headers["X-ClickHouse-Exception-Code"]) == (403, "516")
    nobody = httpx.get(server.address, params={"query": "SELECT 1"})
    assert (nobody.status_code, nobody.headers["X-ClickHouse-Exception-Code"]) == (401, "516")
    assert nobody.headers["WWW-Authenticate"].startswith("Basic")


def test_get_does_not_write(server: Server) -> None:
    response = httpx.get(
        server.address, params={"query": "CREATE TABLE by_get (a UInt8) ENGINE = Memory"}, auth=ADMIN
    )
    assert response.headers["X-ClickHouse-Exception-Code"] == "164"
    assert server.post("EXISTS TABLE by_get").text == "0\n"


@pytest.mark.parametrize("coding", CODINGS)
def test_compression_both_ways(server: Server, table: str, coding: str) -> None:
    compress, decompress = CODINGS[coding]
    rows = "".join(f"{number}\ttext {number}\n" for number in range(50_000)).encode()
    headers = {"Content-Encoding": coding, "Accept-Encoding": coding}
    assert (
        server.post(compress(rows), query=f"INSERT INTO {table} FORMAT TSV", headers=headers).status_code
        == 200
    )
    with httpx.stream(
        "POST",
        server.address,
        content=f"SELECT * FROM {table} ORDER BY a",
        auth=ADMIN,
        headers=headers | {"Content-Encoding": ""},
    ) as response:
        assert response.headers["Content-Encoding"] == coding
        assert decompress(b"".join(response.iter_raw())) == rows


def test_what_cannot_be_decompressed_is_an_error(server: Server, table: str) -> None:
    for coding in ("gzip", "zstd", "lz4", "br"):
        response = server.post(
            b"not compressed", query=f"INSERT INTO {table} FORMAT TSV", headers={"Content-Encoding": coding}
        )
        assert response.status_code == 400, coding
    cut = gzip.compress(b"1\ta\n" * 100_000)[:-20]
    assert (
        server.post(
            cut, query=f"INSERT INTO {table} FORMAT TSV", headers={"Content-Encoding": "gzip"}
        ).status_code
        == 400
    )
    assert server.post("SELECT 1", compress="1").status_code == 400
    assert server.post(f"SELECT count() FROM {table}").text == "0\n"


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl(server: Server, table: str) -> None:
    def curl(*arguments: str, data: bytes = b"") -> str:
        command = ["curl", "-sS", "--fail-with-body", "--max-time", "60", "-u", ":".join(ADMIN), *arguments]
        return subprocess.run(command, input=data, capture_output=True, check=True).stdout.decode()

    assert curl(server.address, "-d", "SELECT 1") == "1\n"
    assert curl("--get", server.address, "--data-urlencode", "query=SELECT 'a b'") == "a b\n"
    rows = b"".join(b"%d,text\n" % number for number in range(300_000))
    curl(f"{server.address}/?query=INSERT+INTO+{table}+FORMAT+CSV", "--data-binary", "@-", data=rows)
    assert curl("--compressed", server.address, "-d", f"SELECT count() FROM {table}") == "300000\n"
