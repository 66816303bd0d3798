"""Sessions of people: a random cookie in the browser, its hash and the token's hash in Valkey."""

from __future__ import annotations

import asyncio
import hmac
import secrets
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from api.access.tokens import unauthorized
from api.http.problems import Problem

COOKIE = "neonblue_session"
CSRF_HEADER = "x-csrf-token"
_TIMEOUT_SECONDS = 1.0
_RANDOM_BYTES = 32
_COOKIE_LENGTH = 64


class Session(msgspec.Struct, frozen=True, array_like=True):
    """The hash of the token that logged in, what changes of state must carry, when it ends (Unix time)."""

    token_digest: bytes
    csrf_token: str
    ends_at: float

    def check_csrf(self, given: str | None, token: int) -> None:
        """Raises Problem 403 unless the page itself, not another site, sent the request. `token`: the session's."""
        if given is None or not self._is_csrf(given):
            raise Problem(
                403,
                "csrf",
                "Send the session's csrf_token in the header X-CSRF-Token",
                field=CSRF_HEADER,
                token=token,
            )

    def masked_csrf(self) -> str:
        """The CSRF token for one page, another text on each: pages are compressed, and a size must not tell of it."""
        token = self.csrf_token.encode()
        mask = secrets.token_bytes(len(token))
        return urlsafe_b64encode(mask + _xor(mask, token)).decode().rstrip("=")

    def _is_csrf(self, given: str) -> bool:
        token = self.csrf_token.encode()
        plain = hmac.compare_digest(given.encode(errors="surrogatepass"), token)
        return hmac.compare_digest(_unmasked(given), token) or plain


def _unmasked(given: str) -> bytes:
    """Empty where it is no masked token."""
    try:
        both = urlsafe_b64decode(given + "=" * (-len(given) % 4))
    except ValueError:
        return b""
    half = len(both) // 2
    return _xor(both[:half], both[half:]) if len(both) == 2 * half else b""


def _xor(mask: bytes, text: bytes) -> bytes:
    return bytes(one ^ other for one, other in zip(mask, text, strict=True))


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Session).decode


@dataclass(frozen=True, slots=True)
class Sessions:
    """Sessions in Valkey. They end when they are not used for `idle_seconds`, and after `absolute_seconds`.

    Each call raises Problem 503 `sessions_unavailable` where Valkey is away.
    """

    client: Redis
    idle_seconds: int
    absolute_seconds: int

    async def open(self, token_digest: bytes) -> tuple[str, Session]:
        """A new session, and the cookie's value."""
        cookie = secrets.token_urlsafe(_RANDOM_BYTES)
        session = Session(
            token_digest, secrets.token_urlsafe(_RANDOM_BYTES), time.time() + self.absolute_seconds
        )
        async with _answering():
            await self.client.set(_name(cookie), _encode(session), ex=self._life(session))
        return cookie, session

    async def find(self, cookie: str) -> Session:
        """The session, used once more. Raises Problem 401 where there is none."""
        session = None
        if len(cookie) <= _COOKIE_LENGTH:
            async with _answering():
                stored = await self.client.getex(_name(cookie), ex=self.idle_seconds)
            session = _decode(stored) if isinstance(stored, bytes) else None
        if session is None or session.ends_at <= time.time():
            raise unauthorized("invalid_session", "The session has ended: log in again")
        return session

    async def lives(self, cookie: str, session: Session) -> bool:
        """Whether the session goes on, without using it: a page that is only open keeps nobody logged in."""
        async with _answering():
            return session.ends_at > time.time() and bool(await self.client.exists(_name(cookie)))

    async def close(self, cookie: str) -> None:
        """End the session."""
        async with _answering():
            await self.client.delete(_name(cookie))

    def _life(self, session: Session) -> int:
        return max(1, min(self.idle_seconds, int(session.ends_at - time.time())))


def _name(cookie: str) -> str:
    return f"neonblue:session:{sha256(cookie.encode()).hexdigest()}"


@asynccontextmanager
async def _answering() -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            yield
    except (RedisError, OSError, TimeoutError):
        raise Problem(
            503,
            "sessions_unavailable",
            "Sessions can't be read: Valkey can't be reached. API tokens work on",
            headers={"retry-after": "1"},
        ) from None
