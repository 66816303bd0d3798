"""How far the stream is behind: what the replication slot retains, looked at in the background."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import psycopg
import structlog

from api.database import Pool
from api.http.problems import Problem
from api.metrics import PIPELINE_LAG_BYTES, SLOT_PRESENT

_POLL_SECONDS = 1.0
_RETRY_AFTER_SECONDS = 5
_LAG = """
SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::bigint, wal_status
FROM pg_replication_slots WHERE slot_name = %s
"""

log = structlog.get_logger("api.pipeline")


@dataclass(slots=True)
class Pipeline:
    """The stream behind the outbox. Without its slot nothing is lost: the outbox keeps its rows."""

    pool: Pool
    slot: str
    limit_bytes: int
    lag_bytes: int = 0
    slot_present: bool = False

    def admit(self) -> None:
        """Raises Problem `pipeline_behind` while more than the limit waits to be streamed."""
        if self.lag_bytes > self.limit_bytes:
            raise Problem(
                429,
                "pipeline_behind",
                "The stream is behind its limit; slow down",
                headers={"retry-after": str(_RETRY_AFTER_SECONDS)},
            )

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
            cursor = await connection.execute(_LAG, (self.slot,))
            row = await cursor.fetchone()
        self.slot_present = row is not None and row[1] != "lost"
        self.lag_bytes = row[0] or 0 if row is not None and self.slot_present else 0
        PIPELINE_LAG_BYTES.set(self.lag_bytes)
        SLOT_PRESENT.set(self.slot_present)
