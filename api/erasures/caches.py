"""The assignments that are kept near at hand: in this process, in the others, in Valkey."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from uuid import UUID

import psycopg
import structlog

from api.assignments.cache import AssignmentCache, SharedCache, UnitKey
from api.assignments.deciding import Decider
from api.erasures import repository
from api.experiments.registry import Registry
from api.postgres.database import Pool, connect
from api.users.repository import Person

log = structlog.get_logger("api.erasures")

_RETRY_SECONDS = 0.5
_LOOK_SECONDS = 30.0
_REQUEST_SECONDS = 1.0


@dataclass(slots=True)
class Caches:
    """This process's caches, and the shared one."""

    dsn: str
    pool: Pool
    registry: Registry
    own: AssignmentCache
    shared: SharedCache
    decider: Decider

    def forget_here(self, person: Person) -> None:
        """Drop what this process keeps of the person."""
        salts = self.registry.salts()
        units = _units(salts, person)
        self.own.forget(units)
        self.decider.forget(units, (person.unit_type, person.user_id))
        self.shared.drop_unwritten(salts, units)

    async def forget_shared(self, salts: Mapping[int, str], person: Person) -> int:
        """Drop what Valkey keeps; how many keys. Raises RedisError, OSError, TimeoutError."""
        return await self.shared.forget(salts, _units(salts, person))

    async def listen(self, wake: Callable[[], None]) -> None:
        """Forget whom any process erases, for ever; `wake` is called on each.

        What was said while nobody listened is made good by forgetting everything.
        """
        while True:
            try:
                await self._follow(wake)
            except (psycopg.Error, OSError) as error:
                log.warning("listening_failed", error=type(error).__name__)
                await asyncio.sleep(_RETRY_SECONDS)

    async def _follow(self, wake: Callable[[], None]) -> None:
        connection = await connect(self.dsn, "erasures")
        async with connection:
            await connection.execute(f"LISTEN {repository.CHANNEL}".encode())
            self.own.clear()
            wake()
            while True:
                async for notification in connection.notifies(timeout=_LOOK_SECONDS):
                    await self._heard(notification.payload)
                    wake()

    async def _heard(self, said: str) -> None:
        try:
            erasure_id = UUID(said)
        except ValueError:  # anybody who may connect to the database may say anything
            log.warning("notification_unreadable", channel=repository.CHANNEL)
            return
        async with self.pool.connection() as connection:
            erasure = await repository.read(connection, erasure_id)
        if erasure is not None and erasure.user_id is not None:
            person = Person(erasure.unit_type, erasure.user_id)
            self.forget_here(person)
            # A request that had read the shared cache before may have filled this one after.
            asyncio.get_running_loop().call_later(_REQUEST_SECONDS, self.forget_here, person)


def _units(salts: Mapping[int, str], person: Person) -> list[UnitKey]:
    return [(experiment_id, person.unit_type, person.user_id) for experiment_id in salts]
