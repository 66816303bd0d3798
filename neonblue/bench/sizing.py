"""What a million events, and a million users, take: disk in each store, log that is written, processor time, memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field

import psycopg
from clickhouse_connect.driver.client import Client

from neonblue.bench import assign
from neonblue.bench.ingest import IngestReport, Load, drain, drive
from neonblue.bench.load import Plan
from neonblue.bench.storage import column_compression, message_bytes, table_size, topic_bytes, topic_ends
from neonblue.clickhouse.client import connect
from neonblue.settings import Role, Settings
from neonblue.stack.supervisor.overview import take

_MILLION = 1_000_000
_BATCH, _CONNECTIONS = 100, 32
_LOOK_SECONDS = 3.0
_STEP_SECONDS = 2.0
_TABLES = """
SELECT coalesce(root.relname, class.relname)::text, sum(pg_total_relation_size(class.oid))::bigint
FROM pg_class AS class
LEFT JOIN pg_inherits ON inhrelid = class.oid
LEFT JOIN pg_class AS root ON root.oid = inhparent
WHERE class.relkind = 'r' AND class.relnamespace = 'public'::regnamespace
GROUP BY 1
"""
_LOG = "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint"
_PARTS = """
SELECT table AS name, sum(bytes_on_disk) FROM system.parts
WHERE active AND database = currentDatabase() AND NOT startsWith(table, '.')
GROUP BY name
"""
_RECENT_DAYS = 9
_COMPACTED = ("events_processed", "assignments")


@dataclass(frozen=True, slots=True)
class Taken:
    """Bytes that each store has in use, by its part; `written`: PostgreSQL's log since its beginning."""

    postgres: Mapping[str, int]
    clickhouse: Mapping[str, int]
    topic: int | None
    written: int
    cpu_seconds: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Cost:
    """Of a million: bytes by store and part, bytes of PostgreSQL's log that were written, processor seconds by service.

    Parts that took less than a byte for each are left out.
    """

    postgres: Mapping[str, float]
    clickhouse: Mapping[str, float]
    topic: float | None
    written: float
    cpu_seconds: Mapping[str, float]

    @property
    def cpu(self) -> float:
        return sum(self.cpu_seconds.values())


@dataclass(slots=True)
class SizingReport:
    """`events` stored in batches of 100, and `users` assigned for the first time, each with its exposure.

    message_bytes: of an event's message, uncompressed, as ClickHouse reads it. compression: of these to the bytes on
    disk of `events_processed`. columns: of that table's columns, uncompressed to compressed, as ``system.columns`` has
    them; None where it has not.
    memory: bytes of each service before and, at most, during the load.
    """

    events: int = 0
    users: int = 0
    of_events: Cost | None = None
    of_users: Cost | None = None
    message_bytes: float = 0.0
    compression: float = 0.0
    columns: float | None = None
    memory: dict[str, tuple[int, int]] = field(default_factory=dict)

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def measure(settings: Settings, events: int, users: int, say: Callable[[str], object]) -> SizingReport:
    """Load the running stack, and compare what it takes with what it took before.

    Raises RuntimeError where nothing was stored.
    """
    report = SizingReport()
    with connect(settings.clickhouse) as clickhouse, _memory(settings, report.memory):
        before, starts = _take(settings, clickhouse), topic_ends(settings)
        say("events")
        report.events = _store(settings, clickhouse, events)
        after = _take(settings, clickhouse)
        report.of_events = cost(before, after, report.events)
        report.message_bytes = message_bytes(settings, starts, topic_ends(settings)) / report.events
        on_disk = report.of_events.clickhouse.get("events_processed")
        if on_disk is None:
            raise RuntimeError("merges have made the table smaller meanwhile: take more --events")
        report.compression = report.message_bytes * _MILLION / on_disk
        report.columns = column_compression(clickhouse)
        if users:
            say("users")
            before = _take(settings, clickhouse)
            report.users = _assign(settings, clickhouse, users)
            report.of_users = cost(before, _take(settings, clickhouse), report.users)
    return report


@dataclass(frozen=True, slots=True)
class Need:
    """Of so many events a day: bytes on disk that come each day and stay, bytes that are there at any time (of what is
    kept for days only), and how many processors are busy on average."""

    events: int
    grows: float
    stands: float
    processors: float


def need(report: SizingReport, settings: Settings, events: int) -> Need:
    """What a stack with these settings needs for so many events a day. Users' own rows and the marts come on top."""
    of = report.of_events
    assert of is not None  # noqa: S101 - a report that was measured
    share = events / _MILLION
    outbox = of.postgres.get("outbox_events", 0.0) * share * settings.api.outbox_retention_days
    kept_for = settings.kafka.retention_hours / 24
    topic = min((of.topic or 0.0) * share * kept_for, settings.kafka.retention_gigabytes * 1e9)
    recent = of.clickhouse.get("recent_events", 0.0) * share * _RECENT_DAYS
    grows = of.postgres.get("events", 0.0) + of.clickhouse.get("events_processed", 0.0)
    return Need(events, grows * share, outbox + topic + recent, of.cpu * share / 86_400)


