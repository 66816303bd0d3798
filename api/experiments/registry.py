"""Every experiment's configuration in memory, kept fresh by notifications and by a look at the versions."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256

import msgspec
import psycopg
import structlog

from api.experiments.evaluation import EvaluationRow, Mark, Unreadable, read_evaluations, read_marks
from api.experiments.repository import CHANNEL
from api.postgres.database import Pool, connect
from neonblue.bucketing import Configuration, Serving, compile_expression
from neonblue.bucketing.document import (
    ConfigurationDocument,
    ExperimentEntry,
    ServedEntry,
    VariantEntry,
)

log = structlog.get_logger("api.experiments")

_CHECK_SECONDS = 2.0
_RELOAD_SECONDS = 0.2
_CONFIRM_SECONDS = 0.5
_RUNNING = "running"
_UNSTARTED = frozenset({"draft", "scheduled"})
_NOBODY = "false"
_ID = re.compile(r"[0-9]{1,10}")


@dataclass(frozen=True, slots=True)
class LiveExperiment:
    """What assignment and ingest need of one version of an experiment."""

    experiment_id: int
    key: str
    external: bool
    population: str
    unit_type: str
    status: str
    version: int
    salt: str
    variant_keys: frozenset[str]
    variants: dict[str, VariantEntry]
    configuration: Configuration
    entry: ExperimentEntry
    serving: Serving | None

    @property
    def running(self) -> bool:
        return self.status == _RUNNING

    @property
    def started(self) -> bool:
        """Whether it runs or ran: its arms are no secret any more."""
        return self.status not in _UNSTARTED

    @property
    def counts_exposed_alone(self) -> bool:
        """Whether an assignment that is never exposed means nothing to the analysis."""
        return self.population == "exposed"

    @classmethod
    def from_row(cls, row: EvaluationRow) -> LiveExperiment:
        entry = row.entry
        return cls(
            entry.experiment_id,
            entry.key,
            row.external,
            row.population,
            entry.unit_type,
            row.status,
            entry.version,
            entry.salt,
            frozenset(variant.key for variant in entry.variants),
            {variant.key: variant for variant in entry.variants},
            _configuration(entry),
            entry,
            row.serving,
        )


class Registry:
    """Experiments by id and by key. Reading is a dictionary look-up."""

    def __init__(self, dsn: str, pool: Pool) -> None:
        self._dsn = dsn
        self._pool = pool
        self._by_name: dict[int | str, LiveExperiment] = {}
        self._marks: dict[int, Mark] = {}
        self._running: dict[str, list[LiveExperiment]] | None = None
        self._served: list[LiveExperiment] | None = None
        self._document: ConfigurationDocument | None = None
        self._reloaded = float("-inf")
        self._confirmed: dict[int, float] = {}
        self._reloading: asyncio.Task[None] | None = None
        self.loaded = False
        self.find = self._by_name.get

    def salts(self) -> dict[int, str]:
        """The salt of each experiment, by id."""
        return {number: self._by_name[number].salt for number in self._ids()}

    def running(self, unit_type: str) -> list[LiveExperiment]:
        """The running experiments that this product assigns such units to, by id."""
        return self._groups().get(unit_type, [])

    def served(self, unit_type: str) -> list[LiveExperiment]:
        """Those of such units that ran and whose keys still give something, by id."""
        return [live for live in self._others() if live.unit_type == unit_type]

    def document(self) -> ConfigurationDocument:
        """All that is running or served, for those who evaluate for themselves."""
        if self._document is None:
            running = [live.entry for group in self._groups().values() for live in group]
            entries = sorted(running, key=lambda entry: entry.experiment_id)
            others = [ServedEntry.of(live.entry, live.serving) for live in self._others() if live.serving]
            served = [entry for entry in others if entry is not None]
            revision = sha256(msgspec.json.encode([entries, served])).hexdigest()[:32]
            self._document = ConfigurationDocument(revision=revision, experiments=entries, served=served)
        return self._document

    async def confirm(self) -> None:
        """Look at PostgreSQL before saying no: a change made by another process may not have arrived.

        Returns after a look that began after the call. There is at most one in a fifth of a second; all who ask
        meanwhile share the next. Raises psycopg.Error.
        """
        asked = asyncio.get_running_loop().time()
        while self._reloaded < asked:
            if self._reloading is None or self._reloading.done():
                self._reloading = asyncio.create_task(self._check_soon())
            await asyncio.shield(self._reloading)

    async def confirm_of(self, experiment_ids: Collection[int]) -> None:
        """The same of these experiments together: of each once in two seconds, and for half a second at most.

        What is in memory stands where PostgreSQL does not answer: a key gives something in any case.
        """
        if all(self.is_confirmed(number) for number in experiment_ids):
            return
        with suppress(psycopg.Error, OSError, TimeoutError):
            async with asyncio.timeout(_CONFIRM_SECONDS):
                await self.confirm()
        now = asyncio.get_running_loop().time()
        self._confirmed |= {number: now for number in experiment_ids if number in self._by_name}

    def is_confirmed(self, experiment_id: int) -> bool:
        """Whether `confirm_of` would not look at PostgreSQL again."""
        last = self._confirmed.get(experiment_id)
        return last is not None and last > asyncio.get_running_loop().time() - _CHECK_SECONDS

    async def _check_soon(self) -> None:
        await asyncio.sleep(self._reloaded + _RELOAD_SECONDS - asyncio.get_running_loop().time())
        await self.check()

    async def check(self) -> None:
        """Load what is new or has changed, forget what is gone. Raises psycopg.Error."""
        started = asyncio.get_running_loop().time()
        held = set(self._ids())  # before the look: what another load adds meanwhile may be too new for it
        async with self._pool.connection() as connection:
            marks = await read_marks(connection)
            changed = [number for number, mark in marks.items() if self._marks.get(number) != mark]
            if changed:
                for row in await read_evaluations(connection, changed):
                    self._put(row)
        for number in held - marks.keys():
            self._forget(number)
        self._marks = marks
        self._reloaded = started
        self.loaded = True

    async def load(self, experiment_id: int) -> None:
        """Load one experiment, or forget it where it is gone. Raises psycopg.Error."""
        self._marks.pop(experiment_id, None)  # so that the next look reads it again, whichever read was first
        async with self._pool.connection() as connection:
            rows = await read_evaluations(connection, [experiment_id])
        for row in rows:
            self._put(row)
        if not rows:
            self._forget(experiment_id)

    async def listen(self) -> None:
        """Follow the changes for ever: on each notification, and at intervals in case one was missed."""
        while True:
            try:
                await self._follow()
            except (psycopg.Error, OSError) as error:
                log.warning("listening_failed", error=type(error).__name__)
                await asyncio.sleep(0.5)

    async def _follow(self) -> None:
        connection = await connect(self._dsn, "listen")
        async with connection:
            await connection.execute(f"LISTEN {CHANNEL}".encode())
            while True:
                await self.check()
                async for notification in connection.notifies(timeout=_CHECK_SECONDS):
                    if _ID.fullmatch(notification.payload):
                        await self.load(int(notification.payload))
                    else:  # of a layer or a holdout, which several experiments share, or anybody's word
                        await self.check()

    def _groups(self) -> dict[str, list[LiveExperiment]]:
        if self._running is None:
            self._running = {}
            for number in sorted(self._ids()):
                live = self._by_name[number]
                if live.running and not live.external:
                    self._running.setdefault(live.unit_type, []).append(live)
        return self._running

    def _others(self) -> list[LiveExperiment]:
        if self._served is None:
            known = (self._by_name[number] for number in sorted(self._ids()))
            self._served = [
                live for live in known if live.serving and live.serving.control is not None and live.started
            ]
        return self._served

    def _put(self, row: EvaluationRow | Unreadable) -> None:
        """A notification may arrive late: an older version never replaces a newer one.

        One that can't be read leaves what is held.
        """
        if isinstance(row, Unreadable):
            log.error("experiment_unreadable", experiment_id=row.experiment_id, error=row.reason)
            return
        known = self._by_name.get(row.entry.experiment_id)
        if known is None or known.version <= row.entry.version:
            live = LiveExperiment.from_row(row)
            self._by_name[live.experiment_id] = live
            # The key of a deleted draft may have been taken over, by an experiment of a higher id.
            if self._by_name.get(live.key, live).experiment_id <= live.experiment_id:
                self._by_name[live.key] = live
            self._running = self._served = self._document = None

    def _forget(self, experiment_id: int) -> None:
        """A draft was deleted. Its key may be another experiment's by now."""
        self._confirmed.pop(experiment_id, None)
        gone = self._by_name.pop(experiment_id, None)
        if gone is None:
            return
        if self._by_name.get(gone.key) is gone:
            del self._by_name[gone.key]
        self._running = self._served = self._document = None

    def _ids(self) -> list[int]:
        return [name for name in self._by_name if isinstance(name, int)]


def _configuration(entry: ExperimentEntry) -> Configuration:
    """An expression is checked before it is stored; where one can't be read all the same, nobody is meant."""
    try:
        return entry.configuration()
    except ValueError as error:
        log.error("experiment_unreadable", experiment_id=entry.experiment_id, error=str(error))
        return Configuration(
            entry.salt,
            entry.allocation,
            tuple((variant.key, variant.weight) for variant in entry.variants),
            targeting=compile_expression(_NOBODY),
            outside=entry.outside,
            closed=entry.closed,
        )
