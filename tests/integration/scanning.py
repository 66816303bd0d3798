"""Where a text is still found: every column of every table of PostgreSQL and ClickHouse, every key of Valkey."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import psycopg
import redis
from clickhouse_connect.driver.client import Client
from psycopg import sql

POSTGRES_COLUMNS = """
SELECT class.relnamespace::regnamespace::text, class.relname, attname, atttypid::regtype::text
FROM pg_attribute JOIN pg_class AS class ON class.oid = attrelid
WHERE attnum > 0 AND NOT attisdropped AND class.relkind IN ('r', 'p', 'm') AND NOT class.relispartition
    AND class.relnamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema')
    AND class.relnamespace::regnamespace::text NOT LIKE 'pg_toast%' AND class.relpersistence <> 't'
"""
# What the planner sampled of the tables.
POSTGRES_STATISTICS = """
SELECT tablename || '.' || attname FROM pg_stats
WHERE NOT tablename LIKE ANY(%s) AND strpos(concat(most_common_vals::text, histogram_bounds::text), %s) > 0
"""
CLICKHOUSE_COLUMNS = """
SELECT columns.database, columns.table, columns.name
FROM system.columns AS columns
INNER JOIN system.tables AS tables ON columns.database = tables.database AND columns.table = tables.name
WHERE columns.database NOT IN ('system', 'information_schema', 'INFORMATION_SCHEMA')
    AND tables.engine NOT IN ('Kafka', 'Null', 'MaterializedView')
    -- What a refresh is writing, and swaps in a moment.
    AND NOT startsWith(columns.table, '.tmp.')
"""


def in_postgres(dsn: str, needles: Iterable[str], skip: Sequence[str] = ()) -> set[str]:
    """`table.column` wherever one of the texts is part of a value, also in the planner's statistics."""
    found: set[str] = set()
    with psycopg.connect(dsn, autocommit=True) as connection:
        columns = connection.execute(POSTGRES_COLUMNS.encode()).fetchall()
        assert len(columns) > 50, "the catalogue was read"
        for schema, table, column, kind in columns:
            for needle in needles:
                if table not in skip and _held(connection, schema, table, column, kind, needle):
                    found.add(f"{table}.{column}")
        patterns = [f"{table}%" for table in skip]
        for needle in needles:
            found.update(
                f"pg_stats: {name}" for (name,) in connection.execute(POSTGRES_STATISTICS, (patterns, needle))
            )
    return found


def _held(
    connection: psycopg.Connection, schema: str, table: str, column: str, kind: str, needle: str
) -> bool:
    name = sql.Identifier(column)
    place = sql.SQL("position(convert_to(%s, 'UTF8') IN {})" if kind == "bytea" else "strpos({1}::text, %s)")
    statement = sql.SQL("SELECT 1 FROM {} WHERE {} > 0 LIMIT 1").format(
        sql.Identifier(schema, table), place.format(name, name)
    )
    return connection.execute(statement, (needle,)).fetchone() is not None


def in_clickhouse(client: Client, needles: Iterable[str]) -> set[str]:
    """`table.column` wherever one of the texts is part of a value, also in views and in what is kept of mutations."""
    found: set[str] = set()
    columns = client.query(CLICKHOUSE_COLUMNS).result_rows
    assert len(columns) > 50, "the catalogue was read"
    for database, table, column in [*columns, ("system", "mutations", "command")]:
        for needle in needles:
            place = f"`{database}`.`{table}`"
            statement = (
                f"SELECT count() FROM {place} WHERE position(toString(`{column}`), {{needle:String}}) > 0"
            )
            if client.query(statement, parameters={"needle": needle}).result_rows[0][0]:
                found.add(f"{table}.{column}")
    return found


def in_valkey(url: str, needles: Iterable[str]) -> set[str]:
    """Keys that hold one of the texts in their name or value."""
    with redis.Redis.from_url(url) as client:
        return {
            key.decode(errors="replace")
            for key in client.scan_iter()
            if any(needle.encode() in part for part in (key, *_values(client, key)) for needle in needles)
        }


def _values(client: redis.Redis, key: bytes) -> Iterator[bytes]:
    kind = client.type(key)
    if kind == b"string":
        yield client.get(key) or b""
    elif kind == b"hash":
        for name, value in client.hgetall(key).items():
            yield from (name, value)
    elif kind == b"list":
        yield from client.lrange(key, 0, -1)
    elif kind == b"set":
        yield from client.smembers(key)
    elif kind == b"zset":
        yield from client.zrange(key, 0, -1)
    else:
        raise AssertionError(f"a key of a kind that is not looked into: {kind!r}")
