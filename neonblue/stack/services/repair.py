"""Brings to ClickHouse what the stream has lost on its way: from PostgreSQL, through the outbox."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from importlib import import_module
from typing import Any, NamedTuple

import httpx
import structlog

from neonblue.backoff import backoff
from neonblue.settings import Settings
from neonblue.stack.errors import ServiceError, explain
from neonblue.stack.services.broken_parts import UNREADABLE, BrokenParts, set_aside
from neonblue.stack.services.stream_memory import StreamMemory
from neonblue.stack.supervisor.nodes import Step

_log = structlog.get_logger("neonblue.stack")

COMMAND = "neonblue reconcile --repair"
_LOOK_SECONDS = 5.0
"""How often it is looked for losses."""
_WAIT_SECONDS = 120.0
_FIRST_DELAY = 5.0
_LONGEST_DELAY = 1_800.0
_TRIES = 3
"""Rows that so many attempts in a row did not bring are refused on the way: more would only leave letters."""


class Outcome(NamedTuple):
    """rows: published again. equal: whether both stores are then. lacking: rows that have not arrived."""

    rows: int
    equal: bool
    lacking: tuple[str, ...] = ()


class StreamRepair(Step):
    """Compares PostgreSQL with ClickHouse after a loss, and publishes again what is missing, until they are equal."""

    name = "stream-repair"
    place = 57
    requires = ("topics", "connector", "clickhouse-schema", "postgres-schema")
    watch_seconds = 2.0

    def __init__(self, settings: Settings) -> None:
        from neonblue.stack.services.inside.stream_position import PositionWatch

        self._settings = settings
        self._memory = StreamMemory(settings.data_dir)
        self._watches = (PositionWatch(settings, self._memory), BrokenParts(settings, self._memory))
        self._looked = 0.0
        self._work: threading.Thread | None = None
        self._failures = 0
        self._not_before = 0.0
        self._said = ""
        self._useless = 0
        self._lacking: tuple[str, ...] = ()
        self._tried: tuple[str, ...] = ()

    def run(self) -> None:
        """What an earlier life has left is found by the first look."""

    def check(self) -> None:
        """Nothing is known to be missing."""
        if time.monotonic() - self._looked >= _LOOK_SECONDS:
            self._look_for_losses()
        if reasons := self._memory.read().to_repair:
            if self._gave_up(reasons):
                raise ServiceError(
                    self.name,
                    f"{'; '.join(reasons)}: published {_TRIES} times, {self._said} still differ, so it is not tried "
                    "again: see 'neonblue reconcile'",
                )
            said = f" ({self._said})" if self._said else ""
            raise ServiceError(
                self.name,
                f"{'; '.join(reasons)}: what ClickHouse lacks is published again{said}; '{COMMAND}' does it by hand",
            )

    def _look_for_losses(self) -> None:
        from confluent_kafka import KafkaException

        self._looked = time.monotonic()
        for watch in self._watches:
            # Others tell what is away; it is looked again.
            with suppress(KafkaException, httpx.HTTPError):
                watch.look()

    def mend(self) -> None:
        """In a thread of its own: it takes as long as there is to publish."""
        if self._work is not None and self._work.is_alive():
            return
        reasons = self._memory.read().to_repair
        if self._useless >= _TRIES and reasons != self._tried:
            self._useless, self._not_before = 0, 0.0
        if time.monotonic() >= self._not_before:
            self._work = threading.Thread(target=self._repair, args=(reasons,), name=self.name, daemon=True)
            self._work.start()

    def _gave_up(self, reasons: tuple[str, ...]) -> bool:
        """What has happened since is tried."""
        return self._useless >= _TRIES and reasons == self._tried

    def _repair(self, reasons: tuple[str, ...]) -> None:
        try:
            if any(reason.startswith(UNREADABLE) for reason in reasons):
                set_aside(self._settings.clickhouse)
            done = (look if self._gave_up(reasons) else publish_again)(self._settings)
        except Exception as error:
            self._again(explain(error))
            return
        _log.info("stream_repaired" if done.equal else "stream_not_repaired", rows=done.rows, reasons=reasons)
        if done.equal:
            self._failures, self._useless, self._said = 0, 0, ""
            self._memory.repaired(reasons)
            return
        same = (done.lacking, reasons) == (self._lacking, self._tried)
        self._useless = self._useless + 1 if same else 1
        self._lacking, self._tried = done.lacking, reasons
        if self._gave_up(reasons):
            self._said = ", ".join(done.lacking[:_TRIES]) or "the stores"
            self._not_before = time.monotonic() + _LONGEST_DELAY
            _log.warning("stream_repair_given_up", lacking=done.lacking, then="see 'neonblue reconcile'")
        else:
            self._again(f"{done.rows:,} rows were, and they still differ")

    def _again(self, said: str) -> None:
        self._failures += 1
        delay = backoff(self._failures, _FIRST_DELAY, _LONGEST_DELAY)
        self._not_before, self._said = time.monotonic() + delay, said
        _log.warning("stream_repair_failed", reason=said, again_in=delay)


def publish_again(settings: Settings) -> Outcome:
    """Publish what ClickHouse lacks, and compare."""
    # Loads what a supervisor mostly does without.
    done = import_module("neonblue.republication").repair(settings, wait_seconds=_WAIT_SECONDS)
    return Outcome(done.rows, done.equal, _lacking(done.reconciliation))


def look(settings: Settings) -> Outcome:
    """Compare alone."""
    result = import_module("neonblue.reconciliation").reconcile(settings, _WAIT_SECONDS)
    return Outcome(0, result.equal, _lacking(result))


def _lacking(result: Any) -> tuple[str, ...]:
    return tuple(f"{kind} {name}" for kind, rows in result.rows.items() for name in rows.missing_ids)
