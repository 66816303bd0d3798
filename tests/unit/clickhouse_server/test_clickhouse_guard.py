"""What the guard passes and refuses, given statements as the engine writes them."""

from __future__ import annotations

import pytest

from neonblue.clickhouse_server.errors import ClickHouseError
from neonblue.clickhouse_server.guard import Guard
from neonblue.clickhouse_server.limits import QueryLimits
from neonblue.clickhouse_server.rights import reader
from neonblue.clickhouse_server.statement import read

LIMIT = 256 * 1024


@pytest.fixture(scope="module")
def guard() -> Guard:
    """Of an engine that has, beside today's, names that no list knows."""
    limits = QueryLimits(execution_time=60, memory=1024**3)
    formats = reader().formats | {"Template", "FormatOfTomorrow"}
    functions = reader().functions | {"file", "functionOfTomorrow", "tableFunctionOfTomorrow"}
    return Guard(reader(), limits, formats, functions)


def judge(guard: Guard, query: str, **parameters: str) -> None:
    passed = guard.passed(read(query.encode(), LIMIT))
    guard.check_identifiers(passed, parameters)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT functionOfTomorrow(1)",
        "SELECT FUNCTIONOFTOMORROW(1)",
        "SELECT `functionOfTomorrow`(1)",
        "SELECT a FROM tableFunctionOfTomorrow(1)",
        "SELECT * APPLY functionOfTomorrow FROM t",
        "SELECT * APPLY (functionOfTomorrow) FROM t",
        "SELECT * APPLY x -> functionOfTomorrow(x) FROM t",
        "SELECT arrayMap(x -> functionOfTomorrow(x), a) FROM t",
        "SELECT functionOfTomorrowIf(1, 1)",
        "SELECT sumIfOfTomorrow(1)",
        "SELECT 1 FORMAT FormatOfTomorrow",
        "SELECT 1 FORMAT `FormatOfTomorrow`",
        "SELECT 1 FORMAT formatoftomorrow",
        "SELECT formatRow('FormatOfTomorrow', 1)",
        "SELECT * FROM format(Template, '')",
        "SELECT * FROM format('Template', '')",
        "SELECT 1 SETTINGS setting_of_tomorrow = 1",
        "SELECT * FROM (SELECT 1 SETTINGS max_threads = 1, setting_of_tomorrow = 1)",
        "SELECT 1 SETTINGS max_threads = 1, limit = 1, setting_of_tomorrow = 'a'",
        "SELECT 1 SETTINGS max_threads = 1 UNION ALL SELECT 1 SETTINGS setting_of_tomorrow = 1",
        "SELECT 1 FORMAT JSON SETTINGS setting_of_tomorrow = 1",
        "SELECT * FROM system.table_of_tomorrow",
        "SELECT * FROM `system`.`table_of_tomorrow`",
        "SELECT * FROM `system.table_of_tomorrow`",
        "SELECT 1 IN (system.table_of_tomorrow)",
        "SHOW THINGS_OF_TOMORROW",
        "SHOW FULL THINGS_OF_TOMORROW",
        "VERB_OF_TOMORROW a",
    ],
)
def test_a_name_that_only_a_later_engine_has_is_refused(guard: Guard, query: str) -> None:
    with pytest.raises(ClickHouseError):
        judge(guard, query)


