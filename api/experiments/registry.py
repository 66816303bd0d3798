"""Every experiment's configuration in memory, kept fresh by notifications and by a look at the versions."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import psycopg
import structlog

from api.database import Connection, Pool, connect
from api.experiments.repository import CHANNEL, Row, read_all, read_by_id
from api.experiments.schemas import Status
from neonblue.bucketing import Configuration

log = structlog.get_logger("api.experiments")

_CHECK_SECONDS = 2.0
_RELOAD_SECONDS = 0.2
_VERSIONS = "SELECT id, version FROM experiments"


@dataclass(frozen=True, slots=True)
class LiveExperiment:
    """What assignment and ingest need of one version of an experiment."""

    experiment_id: int
    key: str
    external: bool
    unit_type: str
    status: Status
    version: int
    salt: str
    variant_keys: frozenset[str]
    configuration: Configuration

    @property
    def running(self) -> bool:
        return self.status is Status.RUNNING

    @classmethod
    def from_row(cls, row: Row) -> LiveExperiment:
        weights = tuple((variant["key"], variant["weight"]) for variant in row["variants"])
        return cls(
            row["id"],
            row["key"],
            row["source"] == "external",
            row["unit_type"],
            Status(row["status"]),
            row["version"],
            row["salt"],
            frozenset(key for key, _ in weights),
            Configuration(row["salt"], row["allocation"], weights),
        )


class Registry:
    """Experiments by id and by key. Reading is a dictionary look-up."""

    def __init__(self, dsn: str, pool: Pool) -> None:
        self._dsn = dsn
        self._pool = pool
        self._by_name: dict[int | str, LiveExperiment] = {}
        self._reloaded = float("-inf")
        self._reloading: asyncio.Task[None] | None = None
        self.loaded = False
        self.find = self._by_name.get

    def salts(self) -> dict[int, str]:
        """The salt of each experiment, by id."""
        return {name: live.salt for name, live in self._by_name.items() if isinstance(name, int)}

    async def confirm(self) -> None:
        """Look at PostgreSQL before saying no: a change made by another process may not have arrived.

        At most once in a fifth of a second; all who ask meanwhile share one look. Raises psycopg.Error.
        """
        if asyncio.get_running_loop().time() - self._reloaded < _RELOAD_SECONDS:
            return
        if self._reloading is None or self._reloading.done():
            self._reloading = asyncio.create_task(self.check())
        await asyncio.shield(self._reloading)

    async def check(self) -> None:
        """Load what is new or has another version. Raises psycopg.Error."""
        started = asyncio.get_running_loop().time()
        async with self._pool.connection() as connection:
            if not self.loaded:
                for row in await read_all(connection):
                    self._put(row)
            else:
                await self._load_changed(connection)
        self._reloaded = started
        self.loaded = True

    async def load(self, experiment_id: int) -> None:
        """Load one experiment. Raises psycopg.Error."""
        async with self._pool.connection() as connection:
            row = await read_by_id(connection, experiment_id)
        if row is not None:
            self._put(row)

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
                    await self.load(int(notification.payload))

    async def _load_changed(self, connection: Connection) -> None:
        cursor = await connection.execute(_VERSIONS.encode())
        for experiment_id, version in await cursor.fetchall():
            known = self._by_name.get(experiment_id)
            if known is None or known.version != version:
                row = await read_by_id(connection, experiment_id)
                if row is not None:
                    self._put(row)

    def _put(self, row: Row) -> None:
        """A notification may arrive late: an older version never replaces a newer one."""
        live = LiveExperiment.from_row(row)
        known = self._by_name.get(live.experiment_id)
        if known is None or known.version <= live.version:
            self._by_name[live.experiment_id] = live
            self._by_name[live.key] = live
