"""How far the stream is behind: what its replication slot retains and has confirmed, looked at in the background."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

import psycopg
import structlog

from api.freshness import Freshness
from api.http.problems import Problem
from api.metrics import PIPELINE_AGE_SECONDS, PIPELINE_LAG_BYTES, PIPELINE_LIMIT_BYTES, SLOT_PRESENT
from api.postgres.database import Pool

_POLL_SECONDS = 1.0
_RETRY_AFTER_SECONDS = 5
BEHIND_SECONDS = 30.0
"""An idle stream is up to a heartbeat of the connector (10 s) behind, a busy one a flush of its offsets and a report to
PostgreSQL (1 s each)."""
_SLOT = """
SELECT pg_current_wal_lsn() - '0/0'::pg_lsn, restart_lsn - '0/0'::pg_lsn, confirmed_flush_lsn - '0/0'::pg_lsn,
    slot_name IS NOT NULL AND wal_status IS DISTINCT FROM 'lost', active IS TRUE
FROM (SELECT) AS always LEFT JOIN pg_replication_slots ON slot_name = %s
"""
_OUTBOX_BYTES = r"""
SELECT coalesce(sum(pg_total_relation_size(child.oid)), 0)::bigint
FROM pg_inherits JOIN pg_class AS child ON child.oid = inhrelid
WHERE inhparent = 'outbox_events'::regclass
    AND substring(pg_get_expr(child.relpartbound, child.oid) FROM 'TO \(''(\d{4}-\d\d-\d\d)')::date
        >= (now() AT TIME ZONE 'UTC')::date
"""

log = structlog.get_logger("api.pipeline")


@dataclass(slots=True)
class Pipeline:
    """The stream behind the outbox.

    Without its slot nothing is lost: the outbox keeps its rows, and events are taken up to the same limit.
    """

    pool: Pool
    slot: str
    limit_bytes: int
    lag_bytes: int = 0
    slot_present: bool = False
    slot_active: bool = False
    age_seconds: float = 0.0
    _confirmed: int | None = None
    _freshness: Freshness = field(default_factory=Freshness)

    def admit(self) -> None:
        """Raises Problem `pipeline_behind` while more than the limit waits to be streamed."""
        if self.lag_bytes > self.limit_bytes:
            raise Problem(
                429,
                "pipeline_behind",
                "The stream is behind its limit; slow down",
                headers={"retry-after": str(_RETRY_AFTER_SECONDS)},
            )

    @property
    def state(self) -> str:
        """`ok`, or for how long nothing was published that was there to be."""
        if self.age_seconds < BEHIND_SECONDS:
            return "ok"
        return f"behind: nothing published for {self.age_seconds:.0f} s"

    async def watch(self) -> None:
        """Look for ever."""
        while True:
            try:
                await self.look()
            except (psycopg.Error, OSError) as error:
                log.warning("slot_unknown", error=type(error).__name__)
            await asyncio.sleep(_POLL_SECONDS)

    async def look(self) -> None:
        """Read the slot's state once. Raises psycopg.Error."""
        async with self.pool.connection() as connection:
            row = await (await connection.execute(_SLOT, (self.slot,))).fetchone()
            assert row is not None  # noqa: S101 - an outer join of one row
            log_end, restart, confirmed = (None if value is None else int(value) for value in row[:3])
            assert log_end is not None  # noqa: S101 - the server writes
            self.slot_present, self.slot_active = bool(row[3]), bool(row[4])
            if self.slot_present and confirmed is not None:
                self._confirmed = confirmed
            elif self._confirmed is not None and self._confirmed > log_end:
                self._confirmed = None
            if self.slot_present:
                self.lag_bytes = 0 if restart is None else log_end - restart
            elif self._confirmed is not None:
                self.lag_bytes = log_end - self._confirmed
            else:
                size = await (await connection.execute(_OUTBOX_BYTES)).fetchone()
                self.lag_bytes = 0 if size is None else int(size[0])
        self.age_seconds = self._freshness.note(time.monotonic(), log_end, self._confirmed)
        PIPELINE_LAG_BYTES.set(self.lag_bytes)
        PIPELINE_LIMIT_BYTES.set(self.limit_bytes)
        PIPELINE_AGE_SECONDS.set(self.age_seconds)
        SLOT_PRESENT.set(self.slot_present)
