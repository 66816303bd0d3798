"""Under which id a person is stored: the client's own, or, where a key is set, a keyed hash of it."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from hashlib import sha256

Identify = Callable[[str], str]
"""The stored id of a client's id. Applied once, where a request enters; behind it there is no other id."""


def identifier(key: str) -> Identify:
    """Without a key the id itself; with one, its HMAC-SHA-256 in hexadecimal (RFC 2104)."""
    if not key:
        return _as_given
    secret = key.encode()

    def keyed(user_id: str) -> str:
        return hmac.digest(secret, user_id.encode(), "sha256").hex()

    return keyed


def person_digest(unit_type: str, user_id: str) -> bytes:
    """SHA-256 of unit type, NUL and stored id: the list of the erased knows people by it, here and in ClickHouse."""
    return sha256(f"{unit_type}\x00{user_id}".encode()).digest()


def _as_given(user_id: str) -> str:
    return user_id
