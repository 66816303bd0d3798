"""Bearer tokens: hashes in PostgreSQL, known for some seconds in the process."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from hashlib import sha256
from time import monotonic

import psycopg

from api.access.strangers import Strangers
from api.audit import Actor, Change, record
from api.http.problems import Problem, unavailable
from api.postgres.database import Pool
from api.recent import RecentMap

_READ = """
SELECT id, name, scopes, origins, rate_limit, expires_at, revoked_at,
    revoked_at IS NULL AND coalesce(expires_at > now(), true)
        AND coalesce(last_used_at < now() - interval '1 minute', true) AS use_unrecorded
FROM api_tokens WHERE token_hash = %s
"""
_RECORD_USE = "UPDATE api_tokens SET last_used_at = now() WHERE token_hash = %s"
_BOOTSTRAP = """
INSERT INTO api_tokens (name, token_hash, scopes) VALUES ('bootstrap', %s, '{admin}')
ON CONFLICT DO NOTHING RETURNING id, name, scopes
"""
_AHEAD = 0.5
"""The share of the time it is known after which a token in use is looked up again."""
_STALE_SECONDS = 300.0
"""How long a token stays known while PostgreSQL is away: cached assignments are served on."""

_UNKNOWN = 1_000
"""Wrong tokens that are remembered, apart from the others, which they never push out."""
_SEEN = 10_000

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

FOR_PEOPLE = frozenset({Scope.ADMIN, Scope.EDITOR, Scope.VIEWER})
"""What a session may do, and a token that logs in has one of."""

PUBLISHABLE = frozenset({Scope.INGEST, Scope.ASSIGN})
"""What a token that everyone can read, in a web page, may be given."""


@dataclass(frozen=True, slots=True)
class Token:
    """A known token."""

    id: int
    name: str
    scopes: frozenset[Scope]
    origins: frozenset[bytes] | None
    rate_limit: int | None
    expires_at: datetime | None
    revoked: bool

    def check_live(self) -> None:
        """Raises Problem 401 once it is revoked or has expired."""
        if self.revoked:
            raise unauthorized("invalid_token", "The token is unknown or revoked", self.id)
        if self.expires_at is not None and self.expires_at <= datetime.now(UTC):
            raise unauthorized("expired_token", "The token has expired", self.id)

    def check_may(self, scope: Scope) -> None:
        """Raises Problem 403 without the scope."""
        if scope not in self.scopes:
            raise Problem(403, "insufficient_scope", f"The token needs the scope {scope}", token=self.id)

    def check_origin(self, origin: bytes | None) -> None:
        """Raises Problem 403 where the token is publishable and the page is of another web origin."""
        if self.origins is not None and origin not in self.origins:
            raise Problem(
                403,
                "origin_not_allowed",
                "The token may not be used from this web origin",
                field="origin",
                token=self.id,
            )


@dataclass(frozen=True, slots=True)
class _Known:
    token: Token | None
    at: float

    def valid_token(self) -> Token:
        """Raises Problem 401 where there is none."""
        if self.token is None:
            raise unauthorized("invalid_token", "The token is unknown or revoked")
        self.token.check_live()
        return self.token


class Tokens:
    """Who a bearer token belongs to.

    What is known of a token holds for some seconds. One in use is looked up again before that time is over, so that no
    call waits for it, and once, however many calls want it. Whoever sends a token that was right before, however long
    ago, is no stranger.
    """

    def __init__(self, pool: Pool, cache_seconds: float, wrong_per_minute: int = 60) -> None:
        self._pool = pool
        self._cache_seconds = cache_seconds
        self._strangers = Strangers(pool, wrong_per_minute)
        self._known: RecentMap[bytes, _Known] = RecentMap(_SEEN)
        self._unknown: RecentMap[bytes, _Known] = RecentMap(_UNKNOWN)
        self._seen: RecentMap[bytes, bool] = RecentMap(_SEEN)
        self._asked: dict[bytes, asyncio.Task[_Known]] = {}

    async def bootstrap(self, secret: str) -> None:
        """Store the first administrator's token; one that was revoked stays so. Raises psycopg.Error."""
        if secret:
            async with self._pool.transaction() as connection:
                made = await connection.execute(_BOOTSTRAP, (digest_of_secret(secret.encode()),))
                row = await made.fetchone()
                if row is not None:
                    after = {"id": row[0], "name": row[1], "scopes": row[2]}
                    change = Change("create", "token", str(row[0]), None, after)
                    await record(connection, Actor("system", None), change)

    async def authorize(
        self, header: bytes | None, scope: Scope, origin: bytes | None = None, host: str | None = None
    ) -> Token:
        """The request's token. Raises Problem: 401 without a valid one, 403 without the right, 429, 503."""
        token = await self.identify(digest_of(header), host)
        token.check_may(scope)
        token.check_origin(origin)
        return token

    def authorize_known(self, digest: bytes, scope: Scope) -> Token | None:
        """As `authorize`, of no web page, by the secret's hash; None where PostgreSQL must be asked."""
        known = self._find(digest)
        if known is None:
            return None
        token = known.valid_token()
        token.check_may(scope)
        token.check_origin(None)
        return token

    async def identify(self, digest: bytes, host: str | None = None, *, each: bool = False) -> Token:
        """The token whose secret has this hash. host: where it was sent from. each: count a repeated wrong one again.

        Raises Problem: 401 where it is not valid, 429 where too many came that were not, 503.
        """
        known = self._find(digest)
        if known is not None and not (each and known.token is None):
            return known.valid_token()
        counted = digest not in self._seen and await self._admit(digest, host)
        if known is None:
            known = await asyncio.shield(self._ask(digest))
        if counted and known.token is not None:
            self._strangers.forgive(host)
        return known.valid_token()

    def expect(self, digest: bytes) -> None:
        """A token was made here."""
        self._seen.put(digest, True)
        self._unknown.discard(digest)

    def forget(self) -> None:
        """Read every token anew: one was revoked here."""
        self._known.clear()
        self._unknown.clear()
        self._asked.clear()

    async def _admit(self, digest: bytes, host: str | None) -> bool:
        try:
            return await self._strangers.admit(digest, host)
        except (psycopg.Error, OSError):
            raise _unchecked() from None

    def _find(self, digest: bytes) -> _Known | None:
        """What is known for certain."""
        known = self._known.get(digest) or self._unknown.get(digest)
        if known is None:
            return None
        age = monotonic() - known.at
        if age > self._cache_seconds:
            return None
        if age > self._cache_seconds * _AHEAD and known.token is not None:
            self._ask(digest)
        return known

    def _ask(self, digest: bytes) -> asyncio.Task[_Known]:
        asked = self._asked.get(digest)
        if asked is None:
            asked = self._asked[digest] = asyncio.create_task(self._look_up(digest))
            asked.add_done_callback(partial(self._answered, digest))
        return asked

    def _answered(self, digest: bytes, task: asyncio.Task[_Known]) -> None:
        """Keep what was found, unless a token was revoked meanwhile."""
        if self._asked.get(digest) is not task:
            return
        del self._asked[digest]
        if task.cancelled() or task.exception() is not None:
            return
        known = task.result()
        if known.token is None:
            self._known.discard(digest)
            self._unknown.put(digest, known)
        else:
            self._known.put(digest, known)
            self._seen.put(digest, True)

    async def _look_up(self, digest: bytes) -> _Known:
        now = monotonic()
        stale = self._known.get(digest)
        try:
            async with self._pool.connection() as connection:
                cursor = await connection.execute(_READ, (digest,))
                row = await cursor.fetchone()
                if row is not None and row[-1]:
                    await connection.execute(_RECORD_USE, (digest,))
        except (psycopg.Error, OSError):
            if stale is not None and stale.token is not None and now - stale.at < _STALE_SECONDS:
                return stale
            raise _unchecked() from None
        return _Known(None if row is None else _token(*row[:-1]), now)


