"""ClickHouse: what it takes in, keeps and refreshes, and how fresh it is. Asked as the user who reads only.

Each question is asked by itself: one that gets no answer costs what it tells and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import httpx
import msgspec
import structlog

from neonblue.monitoring.samples import Family, Sample
from neonblue.settings import ClickHouseSettings

ANSWERED = Family(
    "neonblue_clickhouse_answered",
    "1 where ClickHouse answered this question, else what it tells is missing",
    ("question",),
)
DEAD_LETTERS = Family(
    "neonblue_dead_letters", "Messages, or elements of them, that ClickHouse could not read"
)
CANARY_SENT = Family(
    "neonblue_canary_sent_timestamp_seconds",
    "When the newest heartbeat that has arrived in ClickHouse was committed in PostgreSQL",
)
CANARY_SECONDS = Family(
    "neonblue_canary_seconds", "From that heartbeat's commit in PostgreSQL to its arrival in ClickHouse"
)
PARTS = Family("neonblue_clickhouse_parts", "Active parts of this table", ("table",))
MOST_PARTS = Family(
    "neonblue_clickhouse_most_parts", "Active parts of this table's partition that has the most", ("table",)
)
ROWS = Family("neonblue_clickhouse_rows", "Rows of this table's active parts", ("table",))
BYTES = Family("neonblue_clickhouse_table_bytes", "Disk that this table's active parts take", ("table",))
REFRESHED = Family(
    "neonblue_clickhouse_refresh_last_success_timestamp_seconds",
    "When this refreshable view was last refreshed; missing: never",
    ("view",),
)
REFRESH_SECONDS = Family(
    "neonblue_clickhouse_refresh_seconds", "How long this view's last refresh that succeeded took", ("view",)
)
REFRESH_FAILING = Family(
    "neonblue_clickhouse_refresh_failing", "1 where this view's last refresh failed", ("view",)
)
METRICS = {
    "Query": Family("neonblue_clickhouse_running_queries", "Queries that run"),
    "Merge": Family("neonblue_clickhouse_merges", "Merges that run"),
    "MemoryTracking": Family(
        "neonblue_clickhouse_memory_bytes", "Memory that ClickHouse has counted as its own"
    ),
}
"""By their names in ``system.metrics``."""
EVENTS = {
    "Query": Family(
        "neonblue_clickhouse_queries_total", "Queries that were begun, inserts and the stream's included"
    ),
    "FailedQuery": Family("neonblue_clickhouse_failed_queries_total", "Queries that failed"),
    "InsertQuery": Family(
        "neonblue_clickhouse_inserts_total", "INSERT queries, those of the stream not counted"
    ),
    "InsertedRows": Family("neonblue_clickhouse_inserted_rows_total", "Rows inserted into all tables"),
    "InsertedBytes": Family("neonblue_clickhouse_inserted_bytes_total", "Bytes of those rows, uncompressed"),
    "MergedRows": Family("neonblue_clickhouse_merged_rows_total", "Rows that merges have read"),
}
"""By their names in ``system.events``. They begin at 0 with each start of ClickHouse."""

_log = structlog.get_logger("neonblue.monitoring")

_SECONDS = 3.0
"""Of one question: its places are those of every reader."""
_METRICS = "SELECT metric AS name, toFloat64(value) AS value FROM system.metrics"
_EVENTS = "SELECT event AS name, toFloat64(value) AS value FROM system.events"
_TABLES = """
SELECT
    table,
    sum(of_one.parts) AS parts,
    max(of_one.parts) AS most,
    sum(of_one.rows) AS rows,
    sum(of_one.bytes) AS bytes
FROM (
    SELECT table, partition_id, count() AS parts, sum(part.rows) AS rows, sum(part.bytes_on_disk) AS bytes
    FROM system.parts AS part
    WHERE active AND database NOT IN ('system', 'information_schema', 'INFORMATION_SCHEMA')
        AND NOT startsWith(table, '.')
    GROUP BY table, partition_id
) AS of_one
GROUP BY table
ORDER BY table
"""
_REFRESHES = """
SELECT
    view,
    toUnixTimestamp(last_success_time) AS succeeded,
    ifNull(last_success_duration_ms, 0) AS milliseconds,
    exception != '' AS failing
FROM system.view_refreshes
WHERE database = concat(currentDatabase(), '_live')
ORDER BY view
"""
# The table itself would be read with final, every message of it. Rows that are merged later count twice until then.
_DEAD_LETTERS = """
SELECT sum(rows) AS count
FROM system.parts
WHERE active AND database = currentDatabase() AND table = 'dead_letters'
"""
_CANARY = """
SELECT
    toUnixTimestamp64Micro(beat_at) / 1e6 AS sent,
    toUnixTimestamp64Milli(ingested_at) / 1e3 AS arrived
