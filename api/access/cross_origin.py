"""Which web pages may read answers: those of origins in the settings, and those that a live publishable token names."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from time import monotonic

import psycopg
import structlog
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from api.postgres.database import Pool
from neonblue.contract import clocks

log = structlog.get_logger("api.http")

_ORIGINS = """
SELECT DISTINCT unnest(origins) FROM api_tokens
WHERE origins IS NOT NULL AND revoked_at IS NULL AND coalesce(expires_at > now(), true)
"""
_PAUSE_SECONDS = 0.2
"""At least so long between two looks that strangers cause."""
_SENT = [
    "authorization",
    "content-type",
    "content-encoding",
    "idempotency-key",
    "if-match",
    "if-none-match",
    clocks.HEADER,
    "x-request-id",
]
_READ = ["etag", "location", "ratelimit", "ratelimit-policy", "retry-after", "x-request-id"]


class TokenOrigins:
    """The origins that live publishable tokens name, as of the last look at PostgreSQL.

    A browser asks with OPTIONS, without a token, so any token's origin is let in; what a page may do is the token's to
    say. An origin that is not known is looked for before it is refused, so that a new token works at once.
    """

    def __init__(self, pool: Pool, cache_seconds: float) -> None:
        self._pool = pool
        self._cache_seconds = cache_seconds
        self._origins: frozenset[str] = frozenset()
        self._looked = float("-inf")
        self._look: asyncio.Task[None] | None = None

    def __contains__(self, origin: object) -> bool:
        return origin in self._origins

    async def learn(self, origin: str) -> None:
        """Look again where what is known is old; wait for it only where the origin is not known."""
        age = monotonic() - self._looked
        known = origin in self
        if age > (self._cache_seconds if known else min(self._cache_seconds, _PAUSE_SECONDS)):
            look = self._start()
            if not known:
                await asyncio.shield(look)

    def forget(self) -> None:
        """Look anew: a token was made or revoked here."""
        self._looked = float("-inf")
        self._look = None

    def _start(self) -> asyncio.Task[None]:
        if self._look is None or self._look.done():
            self._look = asyncio.create_task(self._read())
        return self._look

    async def _read(self) -> None:
        looked = monotonic()
        try:
            async with self._pool.connection() as connection:
                cursor = await connection.execute(_ORIGINS.encode())
                found = frozenset(origin for (origin,) in await cursor.fetchall())
        except (psycopg.Error, OSError) as error:
            log.warning("origins_unknown", error=type(error).__name__)
            found = self._origins
        if self._look is asyncio.current_task():
            self._origins, self._looked = found, looked


class CrossOrigin(CORSMiddleware):
    """CORS for the origins of the settings and of tokens. Pages send a token, never a cookie."""

    def __init__(self, app: ASGIApp, origins: Collection[str], of_tokens: TokenOrigins) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=_SENT,
            expose_headers=_READ,
            max_age=600,
        )
        self._of_tokens = of_tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        origin = _origin(scope)
        if origin is None:
            await self.app(scope, receive, send)
            return
        if not super().is_allowed_origin(origin):
            await self._of_tokens.learn(origin)
        await super().__call__(scope, receive, send)

    def is_allowed_origin(self, origin: str) -> bool:
        return super().is_allowed_origin(origin) or origin in self._of_tokens


def _origin(scope: Scope) -> str | None:
    """The origin of the page that asks; None for a program, which has none."""
    if scope["type"] == "http":
        for name, value in scope["headers"]:
            if name == b"origin":
                return str(value.decode("latin-1"))
    return None
