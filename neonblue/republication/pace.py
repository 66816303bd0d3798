"""How fast the outbox may be filled: the stream must carry it beside what comes in meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import psycopg

from neonblue.settings import Settings

UNREAD_BYTES = 64 * 1024**2
"""Of the log that the connector has not confirmed."""
LEAST_RETAINED_BYTES = 32 * 1024**2
"""A slot keeps about so much also where everything is read: its beginning moves a few times a minute."""
LOOK_SECONDS = 0.25
STILL_SECONDS = 180.0
"""A connector that starts anew, and a checkpoint, take less."""
_PLACE = """
SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn)::bigint,
    pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::bigint, confirmed_flush_lsn::text || restart_lsn::text
FROM pg_replication_slots WHERE slot_name = %s AND wal_status <> 'lost'
"""


class StreamStandsStill(Exception):  # noqa: N818 - names a state
    """The connector reads nothing: what is written now would only pile up."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the connector is. known: whether there is a slot to tell it. The rest in bytes, and as text."""

    known: bool = False
    unread: int = 0
    retained: int = 0
    reached: str = ""


@dataclass(slots=True)
class Pace:
    """Holds back while much waits to be streamed, and while nobody would: without a slot, or with a lost one."""

    connection: psycopg.Connection
    slot: str
    most_retained: int
    most_unread: int = UNREAD_BYTES
    still_seconds: float = STILL_SECONDS

    @classmethod
    def of(cls, connection: psycopg.Connection, settings: Settings) -> Pace:
        """Far below the limit past which the API refuses events."""
        retained = max(settings.api.max_pipeline_lag_bytes // 4, LEAST_RETAINED_BYTES)
        return cls(connection, settings.connect.slot, retained)

    def wait(self, waiting: Callable[[int], object]) -> None:
        """Return once more may be written; `waiting` is told the bytes that are unread, as far as is known.

        Raises StreamStandsStill where nothing at all is read for a while.
        """
        place, moved = _Place(), time.monotonic()
        while True:
            now, at = time.monotonic(), self._look()
            if at.known and at.unread <= self.most_unread and at.retained <= self.most_retained:
                return
            if at.known != place.known or at.reached != place.reached:
                place, moved = at, now
            elif now - moved > self.still_seconds:
                raise StreamStandsStill(
                    f"the stream has read nothing for {self.still_seconds:.0f} s, and {self._why(at)}: see 'neonblue "
                    "status' and 'neonblue logs connect', then go on"
                )
            waiting(at.unread)
            time.sleep(LOOK_SECONDS)

    def _why(self, at: _Place) -> str:
        if at.known:
            return f"{at.unread / 1024**2:,.0f} MiB wait for it"
        return f"PostgreSQL has no replication slot {self.slot}, or has given it up"

    def _look(self) -> _Place:
        row = self.connection.execute(_PLACE, (self.slot,)).fetchone()
        return _Place() if row is None else _Place(True, row[0] or 0, row[1] or 0, row[2] or "")
