"""Brings to ClickHouse what the stream has lost on its way: from PostgreSQL, through the outbox."""

from __future__ import annotations

import threading
import time
from importlib import import_module

import structlog

from neonblue.settings import Settings
from neonblue.stack.broken_parts import BrokenParts
from neonblue.stack.errors import ServiceError
from neonblue.stack.nodes import Step
from neonblue.stack.runner import explain
from neonblue.stack.stream_memory import StreamMemory
from neonblue.stack.stream_position import PositionWatch

_log = structlog.get_logger("neonblue.stack")

COMMAND = "neonblue reconcile --repair"
_WAIT_SECONDS = 120.0
_FIRST_DELAY = 5.0
_LONGEST_DELAY = 1_800.0


class StreamRepair(Step):
    """Compares PostgreSQL with ClickHouse after a loss, and publishes again what is missing, until they are equal."""

    name = "stream-repair"
    requires = ("topics", "connector", "clickhouse-schema", "postgres-schema")
    watch_seconds = 2.0

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._memory = StreamMemory(settings.data_dir)
        self._position = PositionWatch(settings)
        self._broken = BrokenParts(settings, self._memory)
        self._work: threading.Thread | None = None
        self._failures = 0
        self._not_before = 0.0
        self._said = ""

    def run(self) -> None:
        """What an earlier life has left is found by the first look."""

    def check(self) -> None:
        """Nothing is known to be missing."""
        if jumped := self._position.jumped():
            _log.warning("position_jumped", reason=jumped, then="what is missing is published again")
            self._memory.repair(jumped)
        if broken := self._broken.found():
            _log.error("parts_broken", reason=broken, then="what is missing is published again")
            self._memory.repair(broken)
        if reasons := self._memory.read().to_repair:
            said = f" ({self._said})" if self._said else ""
            raise ServiceError(
                self.name,
                f"{'; '.join(reasons)}: what ClickHouse lacks is published again{said}; '{COMMAND}' does it by hand",
            )

    def mend(self) -> None:
        """In a thread of its own: it takes as long as there is to publish."""
        if self._work is not None and self._work.is_alive():
            return
        if time.monotonic() >= self._not_before:
            reasons = self._memory.read().to_repair
            self._work = threading.Thread(target=self._repair, args=(reasons,), name=self.name, daemon=True)
            self._work.start()

    def _repair(self, reasons: tuple[str, ...]) -> None:
        try:
            rows, equal = publish_again(self._settings)
        except Exception as error:
            self._again(explain(error))
            return
        _log.info("stream_repaired" if equal else "stream_not_repaired", rows=rows, reasons=reasons)
        if equal:
            self._failures, self._said = 0, ""
            self._memory.repaired(reasons)
        else:
            self._again(f"{rows:,} rows were, and they still differ")

    def _again(self, said: str) -> None:
        self._failures += 1
        delay = min(_LONGEST_DELAY, _FIRST_DELAY * 2.0 ** (self._failures - 1))
        self._not_before, self._said = time.monotonic() + delay, said
        _log.warning("stream_repair_failed", reason=said, again_in=delay)


def publish_again(settings: Settings) -> tuple[int, bool]:
    """Publish what ClickHouse lacks: how many rows that were, and whether both stores are equal afterwards."""
    # Loads what a supervisor mostly does without.
    done = import_module("neonblue.republication").repair(settings, wait_seconds=_WAIT_SECONDS)
    return done.rows, done.equal
