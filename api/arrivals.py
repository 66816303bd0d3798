"""The last part of a traced request's way: when its events were in ClickHouse, told as a span of its trace."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Any

import structlog
from clickhouse_connect.driver.exceptions import ClickHouseError

from api.recent import RecentMap
from neonblue.clickhouse.client import connect
from neonblue.settings import ClickHouseSettings
from neonblue.tracing import parent_of

if TYPE_CHECKING:
    from neonblue.tracing.tracer import Tracing

log = structlog.get_logger("api.tracing")

_LOOK_SECONDS = 2.0
_PATIENCE_SECONDS = 120.0
"""For so long after the last traced request its arrival is looked for."""
_EXPECTED, _TOLD = 10_000, 20_000
_ARRIVED = """
SELECT
    traceparent,
    toUnixTimestamp64Micro(received_at) / 1e6 AS received,
    toUnixTimestamp64Milli(ingested_at) / 1e3 AS ingested,
    events,
    _partition,
    _offset
FROM message_traces
WHERE ingested_at > now64(3, 'UTC') - INTERVAL 60 SECOND ORDER BY ingested_at LIMIT 10000
"""
Arrival = tuple[str, float, float, int, int, int]


@dataclass(slots=True)
class Arrivals:
    """Tells of the requests of this process alone: several read the same table."""

    clickhouse: ClickHouseSettings
    tracing: Tracing
    _expected: RecentMap[int, bool] = field(default_factory=lambda: RecentMap(_EXPECTED))
    _told: RecentMap[tuple[int, int, int], bool] = field(default_factory=lambda: RecentMap(_TOLD))
    _until: float = 0.0
    _away: bool = False

    def expect(self, span: Any) -> None:
        """Events of this request may arrive."""
        self._expected.put(span.get_span_context().span_id, True)
        self._until = monotonic() + _PATIENCE_SECONDS

    async def tell(self) -> None:
        """Look and tell, without an end. ClickHouse may be away: what arrives meanwhile is not told."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            if monotonic() > self._until:
                continue
            try:
                self._note(await asyncio.to_thread(self._read))
                self._away = False
            except (ClickHouseError, OSError) as error:
                if not self._away:
                    log.info("arrivals_unknown", error=type(error).__name__)
                self._away = True

    def _read(self) -> Sequence[Arrival]:
        with connect(self.clickhouse) as client:
            rows: Sequence[Any] = client.query(_ARRIVED).result_rows
            return rows

    def _note(self, arrivals: Sequence[Arrival]) -> None:
        for carried, received, ingested, events, partition, offset in arrivals:
            parent = parent_of(carried)
            if parent is None or parent.span_id not in self._expected:
                continue
            place = (parent.span_id, partition, offset)
            if place in self._told:
                continue
            self._told.put(place, True)
            span = self.tracing.begin(
                "arrival in ClickHouse",
                parent=parent,
                attributes={
                    "db.system.name": "clickhouse",
                    "messaging.system": "kafka",
                    "messaging.destination.partition.id": str(partition),
                    "messaging.kafka.offset": offset,
                    "neonblue.events": events,
                },
                start=received,
            )
            span.end(round(ingested * 1e6) * 1000)
