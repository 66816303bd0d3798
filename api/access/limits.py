"""How many requests a second a token may make: GCRA in Valkey, shared by all API processes.

A process takes permits from Valkey some at a time and spends them without asking. It takes a twentieth of the limit,
and the next of them while half are left, so that no request waits for Valkey. Limits below 40 are exact, larger ones to
7.5 % for each process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from dataclasses import dataclass
from math import ceil
from time import monotonic
from typing import Literal

import structlog
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from throttled.asyncio import RedisStore, Throttled, per_sec

from api.http.problems import Problem
from api.recent import RecentMap

log = structlog.get_logger("api.access")

_SHARE = 20
_LEASE_SECONDS = 1.0
_AHEAD_SECONDS = 0.25
_TIMEOUT_SECONDS = 0.1
_PAUSE_SECONDS = 1.0
_KNOWN = 10_000

Headers = list[tuple[bytes, bytes]]
WhenAway = Literal["open", "closed"]
Whose = Literal["token", "visitor"]
_WORDS: dict[Whose, str] = {"token": "The token may make", "visitor": "With this token an address may make"}


@dataclass(slots=True)
class _Account:
    """What one token, or one visitor with it, may still do here. Times are `monotonic`'s.

    policy, state: fields of an answer, the second one to fill in.
    share: how many permits are taken at a time. reserve: with fewer left, the next are taken; none for a share of one.
    """

    key: str
    limit: int
    policy: bytes
    state: bytes
    share: int
    reserve: int
    permits: int = 0
    permits_until: float = 0.0
    remaining: int = 0
    reset_at: float = 0.0
    refused_until: float = 0.0
    refill: asyncio.Task[None] | None = None

    def headers(self, now: float) -> Headers:
        """The fields of draft-ietf-httpapi-ratelimit-headers: permits left, and seconds until all are back."""
        left, seconds = self.remaining + self.permits, max(1, ceil(self.reset_at - now))
        return [(b"ratelimit", self.state % (left, seconds)), (b"ratelimit-policy", self.policy)]


class RateLimits:
    """Admits requests of tokens, or of visitors with one.

    `limit` 0: no limit. `when_away`: what holds while Valkey can't be asked.
    """

    def __init__(self, valkey: str, limit: int, when_away: WhenAway, whose: Whose = "token") -> None:
        self._store = RedisStore(
            server=valkey,
            options={
                "CONNECTION_POOL_KWARGS": {
                    "socket_connect_timeout": 0.5,
                    "socket_timeout": _PAUSE_SECONDS,
                    "retry": Retry(NoBackoff(), 1),
                }
            },
        )
        self._limit = limit
        self._whose = whose
        self._when_away = when_away
        self._accounts: RecentMap[Hashable, _Account] = RecentMap(_KNOWN)
        self._algorithms: dict[int, Throttled] = {}
        self._away_until = 0.0

    async def admit(self, who: Hashable, limit: int | None = None) -> Headers:
        """Count one request of `who`; returns the fields that tell how many more may follow.

        Raises Problem: 429 `rate_limited`, or 503 `rate_limit_unavailable` where Valkey is away and that closes.
        """
        while (fields := self.admit_at_once(who, limit)) is None:
            await self._refill(self._account(who, limit), monotonic())
        return fields

    def admit_at_once(self, who: Hashable, limit: int | None = None) -> Headers | None:
        """As `admit`, of what this process may admit by itself; None, and nothing is counted: Valkey must be asked."""
        if not (self._limit if limit is None else limit):
            return []
        account = self._account(who, limit)
        now = monotonic()
        if not account.permits or now >= account.permits_until:
            return None
        account.permits -= 1
        if account.permits < account.reserve or now >= account.permits_until - _AHEAD_SECONDS:
            self._refill_ahead(account, now)
        return account.headers(now)

    def _account(self, who: Hashable, limit: int | None) -> _Account:
        limit = self._limit if limit is None else limit
        account = self._accounts.get(who)
        if account is None or account.limit != limit:
            share = max(1, limit // _SHARE)
            name = self._whose.encode()
            policy, state = b'"%b";q=%d;w=1' % (name, limit), b'"%b";r=%%d;t=%%d' % name
            account = _Account(self._key(who, limit), limit, policy, state, share, share // 2)
            self._accounts.put(who, account)
        return account

    def _key(self, who: Hashable, limit: int) -> str:
        return f"{who}:{limit}" if self._whose == "token" else f"{self._whose}:{who}:{limit}"

    async def _refill(self, account: _Account, now: float) -> None:
        if now < account.refused_until:
            raise self._limited(account, now)
        await asyncio.shield(self._start_refill(account))

    def _refill_ahead(self, account: _Account, now: float) -> None:
        if account.reserve and now >= account.refused_until:
            self._start_refill(account)

    def _start_refill(self, account: _Account) -> asyncio.Task[None]:
        if account.refill is None or account.refill.done():
            account.refill = asyncio.create_task(self._take(account))
            account.refill.add_done_callback(_retrieve)
        return account.refill

    async def _take(self, account: _Account) -> None:
        """Take permits for this process, fewer where fewer are left; without any, until when to refuse."""
        now = monotonic()
        wanted = account.share
        if now < self._away_until:
            self._go_without(account, now)
            return
        algorithm = self._algorithm(account.limit)
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                result = await algorithm.limit(account.key, wanted)
                if result.limited and 1 <= result.state.remaining < wanted:
                    wanted = result.state.remaining
                    result = await algorithm.limit(account.key, wanted)
        except Exception as error:  # whatever it is, the setting says what holds without Valkey
            log.warning("rate_limits_unknown", error=type(error).__name__)
            self._away_until = now + _PAUSE_SECONDS
            self._go_without(account, now)
            return
        account.remaining, account.reset_at = result.state.remaining, now + result.state.reset_after
        left = account.permits if now < account.permits_until else 0
        if result.limited:
            account.permits, account.refused_until = left, now + result.state.retry_after
        else:
            account.permits = wanted + min(left, account.reserve)
            account.permits_until = now + _LEASE_SECONDS

    def _go_without(self, account: _Account, now: float) -> None:
        if self._when_away == "closed":
            raise Problem(
                503,
                "rate_limit_unavailable",
                "The rate limit can't be checked: Valkey can't be reached",
                headers={"retry-after": "1"},
            )
        account.permits, account.permits_until = account.limit, now + _PAUSE_SECONDS
        account.remaining, account.reset_at = 0, account.permits_until

    def _limited(self, account: _Account, now: float) -> Problem:
        headers = {name.decode(): value.decode() for name, value in account.headers(now)}
        seconds = max(1, ceil(account.refused_until - now))
        return Problem(
            429,
            "rate_limited",
            f"{_WORDS[self._whose]} {account.limit} requests a second",
            headers=headers | {"retry-after": str(seconds)},
        )

    def _algorithm(self, limit: int) -> Throttled:
        known = self._algorithms.get(limit)
        if known is None:
            known = self._algorithms[limit] = Throttled(
                using="gcra", quota=per_sec(limit), store=self._store, key_prefix="neonblue:rate"
            )
        return known


def _retrieve(task: asyncio.Task[None]) -> None:
    """Whoever waited was told of an error; where none did, the next call asks again."""
    if not task.cancelled():
        task.exception()
