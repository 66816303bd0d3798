"""Group commit: what arrives within a few milliseconds shares one transaction on one of a few connections.

An fsync costs the same for one event and for a thousand. A job is acknowledged after the commit that holds it,
never before; an error in one job's data fails that job alone.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import psycopg
import structlog
from psycopg import errors

from api.background import Keeper
from api.metrics import COMMIT_ITEMS, COMMIT_SECONDS, QUEUE_BYTES, QUEUE_ITEMS, QUEUE_LIMIT_BYTES
from api.postgres.database import Connection, dropped
from api.postgres.failures import Refused, Unavailable, is_outage
from neonblue.log_lines import REQUEST_ID
from neonblue.tracing import CURRENT

if TYPE_CHECKING:
    from neonblue.tracing.tracer import Tracing

log = structlog.get_logger("api.ingest")

_UNTRACED = nullcontext()
_ATTEMPTS = 3
_WRITE_SECONDS = 15.0
_QUEUE_SECONDS = 5.0
_DRAIN_LOOK_SECONDS = 0.01
_RECONNECT_SECONDS = (0.05, 2.0)
_AGAIN = (errors.DeadlockDetected, errors.SerializationFailure, errors.CheckViolation)
"""Others were in the way, or a partition was dropped: the same transaction may succeed now."""


class Sized(Protocol):
    """What a job must tell of itself."""

    @property
    def items(self) -> int: ...
    @property
    def size(self) -> int: ...


J = TypeVar("J", bound=Sized)
R = TypeVar("R")

Opener = Callable[[], Awaitable[Connection]]
Writer = Callable[[Connection, Sequence[J], int], Awaitable[list[R]]]
"""write(connection, jobs, attempt): one whole transaction; the result of each job, once it is committed."""


@dataclass(frozen=True, slots=True)
class GroupLimits:
    """How jobs are grouped. Seconds, items and bytes (of request bodies)."""

    linger_seconds: float
    connections: int
    group_items: int
    queue_bytes: int
    group_bytes: int = 8 * 1024**2


@dataclass(slots=True)
class _Waiting(Generic[J, R]):
    job: J
    future: asyncio.Future[R]
    since: float
    request_id: str | None
    span: Any


@dataclass(slots=True)
class GroupCommit(Generic[J, R]):
    """Queues jobs and writes them in groups. `submit` is the only call a request makes."""

    name: str
    open: Opener
    write: Writer[J, R]
    limits: GroupLimits
    keeper: Keeper = field(default_factory=Keeper)
    tracing: Tracing | None = None
    _queue: deque[_Waiting[J, R]] = field(default_factory=deque)
    _queued_bytes: int = 0
    _queued_items: int = 0
    _connected: int = 0
    _writing: int = 0
    _filled: asyncio.Event = field(default_factory=asyncio.Event)
    _collecting: asyncio.Lock = field(default_factory=asyncio.Lock)
    _stopping: bool = False

    async def submit(self, job: J) -> R:
        """Wait until the job is durably stored and return its result.

        Raises Unavailable when it may not be: PostgreSQL is away, the connection broke during the commit, or
        too much waits already. Raises Refused when the store refused this job's data.
        """
        if not self._connected or self._stopping:
            raise Unavailable("PostgreSQL can't be reached")
        if self._queued_bytes + job.size > self.limits.queue_bytes:
            raise Unavailable("too many requests wait to be stored")
        loop = asyncio.get_running_loop()
        waiting = _Waiting[J, R](job, loop.create_future(), loop.time(), REQUEST_ID.get(), CURRENT.get())
        self._queue.append(waiting)
        self._queued_bytes += job.size
        self._queued_items += job.items
        self._filled.set()
        return await waiting.future

    @property
    def available(self) -> bool:
        """Whether there is a connection to write on."""
        return self._connected > 0

    def start(self) -> None:
        """Start the workers; each keeps its own connection."""
        QUEUE_ITEMS.labels(self.name).set_function(lambda: self._queued_items)
        QUEUE_BYTES.labels(self.name).set_function(lambda: self._queued_bytes)
        QUEUE_LIMIT_BYTES.labels(self.name).set(self.limits.queue_bytes)
        for number in range(1, self.limits.connections + 1):
            self.keeper.keep(f"{self.name} writer {number}", self._work, vital=True)
        self.keeper.keep(f"{self.name} expiry", self._expire, vital=True)

    async def stop(self) -> None:
        """Write what waits, then close the connections."""
        self._stopping = True
        await self._drain()
        await self.keeper.stop()
        self._fail_all(Unavailable("the API is stopping"))

    async def _drain(self) -> None:
        deadline = asyncio.get_running_loop().time() + _QUEUE_SECONDS
        while asyncio.get_running_loop().time() < deadline:
            if not self._queue and not self._writing:
                return
            await asyncio.sleep(_DRAIN_LOOK_SECONDS)

    async def _work(self) -> None:
        while True:
            connection = await self._connect()
            self._connected += 1
            try:
                while not connection.closed:
                    group = await self._collect()
                    try:
                        connection = await self._usable(connection)
                        await self._settle(connection, group)
                    finally:
                        self._writing -= 1
                        # Whatever ended it, nobody waits for ever.
                        _fail(group, Unavailable("the outcome is unknown"))
            finally:
                self._connected -= 1
                if not self._connected:
                    self._fail_all(Unavailable("PostgreSQL can't be reached"))
                await connection.close()

    async def _usable(self, connection: Connection) -> Connection:
        """The connection, or one in its place where the server ended it while it idled: nothing was sent on it yet.

        Still the old one where there is no new one to be had: writing on it then tells the waiting requests.
        """
        if not dropped(connection):
            return connection
        await connection.close()
        try:
            return await self.open()
        except (psycopg.Error, OSError):
            return connection

    async def _connect(self) -> Connection:
        wait, longest = _RECONNECT_SECONDS
        while True:
            try:
                return await self.open()
            except (psycopg.Error, OSError) as error:
                log.warning("postgres_unreachable", queue=self.name, error=type(error).__name__)
                await asyncio.sleep(wait)
                wait = min(wait * 2, longest)

    async def _collect(self) -> list[_Waiting[J, R]]:
        """The next group: everything that came within the linger time of its first job, up to the limits."""
        async with self._collecting:
            await self._filled.wait()
            if self._queued_items < self.limits.group_items and not self._stopping:
                await asyncio.sleep(self.limits.linger_seconds)
            group = self._take()
            self._writing += 1
            return group

    def _take(self) -> list[_Waiting[J, R]]:
        group: list[_Waiting[J, R]] = []
        items = size = 0
        while self._queue:
            job = self._queue[0].job
            if group and (
                items + job.items > self.limits.group_items or size + job.size > self.limits.group_bytes
            ):
                break
            items += job.items
            size += job.size
            group.append(self._queue.popleft())
        self._queued_items -= items
        self._queued_bytes -= size
        if not self._queue:
            self._filled.clear()
        return group

    async def _settle(self, connection: Connection, group: list[_Waiting[J, R]]) -> None:
        """Write a group; on an error in the data, its halves, until the job to blame stands alone."""
        if not group:
            return
        try:
            with self._traced(group):
                results = await self._write(connection, [waiting.job for waiting in group])
        except asyncio.CancelledError:
            _fail(group, Unavailable("the API is stopping"))
            raise
        except Exception as error:  # whatever it is, every job of the group must get an answer
            await self._failed(connection, group, error)
            return
        for waiting, result in zip(group, results, strict=True):
            if not waiting.future.done():
                waiting.future.set_result(result)

    def _traced(self, group: Sequence[_Waiting[J, R]]) -> AbstractContextManager[object]:
        if self.tracing is None or not (
            spans := [waiting.span for waiting in group if waiting.span is not None]
        ):
            return _UNTRACED
        from api.postgres.traced import transaction

        return transaction(
            self.tracing, self.name, spans, len(group), sum(waiting.job.items for waiting in group)
        )

    async def _write(self, connection: Connection, jobs: list[J]) -> list[R]:
        started = asyncio.get_running_loop().time()
        for attempt in range(_ATTEMPTS):
            try:
                async with asyncio.timeout(_WRITE_SECONDS):
                    results = await self.write(connection, jobs, attempt)
                break
            except _AGAIN as error:
                log.info("transaction_repeated", queue=self.name, error=type(error).__name__)
                await _roll_back(connection)
                if attempt == _ATTEMPTS - 1:
                    raise
        COMMIT_ITEMS.labels(self.name).observe(sum(job.items for job in jobs))
        COMMIT_SECONDS.labels(self.name).observe(asyncio.get_running_loop().time() - started)
        return results

    async def _failed(self, connection: Connection, group: list[_Waiting[J, R]], error: Exception) -> None:
        if connection.closed or is_outage(error):
            log.warning("commit_failed", queue=self.name, error=type(error).__name__, jobs=len(group))
            _fail(group, Unavailable("the connection to PostgreSQL broke; the outcome is unknown"))
            await connection.close()
            return
        try:
            await _roll_back(connection)
        except (psycopg.Error, OSError, TimeoutError):
            await self._failed(connection, group, psycopg.OperationalError("the connection broke"))
            return
        if len(group) > 1:
            middle = len(group) // 2
            await self._settle(connection, group[:middle])
            await self._or_fail(connection, group[middle:])
        elif isinstance(error, psycopg.Error):
            log.warning(
                "job_refused",
                queue=self.name,
                error=type(error).__name__,
                sqlstate=error.sqlstate,
                request_id=group[0].request_id,
            )
            _fail(group, Refused("the store refused the data"))
        else:
            log.error("job_failed", queue=self.name, request_id=group[0].request_id, exc_info=error)
            _fail(group, error)

    async def _or_fail(self, connection: Connection, group: list[_Waiting[J, R]]) -> None:
        if connection.closed:
            _fail(group, Unavailable("the connection to PostgreSQL broke"))
        else:
            await self._settle(connection, group)

    async def _expire(self) -> None:
        """Fail what waits too long: a client must get its 503 while it still listens."""
        while True:
            await asyncio.sleep(0.5)
            oldest = asyncio.get_running_loop().time() - _QUEUE_SECONDS
            while self._queue and self._queue[0].since < oldest:
                waiting = self._queue.popleft()
                self._queued_bytes -= waiting.job.size
                self._queued_items -= waiting.job.items
                _fail([waiting], Unavailable("too many requests wait to be stored"))
            if not self._queue:
                self._filled.clear()

    def _fail_all(self, error: Unavailable) -> None:
        _fail(list(self._queue), error)
        self._queue.clear()
        self._queued_bytes = self._queued_items = 0
        self._filled.clear()


async def _roll_back(connection: Connection) -> None:
    """Raises psycopg.Error, TimeoutError."""
    async with asyncio.timeout(_WRITE_SECONDS):
        await connection.execute("ROLLBACK")


def _fail(group: Sequence[_Waiting[J, R]], error: Exception) -> None:
    for waiting in group:
        if not waiting.future.done():
            waiting.future.set_exception(error)
