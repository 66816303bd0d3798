"""How many events a second are stored durably, and how soon they can be queried."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import asdict, dataclass

from clickhouse_connect.driver.client import Client

from neonblue.bench.bodies import EventBodies
from neonblue.bench.http import Answer, Target
from neonblue.bench.load import Measured, Plan, loop_factory, run
from neonblue.bench.storage import message_bytes, table_size, topic_bytes, topic_ends
from neonblue.clickhouse.client import connect
from neonblue.client import AsyncClient
from neonblue.settings import Settings
from neonblue.simulation.probe import Latencies, probe

COUNTS = re.compile(rb'"accepted":(\d+),"duplicates":(\d+),"rejected":(\d+)')
DRAIN_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Load:
    """One run: events a request, share sent twice, length, connections, events a second (None: unpaced)."""

    batch: int
    duplicates: float
    seconds: float
    connections: int
    rate: float | None = None


@dataclass(slots=True)
class IngestReport:
    """What one run measured. Latencies in milliseconds; end to end in seconds."""

    batch: int
    duplicates: float
    rate: float | None
    accepted: int = 0
    recognized: int = 0
    rejected: int = 0
    requests_per_second: float = 0.0
    events_per_second: float = 0.0
    latency_p50: float = 0.0
    latency_p95: float = 0.0
    latency_p99: float = 0.0
    end_to_end_p50: float | None = None
    end_to_end_p99: float | None = None
    end_to_end_per_second: float | None = None
    message_bytes_per_event: float | None = None
    kafka_bytes_per_event: float | None = None
    clickhouse_bytes_per_event: float | None = None
    failures: int = 0

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def measure(settings: Settings, load: Load) -> IngestReport:
    """Run one load and wait until ClickHouse has caught up."""
    report = IngestReport(load.batch, load.duplicates, load.rate)
    with connect(settings.clickhouse) as clickhouse:
        rows_before, size_before = table_size(clickhouse)
        kafka_before, offsets_before = topic_bytes(settings), topic_ends(settings)
        started = time.monotonic()
        drive(settings, load, report)
        drain(clickhouse, rows_before + report.accepted)
        report.end_to_end_per_second = report.accepted / (time.monotonic() - started)
        clickhouse.command("OPTIMIZE TABLE events_processed")
        rows, size = table_size(clickhouse)
        report.clickhouse_bytes_per_event = (size - size_before) / max(1, rows - rows_before)
    messages = message_bytes(settings, offsets_before, topic_ends(settings))
    report.message_bytes_per_event = messages / max(1, report.accepted)
    kafka = topic_bytes(settings)
    if kafka is not None and kafka_before is not None:
        report.kafka_bytes_per_event = (kafka - kafka_before) / max(1, report.accepted)
    return report


def drive(settings: Settings, load: Load, report: IngestReport) -> None:
    """Run one load, and note what was answered and how soon. ClickHouse may be behind afterwards."""
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        measured, latencies = runner.run(_load(settings, load, report))
    _summarize(report, measured, latencies)


def drain(clickhouse: Client, rows: int) -> None:
    """Wait until ClickHouse has so many rows of events, or for two minutes."""
    deadline = time.monotonic() + DRAIN_SECONDS
    while table_size(clickhouse)[0] < rows and time.monotonic() < deadline:
        time.sleep(0.05)


async def _load(settings: Settings, load: Load, report: IngestReport) -> tuple[Measured, Latencies]:
    token = settings.api.token.get_secret_value()
    target = Target.of(settings.api.address, token)
    bodies = EventBodies(load.batch, load.duplicates)

    def on_answer(answer: Answer) -> None:
        found = COUNTS.search(answer.body)
        if found is None:
            report.failures += 1
            return
        accepted, duplicates, rejected = map(int, found.groups())
        report.accepted += accepted
        report.recognized += duplicates
        report.rejected += rejected

    plan = Plan(load.seconds, load.connections, None if load.rate is None else load.rate / load.batch)
    stop = asyncio.Event()
    async with AsyncClient(settings.api.address, token) as client:
        watching = asyncio.create_task(probe(client, settings.clickhouse, stop))
        measured = await run(target, plan, lambda: target.post("/v1/events", bodies.body()), on_answer)
        stop.set()
        return measured, await watching


def _summarize(report: IngestReport, measured: Measured, latencies: Latencies) -> None:
    report.requests_per_second = measured.requests_per_second
    report.events_per_second = report.accepted / measured.seconds
    report.latency_p50, report.latency_p95, report.latency_p99 = (
        measured.quantile(share) * 1000 for share in (0.5, 0.95, 0.99)
    )
    if latencies.seconds:
        report.end_to_end_p50, report.end_to_end_p99 = latencies.quantile(0.5), latencies.quantile(0.99)
    report.failures += measured.broken
