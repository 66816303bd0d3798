"""Parts of ClickHouse's tables that can't be read: their rows are in PostgreSQL, and are published again.

What it finds so at its start it sets aside by itself. What a disk has damaged since then makes queries fail, until it
is set aside here.
"""

from __future__ import annotations

import structlog

from neonblue.settings import ClickHouseSettings, Settings
from neonblue.stack.services.stream_memory import StreamMemory
from neonblue.stack.supervisor import probe

_log = structlog.get_logger("neonblue.stack")

TABLES = ("events_processed", "assignments", "experiments", "user_links", "erased_users", "dead_letters")
"""What the topic feeds. Each message leaves a row in one of them at least, save one that is all of erased people."""
ONLY_WATCHED = ("canaries", "canaries_mv", "message_traces", "message_traces_mv")
"""What tells how the stream goes and nothing of an event: what is lost of it is not published again."""
UNREADABLE = "ClickHouse has met data that it can't read"
_SHOWN = 3
_CHECK_SECONDS = 600.0
_SET_ASIDE = f"""
SELECT concat(table, '/', name) FROM system.detached_parts
WHERE database = currentDatabase() AND startsWith(reason, 'broken') AND table NOT IN {ONLY_WATCHED} ORDER BY 1
FORMAT TSVRaw
"""  # noqa: S608 - constants
_FAILURES = f"""
SELECT sum(value) FROM system.errors
WHERE name IN ('CORRUPTED_DATA', 'CHECKSUM_DOESNT_MATCH', 'CANNOT_READ_ALL_DATA', 'CANNOT_DECOMPRESS')
    AND match(last_error_message, 'reading from part .* in table [^ ]*({"|".join(TABLES)}) ')
"""  # noqa: S608 - constants


class BrokenParts:
    """Notes what is found for a repair, each once, also over restarts: a part stays where it was put."""

    def __init__(self, settings: Settings, memory: StreamMemory) -> None:
        self._clickhouse = settings.clickhouse
        self._memory = memory
        self._failures = 0

    def look(self) -> None:
        """Look once. Raises httpx's error where ClickHouse can't be asked, and OSError where nothing can be noted."""
        self._look_at_queries()
        present = tuple(probe.clickhouse(self._clickhouse, _SET_ASIDE))
        new = sorted(set(present) - set(self._memory.read().broken_parts))
        if new:
            more = f" and {len(new) - _SHOWN:,} more" if len(new) > _SHOWN else ""
            self._memory.repair(
                f"ClickHouse could not read and has set aside {', '.join(new[:_SHOWN])}{more}"
            )
            self._memory.broken_parts_are(present)
            _log.error("parts_set_aside", parts=new, then="what is missing is published again")

    def _look_at_queries(self) -> None:
        (failures,) = map(int, probe.clickhouse(self._clickhouse, _FAILURES))
        if failures > self._failures:
            self._memory.repair(UNREADABLE)
        self._failures = failures


def set_aside(clickhouse: ClickHouseSettings) -> list[str]:
    """Set aside the parts that can't be read, and return their names. It reads all that the topic's tables hold.

    Raises httpx's error.
    """
    found = []
    for table in TABLES:
        checked = probe.clickhouse(
            clickhouse, f"CHECK TABLE {table} SETTINGS check_query_single_value_result = 0", _CHECK_SECONDS
        )
        for part, passed, *_ in (line.split("\t") for line in checked):
            if passed == "0":
                probe.clickhouse(clickhouse, f"ALTER TABLE {table} DETACH PART '{part}'")
                found.append(f"{table}/{part}")
    if found:
        _log.error("parts_set_aside", parts=found, then="what is missing is published again")
    return found