def _unchecked() -> Problem:
    return unavailable("The token can't be checked: PostgreSQL can't be reached")


def _token(
    identifier: int,
    name: str,
    scopes: Iterable[str],
    origins: Iterable[str] | None,
    rate_limit: int | None,
    expires_at: datetime | None,
    revoked_at: datetime | None,
) -> Token:
    granted = frozenset(implied for scope in scopes for implied in _IMPLIED[Scope(scope)])
    bound = None if origins is None else frozenset(origin.encode() for origin in origins)
    return Token(identifier, name, granted, bound, rate_limit, expires_at, revoked_at is not None)


def digest_of_secret(secret: bytes) -> bytes:
    """What is stored of a token: it is random and long, so a plain hash is enough."""
    return sha256(secret).digest()


def digest_of(header: bytes | None) -> bytes:
    """The hash of the bearer token in an Authorization header. Raises Problem 401 without one."""
    if header is None:
        raise unauthorized("missing_token", "Send the header: Authorization: Bearer <token>")
    secret = header[len(_BEARER) :].strip()
    if header[: len(_BEARER)].lower() != _BEARER or not secret or len(secret) > _TOKEN_LENGTH:
        raise unauthorized("missing_token", "Send the header: Authorization: Bearer <token>")
    return digest_of_secret(secret)


def unauthorized(code: str, detail: str, token: int | None = None) -> Problem:
    """401 with its challenge. `token`: the number of the one that is no longer valid."""
    challenge = 'Bearer realm="neonblue"'
    if code != "missing_token":
        challenge += ', error="invalid_token"'
    return Problem(401, code, detail, headers={"www-authenticate": challenge}, token=token)
