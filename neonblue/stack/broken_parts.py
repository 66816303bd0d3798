"""Parts of ClickHouse's tables that could not be read at its start: it sets them aside, and their rows with them."""

from __future__ import annotations

import time

import httpx

from neonblue.settings import Settings
from neonblue.stack import probe
from neonblue.stack.stream_memory import StreamMemory

_LOOK_SECONDS = 5.0
_BROKEN = """
SELECT concat(table, '/', name) FROM system.detached_parts
WHERE database = currentDatabase() AND startsWith(reason, 'broken') ORDER BY 1 FORMAT TSVRaw
"""


class BrokenParts:
    """Looks every few seconds. Each part is told once, also over restarts: it stays where it was put."""

    def __init__(self, settings: Settings, memory: StreamMemory) -> None:
        self._clickhouse = settings.clickhouse
        self._memory = memory
        self._last = 0.0

    def found(self) -> str:
        """What was set aside since the last look, in words; '' where nothing was, or it can't be asked."""
        if time.monotonic() - self._last < _LOOK_SECONDS:
            return ""
        self._last = time.monotonic()
        try:
            present = self._look()
        except httpx.HTTPError:
            return ""
        new = sorted(set(present) - set(self._memory.read().broken_parts))
        if not new:
            return ""
        self._memory.broken_parts_are(present)
        return f"ClickHouse could not read and has set aside {', '.join(new)}"

    def _look(self) -> tuple[str, ...]:
        answer = probe.get(
            self._clickhouse.address,
            params={"query": _BROKEN, "database": self._clickhouse.database},
            auth=(self._clickhouse.user, self._clickhouse.password.get_secret_value()),
        )
        return tuple(answer.text.splitlines())
