"""Bearer tokens: hashes in PostgreSQL, known for some seconds in the process."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha256

import psycopg

from api.database import Pool
from api.http.problems import Problem, unavailable
from api.ingest.recent import RecentMap

_READ = "SELECT id, name, scopes, expires_at, revoked_at FROM api_tokens WHERE token_hash = %s"
_BOOTSTRAP = """
INSERT INTO api_tokens (name, token_hash, scopes) VALUES ('bootstrap', %s, '{admin}') ON CONFLICT DO NOTHING
"""
_STALE_SECONDS = 300.0
"""How long a token stays known while PostgreSQL is away: cached assignments are served on."""

_BEARER = b"bearer "
_TOKEN_LENGTH = 512


class Scope(StrEnum):
    """What a token may do. `admin` may everything."""

    ADMIN = "admin"
    EDITOR = "editor"
    VIEWER = "viewer"
    INGEST = "ingest"
    ASSIGN = "assign"


_IMPLIED = {
    Scope.ADMIN: frozenset(Scope),
    Scope.EDITOR: frozenset({Scope.EDITOR, Scope.VIEWER}),
    Scope.VIEWER: frozenset({Scope.VIEWER}),
    Scope.INGEST: frozenset({Scope.INGEST}),
    Scope.ASSIGN: frozenset({Scope.ASSIGN}),
}


@dataclass(frozen=True, slots=True)
class Token:
    """A known token."""

    id: int
    name: str
    scopes: frozenset[Scope]
    expires_at: datetime | None
    revoked: bool


@dataclass(frozen=True, slots=True)
class _Known:
    token: Token | None
    at: float


class Tokens:
    """Who a bearer token belongs to."""

    def __init__(self, pool: Pool, cache_seconds: float) -> None:
        self._pool = pool
        self._cache_seconds = cache_seconds
        self._known: RecentMap[bytes, _Known] = RecentMap(10_000)

    async def bootstrap(self, secret: str) -> None:
        """Store the first administrator's token; one that was revoked stays so. Raises psycopg.Error."""
        if secret:
            async with self._pool.connection() as connection:
                await connection.execute(_BOOTSTRAP, (sha256(secret.encode()).digest(),))

    async def authorize(self, header: bytes | None, scope: Scope) -> Token:
        """The request's token. Raises Problem: 401 without a valid one, 403 without the scope, 503."""
        digest = _digest(header)
        known = self._known.get(digest)
        if known is None or asyncio.get_running_loop().time() - known.at > self._cache_seconds:
            known = await self._look_up(digest, known)
        token = known.token
        if token is None or token.revoked:
            raise _unauthorized("invalid_token", "The token is unknown or revoked")
        if token.expires_at is not None and token.expires_at <= datetime.now(UTC):
            raise _unauthorized("expired_token", "The token has expired")
        if scope not in token.scopes:
            raise Problem(403, "insufficient_scope", f"The token needs the scope {scope}")
        return token

    async def _look_up(self, digest: bytes, stale: _Known | None) -> _Known:
        now = asyncio.get_running_loop().time()
        try:
            async with self._pool.connection() as connection:
                cursor = await connection.execute(_READ, (digest,))
                row = await cursor.fetchone()
        except (psycopg.Error, OSError):
            if stale is not None and stale.token is not None and now - stale.at < _STALE_SECONDS:
                return stale
            raise unavailable("The token can't be checked: PostgreSQL can't be reached") from None
        known = _Known(None if row is None else _token(*row), now)
        self._known.put(digest, known)
        return known


def _token(
    identifier: int,
    name: str,
    scopes: Iterable[str],
    expires_at: datetime | None,
    revoked_at: datetime | None,
) -> Token:
    granted = frozenset(implied for scope in scopes for implied in _IMPLIED[Scope(scope)])
    return Token(identifier, name, granted, expires_at, revoked_at is not None)


def _digest(header: bytes | None) -> bytes:
    if header is None:
        raise _unauthorized("missing_token", "Send the header: Authorization: Bearer <token>")
    secret = header[len(_BEARER) :].strip()
    if header[: len(_BEARER)].lower() != _BEARER or not secret or len(secret) > _TOKEN_LENGTH:
        raise _unauthorized("missing_token", "Send the header: Authorization: Bearer <token>")
    return sha256(secret).digest()


def _unauthorized(code: str, detail: str) -> Problem:
    challenge = 'Bearer realm="neonblue"'
    if code != "missing_token":
        challenge += ', error="invalid_token"'
    return Problem(401, code, detail, headers={"www-authenticate": challenge})
