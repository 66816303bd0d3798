"""The files by which a ClickHouse server does what the embedded engine's front does: users, rights, limits, Kafka."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from string import Template
from xml.sax.saxutils import escape

from pydantic import SecretStr

from neonblue.clickhouse_server import rights
from neonblue.clickhouse_server.limits import QueryLimits
from neonblue.clickhouse_server.settings import QUERY_SIZE, READER_QUERIES, READER_QUERY_SIZE
from neonblue.compose.kept import Kept
from neonblue.compose.parts import WATCHER, WRITER
from neonblue.files import Folder, folder
from neonblue.settings.kafka import sasl

_READER_PART_OF_MEMORY = 8
_HOUR = 3_600
_WAITING = 4
"""A server refuses at once what the embedded front lets wait: so many times as many queries of readers run at once, and
share the memory of those that would."""
_WATCHED = ("events", "metrics", "parts", "view_refreshes")
_ABOUT_NAMES = ("information_schema", "INFORMATION_SCHEMA")


def config(kept: Kept, memory: int) -> str:
    """What is merged into the server's configuration. It holds Kafka's password. memory: bytes for the server."""
    settings = kept.settings
    # A server's Kafka client knows SCRAM, which the embedded engine's does not.
    kafka = settings.kafka
    security = sasl(kafka.user_of("clickhouse"), kafka.password_of("clickhouse"))
    tags = {name.replace(".", "_"): escape(value) for name, value in security.items()}
    return filled(
        "config.xml",
        http_port=settings.clickhouse.port,
        kafka_broker_list=f"kafka:{settings.kafka.port}",
        kafka_topic=f"{settings.kafka.topic},{settings.kafka.heartbeat_topic}",
        kafka_group=settings.clickhouse.kafka_group,
        kafka_security="".join(f"<{tag}>{value}</{tag}>" for tag, value in tags.items()),
        kafka_threads=max(4, os.cpu_count() or 2),
        max_memory=memory,
    )


def users(kept: Kept, memory: int) -> str:
    """What is merged into the server's users."""
    clickhouse = kept.settings.clickhouse
    limits = QueryLimits(
        clickhouse.readonly_max_execution_time,
        clickhouse.readonly_max_memory_usage or memory // _READER_PART_OF_MEMORY,
    )
    return filled(
        "users.xml",
        owner=clickhouse.user,
        writer=WRITER,
        reader=clickhouse.readonly_user,
        watcher=WATCHER,
        owner_digest=_digest(clickhouse.password),
        writer_digest=_digest(SecretStr(kept.writer)),
        reader_digest=_digest(clickhouse.readonly_password),
        watcher_digest=_digest(SecretStr(kept.clickhouse_watcher)),
        max_query_memory=memory // 2,
        spill=memory // 4,
        max_query_size=QUERY_SIZE,
        reader_settings=_elements(reader_settings(limits).items()),
        reader_constraints=_lines(_constraints(limits)),
        writer_grants=_grants(writer_grants(clickhouse.database)),
        reader_grants=_grants(reader_grants(clickhouse.database)),
        watcher_grants=_grants(watcher_grants(clickhouse.database)),
        reader_hour=READER_QUERIES * _HOUR,
    )


def reader_settings(limits: QueryLimits) -> dict[str, str]:
    """What a reader's query runs with where it says nothing."""
    return limits.settings() | {
        "max_query_size": str(READER_QUERY_SIZE),
        "max_concurrent_queries_for_user": str(READER_QUERIES * _WAITING),
        "max_memory_usage_for_user": str(READER_QUERIES * limits.memory),
    }


def reader_grants(database: str) -> list[str]:
    """What a reader may read: the platform's tables, and of the server's what the embedded front lets it read."""
    tables = [f"system.{name}" for name in sorted(rights.reader().system_tables)]
    whole = [f"{name}.*" for name in (*_databases(database), *_ABOUT_NAMES)]
    return [f"GRANT SELECT ON {name}" for name in (*whole, *tables)]


def writer_grants(database: str) -> list[str]:
    """What the API does: it makes, alters and drops no table."""
    own, live = _databases(database)
    return [
        f"GRANT SELECT, INSERT, ALTER DELETE, ALTER UPDATE, dictGet ON {own}.*",
        f"GRANT SELECT, dictGet ON {live}.*",
        "GRANT SELECT ON system.*",
    ]


def watcher_grants(database: str) -> list[str]:
    """What the exporter asks. Of tables it sees that they are there and how large, and reads the heartbeats' alone."""
    seen = [f"GRANT SHOW TABLES ON {name}.*" for name in _databases(database)]
    return [
        *seen,
        f"GRANT SELECT ON {database}.canaries",
        *(f"GRANT SELECT ON system.{name}" for name in _WATCHED),
    ]


def _databases(database: str) -> tuple[str, str]:
    """The tables', and that of the live views."""
    return database, f"{database}_live"


def _constraints(limits: QueryLimits) -> Iterable[str]:
    """A reader may change these settings, and no other; no limit beyond its ceiling, or to 0, which is none at all."""
    ceilings = limits.ceilings()
    for name in sorted(rights.reader().settings - {"readonly"}):
        most = f"<min>1</min><max>{ceilings[name]}</max>" if name in ceilings else ""
        yield f"<{name}>{most}<changeable_in_readonly/></{name}>"


def filled(name: str, **values: object) -> str:
    """A file of ``compose/clickhouse`` with these in its places. Raises KeyError for a place without a value."""
    text = (folder(Folder.COMPOSE) / "clickhouse" / name).read_text(encoding="utf-8")
    return Template(text).substitute({key: str(value) for key, value in values.items()})


def _digest(password: SecretStr) -> str:
    return hashlib.sha256(password.get_secret_value().encode()).hexdigest()


def _elements(values: Iterable[tuple[str, str]]) -> str:
    return _lines(f"<{name}>{escape(value)}</{name}>" for name, value in values)


def _grants(statements: Iterable[str]) -> str:
    return _lines(f"<query>{statement}</query>" for statement in statements)


def _lines(parts: Iterable[str]) -> str:
    return ("\n" + " " * 16).join(parts)
