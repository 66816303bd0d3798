"""What a process knows for some seconds is asked for again before they are over: no request waits for it."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress

import psycopg
import pytest

from api.access.limits import RateLimits
from api.access.tokens import Scope, Tokens, digest_of_secret
from api.http.problems import Problem
from api.postgres.database import Connection, Pool
from tests.integration.api.access.conftest import Cache
from tests.integration.api.conftest import Server

KNOWN_SECONDS = 0.4


class WatchedPool(Pool):
    """A pool that knows how often it was asked. It holds what was read for as long as `let_go` is not set."""

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn, 2)
        self.asked = 0
        self.read, self.let_go = asyncio.Event(), asyncio.Event()
        self.let_go.set()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        self.asked += 1
        async with super().connection() as connection:
            yield connection
            self.read.set()
            await self.let_go.wait()


@pytest.fixture
def digest(postgres: Server) -> Iterator[bytes]:
    """The hash of a token that may assign."""
    digest = digest_of_secret(secrets.token_bytes(16))
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO api_tokens (name, token_hash, scopes) VALUES ('ahead', %s, '{assign}')", (digest,)
        )
        yield digest
        connection.execute("DELETE FROM api_tokens WHERE token_hash = %s", (digest,))


def revoke(postgres: Server, digest: bytes) -> None:
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:
        connection.execute("UPDATE api_tokens SET revoked_at = now() WHERE token_hash = %s", (digest,))


def test_a_token_in_use_is_never_waited_for(postgres: Server, digest: bytes) -> None:
    async def use() -> int:
        pool = WatchedPool(postgres.dsn)
        tokens = Tokens(pool, KNOWN_SECONDS)
        await tokens.identify(digest)
        ends = time.monotonic() + 4 * KNOWN_SECONDS
        while time.monotonic() < ends:
            assert tokens.authorize_known(digest, Scope.ASSIGN) is not None
            await asyncio.sleep(0.001)
        await pool.close()
        return pool.asked

    assert 4 <= asyncio.run(use()) <= 9  # once in each half of the time it is known


def test_many_who_want_the_same_token_ask_once(postgres: Server, digest: bytes) -> None:
    async def use() -> int:
        pool = WatchedPool(postgres.dsn)
        tokens = Tokens(pool, KNOWN_SECONDS)
        found = await asyncio.gather(*(tokens.identify(digest) for _ in range(50)))
        assert {token.name for token in found} == {"ahead"}
        await pool.close()
        return pool.asked

    assert asyncio.run(use()) == 1


def test_a_caller_who_leaves_takes_the_answer_from_nobody(postgres: Server, digest: bytes) -> None:
    async def use() -> None:
        pool = WatchedPool(postgres.dsn)
        tokens = Tokens(pool, KNOWN_SECONDS)
        first, second = (asyncio.create_task(tokens.identify(digest)) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        assert (await second).name == "ahead"
        await pool.close()

    asyncio.run(use())


def test_what_was_read_before_a_revocation_is_not_kept_after_it(postgres: Server, digest: bytes) -> None:
    async def use() -> None:
        pool = WatchedPool(postgres.dsn)
        tokens = Tokens(pool, 60)
        pool.let_go.clear()
        asking = asyncio.create_task(tokens.identify(digest))
        await pool.read.wait()
        await asyncio.to_thread(revoke, postgres, digest)
        tokens.forget()
        pool.let_go.set()
        assert (await asking).name == "ahead"  # it was asked before
        with pytest.raises(Problem, match="revoked"):
            await tokens.identify(digest)
        await pool.close()

    asyncio.run(use())


def test_a_revocation_is_seen_in_time_by_who_keeps_asking(postgres: Server, digest: bytes) -> None:
    async def use() -> float:
        pool = WatchedPool(postgres.dsn)
        tokens = Tokens(pool, KNOWN_SECONDS)
        await tokens.identify(digest)
        await asyncio.to_thread(revoke, postgres, digest)
        revoked = time.monotonic()
        while not await refused(tokens, digest):
            assert time.monotonic() < revoked + 10
            await asyncio.sleep(0.001)
        await pool.close()
        return time.monotonic() - revoked

    assert asyncio.run(use()) < KNOWN_SECONDS + 1


async def refused(tokens: Tokens, digest: bytes) -> bool:
    try:
        await tokens.identify(digest)
    except Problem:
        return True
    return False


def test_a_token_within_its_limit_never_waits_for_permits(valkey: Cache) -> None:
    async def use() -> None:
        limits = RateLimits(valkey.url, 2_000, "closed")
        who = secrets.token_hex(8)
        await limits.admit(who)
        ends = time.monotonic() + 2.0  # twice as long as permits hold
        while time.monotonic() < ends:
            assert limits.admit_at_once(who) is not None
            await asyncio.sleep(0.002)

    asyncio.run(use())


@pytest.mark.parametrize("limit", [40, 400])
def test_who_goes_past_its_limit_is_let_in_as_often_as_it_allows(valkey: Cache, limit: int) -> None:
    async def use() -> tuple[int, float]:
        limits = RateLimits(valkey.url, limit, "closed")
        who, admitted, started = secrets.token_hex(8), 0, time.monotonic()
        while time.monotonic() < started + 2.0:
            with suppress(Problem):
                await limits.admit(who)
                admitted += 1
            await asyncio.sleep(0)
        return admitted, time.monotonic() - started

    admitted, seconds = asyncio.run(use())

    assert admitted <= limit * (1 + seconds) + 1  # a second's worth at once, and what comes back meanwhile
    assert admitted >= limit * (1 + seconds) * 0.8


def test_a_refusal_promises_nothing_of_permits_that_have_expired(valkey: Cache) -> None:
    async def use() -> Problem:
        who = secrets.token_hex(8)
        await RateLimits(valkey.url, 1, "closed").admit(who)
        limits = RateLimits(valkey.url, 1, "closed")
        limits._account(who, None).permits = 5  # of a lease that is over
        with pytest.raises(Problem) as refused:
            await limits.admit(who)
        return refused.value

    assert asyncio.run(use()).headers["ratelimit"].startswith('"token";r=0;')
