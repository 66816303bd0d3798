"""Stored assignments near at hand: in the process, then in Valkey. PostgreSQL stays the truth."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

import msgspec
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from api.recent import RecentMap

UnitKey = tuple[int, str, str]
"""Experiment id, unit type, the client's id of the unit."""

Values = Sequence[bytes | str | None]
"""As Valkey holds them."""

log = structlog.get_logger("api.assignments")

_TIMEOUT_SECONDS = 0.05
_WRITE_TIMEOUT_SECONDS = 2.0
_PAUSE_SECONDS = 1.0
_KEEP_SECONDS = 86_400
_UNWRITTEN_ENTRIES = 20_000
_KEEP = """
for n, name in ipairs(KEYS) do redis.call('SET', name, ARGV[n + 1], 'EX', ARGV[1]) end
"""
"""One command for many keys: the client's work on a command is most of what a key costs."""


class Stored(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A stored assignment. `exposed`: whether its exposure is recorded."""

    variant_key: str
    version: int
    assigned_at: str
    exposed: bool

    def with_exposure(self) -> Stored:
        """The same assignment with its exposure recorded."""
        return Stored(self.variant_key, self.version, self.assigned_at, True)


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Stored).decode


class AssignmentCache:
    """The process's own cache: no I/O."""

    def __init__(self, entries: int) -> None:
        self._entries: RecentMap[UnitKey, Stored] = RecentMap(entries)
        self.get = self._entries.get

    def put_all(self, found: Mapping[UnitKey, Stored]) -> None:
        for key, stored in found.items():
            self._entries.put(key, stored)

    def forget(self, units: Iterable[UnitKey]) -> None:
        for unit in units:
            self._entries.discard(unit)

    def clear(self) -> None:
        self._entries.clear()


@dataclass(slots=True)
class SharedCache:
    """Valkey, shared by all API processes. Never waited for long, and left alone for a second after a failure.

    Keys hold the experiment's id, since two experiments may share a salt, and its salt, which a database made anew
    does not share with the one before it.
    """

    client: Redis
    _closed_until: float = 0.0
    _unwritten: dict[str, bytes] = field(default_factory=dict)
    _writer: asyncio.Task[None] | None = None
    _unread: list[tuple[list[str], asyncio.Future[Values]]] = field(default_factory=list)
    _reader: asyncio.Task[None] | None = None

    @classmethod
    def closed(cls) -> SharedCache:
        """One that knows nothing and keeps nothing."""
        return cls(Redis(), float("inf"))

    async def read(self, salts: Mapping[int, str], keys: Sequence[UnitKey]) -> dict[UnitKey, Stored]:
        """What is known of these units; nothing where Valkey is away."""
        if not keys or self._pausing():
            return {}
        answer: asyncio.Future[Values] = asyncio.get_running_loop().create_future()
        self._unread.append(([_name(salts[key[0]], key) for key in keys], answer))
        if self._reader is None or self._reader.done():
            self._reader = asyncio.create_task(self._read())
        found: dict[UnitKey, Stored] = {}
        for key, value in zip(keys, await answer, strict=False):  # no values where Valkey is away
            if value is not None and (stored := _read(value)) is not None:
                found[key] = stored
        return found

    async def _read(self) -> None:
        """What is asked for while one answer is under way is asked for together."""
        while self._unread:
            asked, self._unread = self._unread, []
            names = [name for wanted, _ in asked for name in wanted]
            values: Values = []
            try:
                async with asyncio.timeout(_TIMEOUT_SECONDS):
                    values = await self.client.mget(names)
            except Exception as error:  # those who ask meanwhile wait for this task
                self._pause(error)
            finally:
                _hand_out(asked, values)

    def write(self, salts: Mapping[int, str], found: Mapping[UnitKey, Stored]) -> None:
        """Keep stored assignments for other processes, soon. Nothing waits for it and a failure is no error."""
        if self._pausing() or len(self._unwritten) > _UNWRITTEN_ENTRIES:
            return
        for key, stored in found.items():
            self._unwritten[_name(salts[key[0]], key)] = _encode(stored)
        if self._unwritten and (self._writer is None or self._writer.done()):
            self._writer = asyncio.create_task(self._write())

    def drop_unwritten(self, salts: Mapping[int, str], units: Iterable[UnitKey]) -> None:
        """Do not write what is kept of these units."""
        for unit in units:
            self._unwritten.pop(_name(salts[unit[0]], unit), None)

    async def forget(self, salts: Mapping[int, str], units: Sequence[UnitKey]) -> int:
        """Remove what is kept of these units; how many there were. Raises RedisError, OSError, TimeoutError."""
        self.drop_unwritten(salts, units)
        if not units:
            return 0
        async with asyncio.timeout(_WRITE_TIMEOUT_SECONDS):
            return int(await self.client.delete(*(_name(salts[unit[0]], unit) for unit in units)))

    async def _write(self) -> None:
        while self._unwritten:
            batch, self._unwritten = self._unwritten, {}
            try:
                async with asyncio.timeout(_WRITE_TIMEOUT_SECONDS):
                    await self._keep(len(batch), *batch, _KEEP_SECONDS, *batch.values())
            except Exception as error:
                self._pause(error)
                self._unwritten.clear()

    async def _keep(self, count: int, *arguments: str | bytes | int) -> None:
        await cast("Awaitable[object]", self.client.eval(_KEEP, count, *cast("tuple[str, ...]", arguments)))

    async def ping(self) -> bool:
        """Whether Valkey answers. How long that may take, its caller says."""
        try:
            return await self.client.echo("ready") == b"ready"
        except (RedisError, OSError):
            return False

    async def close(self) -> None:
        for task in (self._writer, self._reader):
            if task is not None:
                task.cancel()
        await self.client.aclose()
        await self.client.connection_pool.disconnect()  # which the client leaves open: it did not make it

    def _pausing(self) -> bool:
        return asyncio.get_running_loop().time() < self._closed_until

    def _pause(self, error: Exception) -> None:
        self._closed_until = asyncio.get_running_loop().time() + _PAUSE_SECONDS
        log.warning("valkey_unreachable", error=type(error).__name__)


def _hand_out(asked: Sequence[tuple[list[str], asyncio.Future[Values]]], values: Values) -> None:
    """Give each who asked the values of its names."""
    start = 0
    for names, answer in asked:
        if not answer.done():
            answer.set_result(values[start : start + len(names)])
        start += len(names)


def _name(salt: str, key: UnitKey) -> str:
    return f"neonblue:assignment:{key[0]}:{salt}:{len(key[1])}:{key[1]}:{key[2]}"


def _read(value: bytes | str) -> Stored | None:
    try:
        return _decode(value if isinstance(value, bytes) else value.encode())
    except msgspec.DecodeError:
        return None