@pytest.mark.parametrize(
    "query",
    [
        "SHOW PROCESSLIST",
        "SHOW GRANTS",
        "SHOW CREATE USER default",
        "SET max_threads = 1",
        "SET param_x = 'system'",
        "USE system",
        "USE {d:Identifier}",
        "USE default PARALLEL WITH KILL QUERY WHERE 1 ASYNC",
        "USE default PARALLEL WITH USE system",
        "USE default UNION ALL SELECT 1",
        "SELECT 1 PARALLEL WITH DROP TABLE t",
        "CHECK TABLE t",
        "SELECT * FROM merge('system', '^processes$')",
        "SELECT * FROM `/etc/passwd`",
        "SELECT * FROM default.`server/config.xml`",
        "SELECT * FROM t INNER JOIN `data/file.csv` AS u USING (a)",
        "SELECT 1 IN (`/etc/passwd`)",
        "DESCRIBE TABLE `/etc/passwd`",
        "SHOW CREATE TABLE `../neonblue.env`",
        "SELECT 1 SETTINGS max_memory_usage = 0",
        "SELECT 1 SETTINGS max_memory_usage = '100G'",
        "SELECT 1 SETTINGS max_memory_usage = 0.5",
        "SELECT 1 SETTINGS max_memory_usage = 0, max_memory_usage = 1",
        "SELECT * FROM (SELECT 1 SETTINGS max_memory_usage = 0) SETTINGS max_memory_usage = 1",
        "SELECT * FROM (SELECT 1 SETTINGS session_timezone = '/a') SETTINGS session_timezone = 'UTC'",
        "SELECT * FROM system.{t:Identifier}",
        "SELECT a FROM values('x UInt8, a String ALIAS file(\\'/etc/passwd\\')', 1)",
        "SELECT a FROM VALUES('x UInt8, a String ALIAS 1', 1)",
        "SELECT a FROM generateRandom('x UInt8, a String ALIAS 1')",
        "SELECT a FROM null('a String')",
        "SELECT a FROM NULL('a String')",
        "SELECT a FROM format(JSONEachRow, 'a String ALIAS 1', '{}')",
        "SELECT a FROM t, format('JSONEachRow', 'a String ALIAS 1', '{}')",
        "DESCRIBE TABLE format('x')",
        "SELECT a FROM format({t:String}, 'a String ALIAS 1', '{}')",
        "SELECT arrayReduce('groupConcat(file(\\'/etc/passwd\\'))', ['a', 'b'])",
        "SELECT arrayReduce('groupConcat(f)', ['a', 'b'])",
        "SELECT arrayReduce(concat('groupConcat(', 'file(1))'), ['a', 'b'])",
        "SELECT arrayReduce({t:String}, ['a', 'b'])",
        "SELECT ARRAYREDUCE(a, ['a', 'b'])",
        "SELECT arrayReduce(sum, ['a', 'b']) FROM (SELECT 'groupConcat(file(1))' AS sum)",
        "SELECT arrayReduce(`sum`, ['a', 'b']) FROM (SELECT 'groupConcat(file(1))' AS sum)",
        "SELECT formatRow(JSON, 1) FROM (SELECT 'Template' AS JSON)",
        "SELECT arrayReduceInRanges('groupConcat(f())', [(1, 2)], ['a'])",
        "SELECT initializeAggregation('flameGraph', 1)",
        "SELECT * APPLY initializeAggregation FROM (SELECT 'groupConcat(file(1))')",
        "SELECT * APPLY x -> initializeAggregation(x, 1) FROM t",
    ],
)
def test_what_reaches_others_or_files_is_refused(guard: Guard, query: str) -> None:
    with pytest.raises(ClickHouseError):
        judge(guard, query, d="system", t="one")


@pytest.mark.parametrize(
    "value", ["system", "SYSTEM.processes", "default. system", "/etc/passwd", "a\\x2fb", "`a`"]
)
def test_a_parameter_names_neither_a_file_nor_a_system_table(guard: Guard, value: str) -> None:
    with pytest.raises(ClickHouseError, match="the parameter Name"):
        judge(guard, "SELECT * FROM {Name:Identifier}", Name=value)