FROM canaries
ORDER BY beat_at DESC
LIMIT 1
"""


R = TypeVar("R")


class Named(msgspec.Struct, frozen=True):
    """A row of ``system.metrics`` or ``system.events``."""

    name: str
    value: float


class Table(msgspec.Struct, frozen=True):
    """A table's active parts together. `most`: parts of the partition that has the most."""

    table: str
    parts: int
    most: int
    rows: int
    bytes: int


class Refresh(msgspec.Struct, frozen=True):
    """A refreshable view. `succeeded`: seconds since 1970, None: never."""

    view: str
    succeeded: float | None
    milliseconds: float
    failing: int


class Count(msgspec.Struct, frozen=True):
    """A number of rows."""

    count: int


class Canary(msgspec.Struct, frozen=True):
    """A heartbeat: when it was committed and when it arrived, in seconds since 1970."""

    sent: float
    arrived: float


class ClickHouseSource:
    """The server, and the platform's tables on it."""

    name = "clickhouse"
    seconds = 15.0

    def __init__(self, settings: ClickHouseSettings) -> None:
        self._address = settings.address
        self._parameters = {"database": settings.database, "default_format": "JSONEachRow"}
        password = settings.readonly_password.get_secret_value()
        self._client = httpx.Client(
            timeout=_SECONDS, trust_env=False, auth=(settings.readonly_user, password)
        )
        self._newest: list[Canary] = []
        self._silent: set[str] = set()

    def look(self) -> Sequence[Sample]:
        questions: Mapping[str, Callable[[], list[Sample]]] = {
            "canaries": self._canaries,
            "metrics": lambda: named(METRICS, self._rows(_METRICS, Named)),
            "events": lambda: named(EVENTS, self._rows(_EVENTS, Named)),
            "tables": lambda: [sample for table in self._rows(_TABLES, Table) for sample in of_table(table)],
            "refreshes": lambda: [
                sample for view in self._rows(_REFRESHES, Refresh) for sample in of_view(view)
            ],
            "dead_letters": lambda: [DEAD_LETTERS(self._rows(_DEAD_LETTERS, Count)[0].count)],
        }
        return [sample for name, ask in questions.items() for sample in self._answer(name, ask)]

    def _answer(self, name: str, ask: Callable[[], list[Sample]]) -> list[Sample]:
        """What it tells, and whether it did. A server that is not there at all raises httpx's error."""
        try:
            found = ask()
        except httpx.ConnectError:
            raise
        except (httpx.HTTPError, msgspec.MsgspecError, LookupError) as error:
            if name not in self._silent:
                _log.warning("question_not_answered", question=name, error=type(error).__name__)
            self._silent.add(name)
            return [ANSWERED(False, name)]
        self._silent.discard(name)
        return [ANSWERED(True, name), *found]

    def _canaries(self) -> list[Sample]:
        """Of the newest ever seen: they are kept for a day, and what stands still for longer is no better for it."""
        self._newest = self._rows(_CANARY, Canary) or self._newest
        return canary(self._newest)

    def _rows(self, query: str, row: type[R]) -> list[R]:
        """Raises httpx's error, and msgspec's where the answer is another than was asked for."""
        answer = self._client.post(self._address, params=self._parameters, content=query).raise_for_status()
        # A 64-bit number may be written as a text.
        return [msgspec.json.decode(line, type=row, strict=False) for line in answer.content.splitlines()]


def of_table(table: Table) -> list[Sample]:
    """Its parts, rows and bytes."""
    name = table.table
    return [
        PARTS(table.parts, name),
        MOST_PARTS(table.most, name),
        ROWS(table.rows, name),
        BYTES(table.bytes, name),
    ]


def of_view(refresh: Refresh) -> list[Sample]:
    """Its last refresh, where it had one."""
    failing = REFRESH_FAILING(refresh.failing, refresh.view)
    if refresh.succeeded is None:
        return [failing]
    seconds = REFRESH_SECONDS(refresh.milliseconds / 1000, refresh.view)
    return [failing, REFRESHED(refresh.succeeded, refresh.view), seconds]


def named(families: Mapping[str, Family], rows: Sequence[Named]) -> list[Sample]:
    """Of the families, by ClickHouse's names. What it has not counted yet is 0."""
    values = {row.name: row.value for row in rows}
    return [family(values.get(name, 0.0)) for name, family in families.items()]


def canary(rows: Sequence[Canary]) -> list[Sample]:
    """Of the newest heartbeat, if there is one: that none ever came is no time."""
    if not rows:
        return []
    return [CANARY_SENT(rows[0].sent), CANARY_SECONDS(max(rows[0].arrived - rows[0].sent, 0.0))]
