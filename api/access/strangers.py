"""Who sends tokens that nobody has: told so by address, without a look into PostgreSQL for each."""

from __future__ import annotations

import asyncio
from ipaddress import IPv6Address, ip_address
from math import ceil
from time import monotonic

from api.http.problems import Problem
from api.postgres.database import Pool
from api.recent import RecentMap

_LIVE = "SELECT token_hash FROM api_tokens WHERE revoked_at IS NULL"
_WINDOW_SECONDS = 60.0
_FRESH_SECONDS = 1.0
_OF_ALL = 20
"""So many times what one address may send wrong, all of them together may."""
_ADDRESSES = 10_000
_IPV6_NETWORK_BITS = 64


def network_of(host: str | None) -> str:
    """What counts as one client: an IPv4 address, or an IPv6 network of 64 bits, which one line is given."""
    try:
        address = ip_address((host or "").partition("%")[0])
    except ValueError:
        return (host or "unknown")[:64]
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return f"{IPv6Address(int(address) >> _IPV6_NETWORK_BITS << _IPV6_NETWORK_BITS)}/{_IPV6_NETWORK_BITS}"


class Strangers:
    """Counts the wrong tokens of each address in a minute.

    Past the limit a token that this process has not met is looked for in the list of all live ones, which is read at
    most once a second: whoever has a valid one goes on, whatever others send from the same address.
    """

    def __init__(self, pool: Pool, per_minute: int) -> None:
        self._pool = pool
        self._per_minute = per_minute
        self._counts: RecentMap[str, _Count] = RecentMap(_ADDRESSES)
        self._everybody = _Count()
        self._live: frozenset[bytes] = frozenset()
        self._read_at = float("-inf")
        self._reading: asyncio.Task[None] | None = None

    async def admit(self, digest: bytes, host: str | None) -> bool:
        """Count one look at a token that may be wrong; False: it is not counted, for it is a live one.

        Raises Problem 429; psycopg.Error, OSError.
        """
        now = monotonic()
        count = self._count(network_of(host))
        if count.add(now, self._per_minute) and self._everybody.add(now, self._per_minute * _OF_ALL):
            return True
        if not await self._is_live(digest):
            raise Problem(
                429,
                "too_many_wrong_tokens",
                "Too many wrong tokens came from this address: wait, and check the token",
                headers={"retry-after": str(max(1, ceil(count.since + _WINDOW_SECONDS - now)))},
            )
        return False

    def forgive(self, host: str | None) -> None:
        """A token that was counted was right."""
        for count in (self._count(network_of(host)), self._everybody):
            count.number = max(0, count.number - 1)

    def _count(self, network: str) -> _Count:
        count = self._counts.get(network)
        if count is None:
            count = _Count()
            self._counts.put(network, count)
        return count

    async def _is_live(self, digest: bytes) -> bool:
        if monotonic() - self._read_at > _FRESH_SECONDS:
            if self._reading is None or self._reading.done():
                self._reading = asyncio.create_task(self._read())
            await asyncio.shield(self._reading)
        return digest in self._live

    async def _read(self) -> None:
        read_at = monotonic()
        async with self._pool.connection() as connection:
            cursor = await connection.execute(_LIVE)
            self._live = frozenset(bytes(row[0]) for row in await cursor.fetchall())
        self._read_at = read_at


class _Count:
    """Of one minute, which begins with the first."""

    __slots__ = ("number", "since")

    def __init__(self) -> None:
        self.number, self.since = 0, float("-inf")

    def add(self, now: float, most: int) -> bool:
        """Whether one more is within the limit; counted only then."""
        if now - self.since > _WINDOW_SECONDS:
            self.number, self.since = 0, now
        if self.number >= most:
            return False
        self.number += 1
        return True