@pytest.mark.parametrize(
    "query",
    [
        "WITH t (a, b) AS (SELECT 1, 2) SELECT * FROM t",
        "SELECT a FROM (SELECT 1) AS x (a)",
        "SELECT sum(x) OVER (PARTITION BY y ORDER BY z ASC), rank() OVER w FROM t WINDOW w AS (ORDER BY a ASC)",
        "SELECT sumIf(a, b), countDistinctIf(a, b), quantileTDigestArrayState(0.5)(a) FROM t",
        "SELECT avgOrNullIf(a, b), sumSimpleState(a), sumMapMerge(b), argMinArgMax(a, b, c) FROM t",
        "SELECT * EXCEPT (a) REPLACE (s AS s) APPLY toString FROM t",
        "SELECT * APPLY x -> (x + 1) FROM t",
        "SELECT apply, settings, format, system FROM t WHERE settings = 1",
        "SELECT settings AS a, b = 1 FROM t",
        "SELECT data.system.version FROM t",
        "SELECT arrayReduce('sum', [1, 2]), arrayReduce('quantiles(0.5, 0.9)', a) FROM t",
        "SELECT initializeAggregation('uniqState', 1)",
        "SELECT a IS NULL, (NULL) FROM t",
        "SELECT format('{} {}', a, b) FROM t",
        "SELECT a AS `a/b` FROM t GROUP BY `a/b` ORDER BY `a/b` ASC",
        "SELECT {a:Decimal(10, 2)}, {b:Array(String)}",
        "SELECT 1 SETTINGS max_threads = 1, output_format_json_quote_64bit_integers = 0 FORMAT JSON",
        "SELECT name FROM system.tables",
        "SELECT * FROM information_schema.tables",
        "SHOW CREATE TABLE t",
        "SHOW FULL TABLES FROM default",
        "EXPLAIN PIPELINE graph = 1 SELECT 1",
        "EXISTS TABLE t",
        "SELECT a FROM t GROUP BY GROUPING SETS ((a), ())",
        "SELECT parallel FROM t GROUP BY parallel WITH TOTALS",
        "USE default",
        "USE `of the team`",
    ],
)
def test_what_a_reader_needs_is_passed(guard: Guard, query: str) -> None:
    judge(guard, query)


def test_parameters_may_name_columns_and_tables(guard: Guard) -> None:
    judge(guard, "SELECT {c:Identifier} FROM {t:Identifier}", c="variant_key", t="default.events")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_memory_usage", "0"),
        ("max_memory_usage", "-1"),
        ("max_memory_usage", "1G"),
        ("max_memory_usage", "1e9"),
        ("max_memory_usage", str(1024**3 + 1)),
        ("max_memory_usage", "9" * 40),
        ("max_memory_usage", "0.5"),
        ("max_execution_time", "0"),
        ("max_execution_time", "61"),
        ("max_execution_time", "nan"),
        ("max_execution_time", "0.0000001"),  # no time at all is no limit
        ("max_threads", "0.5"),
        ("max_threads", "500"),
        ("max_threads", "auto"),
        ("max_block_size", "100000000"),
        ("readonly", "0"),
        ("readonly", "2"),
        ("session_timezone", "../../etc/passwd"),
        ("session_timezone", "/etc/passwd"),
    ],
)
def test_limits_go_downwards_only(guard: Guard, name: str, value: str) -> None:
    with pytest.raises(ClickHouseError):
        guard.check_settings({name: value})


def test_what_a_client_asks_for_within_the_limits_is_passed(guard: Guard) -> None:
    guard.check_settings(
        {"max_memory_usage": str(1024**3), "max_execution_time": "0.5", "max_threads": "4", "readonly": "1"}
        | {"session_timezone": "Europe/Vienna", "output_format_pretty_color": "1"}
    )


def test_judging_takes_time_in_proportion_to_the_text(guard: Guard) -> None:
    """64,000 names took minutes where each was looked at with all those before it."""
    for query in ("SELECT " + "a, " * 64_000 + "1", "SELECT " + "f(a), ".replace("f", "sum") * 30_000 + "1"):
        judge(guard, query)
    with pytest.raises(ClickHouseError):
        judge(guard, "SELECT " + "If" * 100_000 + "(a)")
    judge(guard, " UNION ALL ".join(["SELECT 1 SETTINGS limit = 1"] * 6_000))
