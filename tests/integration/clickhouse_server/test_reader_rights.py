"""Every name that the installed engine has: what is on no list of the reader's is refused, by a real request."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from importlib.resources import files

import httpx
import pytest

from neonblue.clickhouse_server.request import OF_TRANSPORT
from neonblue.clickhouse_server.rights import KINDS, reader
from neonblue.clickhouse_server.rights.__main__ import QUERIES, allowed

from .conftest import ADMIN, READER, Server

REFUSAL = "Cannot execute query in readonly mode"


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    with httpx.Client(auth=READER, trust_env=False, timeout=60) as client:
        yield client


def names(server: Server, query: str) -> list[str]:
    return server.post(query, user=ADMIN).text.split("\n")[:-1]


def ask(http: httpx.Client, server: Server, query: str, **settings: str) -> httpx.Response:
    return http.post(server.address, content=query, params=settings)


def told(kind: str, refused: int, all_names: int) -> None:
    print(f"{kind}: {refused} of the engine's {all_names} are refused")


@pytest.mark.parametrize("kind", [*KINDS, "aggregates"])
def test_the_lists_are_those_of_the_installed_engine(server: Server, kind: str) -> None:
    """After an upgrade this names what is new and what is gone: review it, and make the lists anew."""
    reviewed = tomllib.loads(files("neonblue.clickhouse_server.rights").joinpath("reviewed.toml").read_text())
    now = set(allowed(names(server, QUERIES[kind]), reviewed["functions" if kind == "aggregates" else kind]))
    listed = getattr(reader(), kind)
    assert {"new": now - listed, "gone": listed - now} == {"new": set(), "gone": set()}


def test_every_other_setting_is_refused(server: Server, http: httpx.Client) -> None:
    every = names(server, "SELECT name FROM system.settings")
    others = [name for name in every if name not in reader().settings]
    told("settings", len(others), len(every))
    let_through = []
    for name in others:
        if name in OF_TRANSPORT:
            continue
        answer = ask(http, server, "SELECT 1", **{name: "1"})
        if answer.status_code != 403 or REFUSAL not in answer.text:
            let_through.append((name, answer.text))
    assert let_through == []


def test_settings_of_the_transport_reach_no_query(server: Server, http: httpx.Client) -> None:
    query = "SELECT count() FROM system.settings WHERE changed AND name LIKE '%http%'"
    answer = ask(
        http, server, query, http_response_headers="{'a':'b'}", http_headers_progress_interval_ms="7"
    )
    assert answer.text == "0\n"
    assert "a" not in answer.headers


def test_every_other_setting_is_refused_in_a_statement(server: Server, http: httpx.Client) -> None:
    every = names(server, "SELECT name FROM system.settings")
    for name in [name for name in every if name not in reader().settings]:
        answer = ask(http, server, f"SELECT * FROM (SELECT 1 SETTINGS max_threads = 1, {name} = 1)")
        assert answer.status_code == 403, (name, answer.text)


def test_every_setting_of_the_list_is_accepted_with_the_engines_default(
    server: Server, http: httpx.Client
) -> None:
    defaults = dict(row.split("\t", 1) for row in names(server, "SELECT name, default FROM system.settings"))
    own = {
        "max_execution_time": "1",
        "max_memory_usage": "100000000",
        "max_result_bytes": "1000000",
        "readonly": "1",
    }
    own |= {
        "max_temporary_data_on_disk_size_for_query": "1000",
        "max_threads": "1",
        "max_block_size": "65000",
    }
    for name in sorted(reader().settings):
        answer = ask(http, server, "SELECT 1", **{name: own.get(name, defaults[name])})
        assert (answer.status_code, answer.text) == (200, "1\n"), (name, answer.text)


def test_every_other_format_is_refused(server: Server, http: httpx.Client) -> None:
    every = names(server, "SELECT name FROM system.formats")
    listed = {name.lower() for name in reader().formats}
    others = [name for name in every if name.lower() not in listed]
    told("formats", len(others), len(every))
    for name in others:
        for spelled in (name, name.upper()):
            in_header = http.post(
                server.address, content="SELECT 1", headers={"X-ClickHouse-Format": spelled}
            )
            answers = [
                ask(http, server, "SELECT 1", default_format=spelled),
                ask(http, server, f"SELECT 1 FORMAT {spelled}"),
                ask(http, server, f"SHOW TABLES FORMAT {spelled}"),
                ask(http, server, f"SELECT formatRow('{spelled}', 1)"),
                ask(http, server, f"SELECT * FROM format({spelled}, '1')"),
                in_header,
            ]
            assert {answer.status_code for answer in answers} <= {400, 403}, (name, [a.text for a in answers])


def test_every_format_of_the_list_is_accepted(server: Server, http: httpx.Client) -> None:
    query = "SELECT toUInt8(1) AS a"
    for name in sorted(reader().formats):
        text = "SELECT 'x' AS a" if name.startswith(("LineAsString", "RawBLOB")) else query
        answer = ask(http, server, text, default_format=name)
        assert answer.status_code == 200, (name, answer.text)


def test_every_other_function_is_refused(server: Server, http: httpx.Client) -> None:
    every = names(server, "SELECT DISTINCT name FROM system.functions")
    others = [name for name in every if name.lower() not in reader().functions]
    told("functions", len(others), len(every))
    for name in others:
        for query in (
            f"SELECT `{name}`('x', 1)",
            f"SELECT {name.upper()}('x', 1)",
            f"SELECT arrayMap(x -> `{name}`(x), [1])",
            f"SELECT * APPLY `{name}` FROM system.one",
            f"WITH `{name}`(1) AS a SELECT a",
            f"EXPLAIN AST SELECT `{name}`(1)",
        ):
            answer = ask(http, server, query)
            assert answer.status_code in {400, 403}, (query, answer.text)
            assert REFUSAL in answer.text or "UNKNOWN_FUNCTION" in answer.text, (query, answer.text)


def test_every_function_of_the_list_passes_the_guard(server: Server, http: httpx.Client) -> None:
    """It may want other arguments, of which the engine tells."""
    every = names(server, "SELECT DISTINCT name FROM system.functions WHERE NOT is_aggregate")
    for name in [name for name in every if name.lower() in reader().functions]:
        answer = ask(http, server, f"EXPLAIN SYNTAX SELECT {name}(1)")
        assert "not for the read-only user" not in answer.text, (name, answer.text)


def test_every_other_table_function_is_refused(server: Server, http: httpx.Client) -> None:
    every = names(server, "SELECT name FROM system.table_functions")
    others = [name for name in every if name.lower() not in reader().table_functions]
    told("table functions", len(others), len(every))
    for name in others:
        for query in (f"SELECT * FROM `{name}`('x', 'y')", f"DESCRIBE TABLE {name.upper()}('x')"):
            answer = ask(http, server, query)
            assert answer.is_client_error, (query, answer.text)


def test_every_other_system_table_is_refused(server: Server, http: httpx.Client) -> None:
    every = names(server, "SELECT name FROM system.tables WHERE database = 'system'")
    others = [name for name in every if name not in reader().system_tables]
    told("system tables", len(others), len(every))
    for name in others:
        for query in (
            f"SELECT * FROM system.{name}",
            f"DESCRIBE TABLE `system` . `{name}`",
            f"SELECT 1 IN system.{name}",
        ):
            answer = ask(http, server, query)
            assert (answer.status_code, REFUSAL in answer.text) == (403, True), (query, answer.text)
        assert ask(http, server, f"SELECT * FROM {name}", database="system").status_code == 403
    for name in sorted(reader().system_tables):
        assert ask(http, server, f"SELECT * FROM system.{name} LIMIT 1").is_success, name


def test_no_engine_of_tables_is_reached(server: Server, http: httpx.Client) -> None:
    every = names(server, "SELECT name FROM system.table_engines")
    told("table engines", len(every), len(every))
    for name in every:
        for query in (
            f"CREATE TABLE x (a UInt8) ENGINE = {name}",
            f"CREATE TEMPORARY TABLE x (a UInt8) ENGINE = {name}",
        ):
            assert ask(http, server, query).status_code == 403, query
