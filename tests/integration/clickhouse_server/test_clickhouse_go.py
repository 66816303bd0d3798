"""What Grafana's ClickHouse plugin asks with: the client for Go, over HTTP, with its own protocol version."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from .conftest import READER, Server

_SOURCE = Path(__file__).with_name("clickhouse_go")
_QUERIES = {
    "SELECT 'a' AS s, toUInt32(3) AS n, toDateTime('2026-01-02 03:04:05', 'UTC') AS t": [
        ["a", "3", "2026-01-02 03:04:05 +0000 UTC"]
    ],
    "SELECT toNullable(1.5), toLowCardinality('b'), toDecimal64('1.25', 3), [[1, 2], [3]]::Array(Array(UInt8))": [
        ["1.5", "b", "1.25", "[[1 2] [3]]"]
    ],
    "SELECT number AS n, map('k', toLowCardinality(toString(n))) AS m FROM numbers(2)": [
        ["0", "map[k:0]"],
        ["1", "map[k:1]"],
    ],
    "SELECT 1 AS x WHERE x = 2": [],
    "SELECT count(), sum(length(s)) FROM (SELECT repeat('x', number % 7) AS s FROM numbers(10))": [
        ["10", "24"]
    ],
}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The client's program, built."""
    go = shutil.which("go")
    if go is None:
        pytest.skip("Go is not installed")
    fetched = subprocess.run([go, "mod", "download"], cwd=_SOURCE, check=False, timeout=600)
    if fetched.returncode:
        pytest.skip("the client's modules can't be fetched")
    built = tmp_path_factory.mktemp("clickhouse_go") / "client"
    subprocess.run(
        [go, "build", "-o", str(built), "."],
        cwd=_SOURCE,
        check=True,
        timeout=900,
        env=os.environ | {"GOFLAGS": "-mod=readonly"},
    )
    return built


def asked(program: Path, server: Server, *queries: str) -> list[list[list[str]]]:
    """The rows of each query."""
    address = server.address.removeprefix("http://")
    said = subprocess.run(
        [str(program), address, *READER, *queries], check=True, capture_output=True, text=True, timeout=120
    )
    return [json.loads(line) for line in said.stdout.splitlines()]


def test_the_client_for_go_reads_what_it_asks_for(program: Path, server: Server) -> None:
    assert asked(program, server, *_QUERIES) == list(_QUERIES.values())


def test_a_result_of_many_blocks_arrives_whole(program: Path, server: Server) -> None:
    query = (
        "SELECT number AS n, toString(number) AS s, range(number % 3) AS r FROM numbers(200000) ORDER BY n"
    )
    (rows,) = asked(program, server, query)
    assert rows == [[str(n), str(n), f"[{' '.join(map(str, range(n % 3)))}]"] for n in range(200_000)]


def test_an_error_is_told_and_a_type_whose_end_cannot_be_told_names_itself(
    program: Path, server: Server
) -> None:
    missing, state = asked(program, server, "SELECT missing", "SELECT uniqState(1) AS state")
    assert "UNKNOWN_IDENTIFIER" in missing[0][1]
    assert "AggregateFunction(uniq, UInt8) can't be sent" in state[0][1]
