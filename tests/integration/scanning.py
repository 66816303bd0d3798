"""Where a text is still found: every column of every table of PostgreSQL and ClickHouse, every key of Valkey."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import psycopg
import redis
from clickhouse_connect.driver.client import Client
from psycopg import sql

_KEYS_AT_ONCE = 1_000

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
    listed = client.query(CLICKHOUSE_COLUMNS).result_rows
    assert len(listed) > 50, "the catalogue was read"
    columns: dict[tuple[str, str], list[str]] = {("system", "mutations"): ["command"]}
    for database, table, column in listed:
        columns.setdefault((database, table), []).append(column)
    found: set[str] = set()
    for (database, table), names in columns.items():  # each is read, or computed, once
        counts = ", ".join(
            f"countIf(arrayExists(needle -> position(toString(`{name}`), needle) > 0, {{needles:Array(String)}}))"
            for name in names
        )
        statement = f"SELECT {counts} FROM `{database}`.`{table}`"
        row = client.query(statement, parameters={"needles": list(needles)}).result_rows[0]
        found |= {f"{table}.{name}" for name, count in zip(names, row, strict=True) if count}
    return found


def in_valkey(url: str, needles: Iterable[str]) -> set[str]:
    """Keys that hold one of the texts in their name or value."""
    wanted = [needle.encode() for needle in needles]
    with redis.Redis.from_url(url) as client:
        return {
            key.decode(errors="replace")
            for key, parts in _parts(client)
            if any(text in part for part in (key, *parts) for text in wanted)
        }


def _parts(client: redis.Redis) -> Iterator[tuple[bytes, Iterable[bytes]]]:
    """Each key with what it holds. Many at a time: a stack that took real experiments has hundreds of thousands."""
    names = client.scan_iter(count=_KEYS_AT_ONCE)
    while keys := list(islice(names, _KEYS_AT_ONCE)):
        with client.pipeline(transaction=False) as pipeline:
            for key in keys:
                pipeline.type(key)
            kinds = dict(zip(keys, pipeline.execute(), strict=True))
        texts = [key for key in keys if kinds[key] == b"string"]
        values = client.mget(texts) if texts else []
        yield from ((key, [value or b""]) for key, value in zip(texts, values, strict=True))
        yield from ((key, _members(client, key, kinds[key])) for key in keys if kinds[key] != b"string")


def _members(client: redis.Redis, key: bytes, kind: bytes) -> list[bytes]:
    if kind == b"hash":
        return [part for pair in client.hgetall(key).items() for part in pair]
    if kind == b"list":
        return list(client.lrange(key, 0, -1))
    if kind == b"set":
        return list(client.smembers(key))
    if kind == b"zset":
        return list(client.zrange(key, 0, -1))
    assert kind == b"none", f"a key of a kind that is not looked into: {kind!r}"  # it expired meanwhile
    return []