@dataclass(frozen=True, slots=True)
class Capacity:
    """Of a machine. rate: events a second that it takes for hours. limit: what it is then short of.

    days: until its disk is full but for a quarter, where a tenth of that comes on average; below 0: from the first on.
    """

    rate: float
    limit: str
    days: float


def capacity(report: SizingReport, settings: Settings, processors: int, disk: float) -> Capacity:
    """Derived, not measured: half the processors for events, and of each service no more than one.

    Builds and queries share the processors, and a service does most of its work in one thread. disk: bytes.
    """
    of = report.of_events
    assert of is not None  # noqa: S101 - a report that was measured
    busiest = max(of.cpu_seconds, key=lambda name: of.cpu_seconds[name])
    by_all, by_one = processors / 2 * _MILLION / of.cpu, _MILLION / of.cpu_seconds[busiest]
    rate = min(by_all, by_one)
    daily = need(report, settings, int(rate / 10 * 86_400))
    days = (0.75 * disk - daily.stands) / daily.grows
    return Capacity(rate, "processors" if by_all <= by_one else busiest, days)


def cost(before: Taken, after: Taken, count: int) -> Cost:
    """Of a million, by what `count` of them took."""

    def each(first: Mapping[str, float], second: Mapping[str, float], least: float) -> dict[str, float]:
        grown = {name: second[name] - first.get(name, 0) for name in sorted(second)}
        return {name: more * _MILLION / count for name, more in grown.items() if more >= least * count}

    topic = None
    if before.topic is not None and after.topic is not None:
        topic = (after.topic - before.topic) * _MILLION / count
    return Cost(
        each(before.postgres, after.postgres, 1),
        each(before.clickhouse, after.clickhouse, 1),
        topic,
        (after.written - before.written) * _MILLION / count,
        each(before.cpu_seconds, after.cpu_seconds, 0),
    )


def _store(settings: Settings, clickhouse: Client, events: int) -> int:
    """Store so many events at least, and wait for ClickHouse; how many were."""
    stored, rows = 0, table_size(clickhouse)[0]
    while stored < events:
        report = IngestReport(_BATCH, 0.0, None)
        drive(settings, Load(_BATCH, 0.0, _STEP_SECONDS, _CONNECTIONS), report)
        if not report.accepted:
            raise RuntimeError("no event was stored: see 'neonblue status'")
        stored += report.accepted
    drain(clickhouse, rows + stored)
    return stored


def _assign(settings: Settings, clickhouse: Client, users: int) -> int:
    """Assign so many units at least for the first time, and wait for their exposures; how many were."""
    rows = table_size(clickhouse)[0]
    before = _count(clickhouse)
    assigned = 0
    with assign.running_experiments(settings, 1) as keys:
        while assigned < users:
            done = assign.measure(settings, keys, Plan(_STEP_SECONDS, _CONNECTIONS), assign.Kind.FIRST)
            if done.answered <= done.failures:
                raise RuntimeError("no user was assigned: see 'neonblue status'")
            assigned += done.answered - done.failures
    drain(clickhouse, rows + assigned)
    return _count(clickhouse) - before


def _count(clickhouse: Client) -> int:
    return int(clickhouse.query("SELECT count() FROM assignments").result_rows[0][0])


def _take(settings: Settings, clickhouse: Client) -> Taken:
    for table in _COMPACTED:
        clickhouse.command(f"OPTIMIZE TABLE {table}")
    parts = {str(name): int(size) for name, size in clickhouse.query(_PARTS).result_rows}
    postgres = settings.postgres.acting(Role.MONITORING)
    with psycopg.connect(postgres.dsn(), autocommit=True) as connection:
        tables = {str(name): int(size) for name, size in connection.execute(_TABLES)}
        ((written,),) = connection.execute(_LOG)
    used = {view.name: view.cpu_seconds for view in take(settings.data_dir).services if view.pid is not None}
    return Taken(tables, parts, topic_bytes(settings), int(written), used)


@contextmanager
def _memory(settings: Settings, most: dict[str, tuple[int, int]]) -> Iterator[None]:
    """Note each service's memory: first, and at most until the end."""
    ended = threading.Event()

    def look() -> None:
        while True:
            for view in take(settings.data_dir).services:
                if view.pid is not None:
                    first, largest = most.get(view.name, (view.memory_bytes, 0))
                    most[view.name] = (first, max(largest, view.memory_bytes))
            if ended.wait(_LOOK_SECONDS):
                return

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
