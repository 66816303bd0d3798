"""Idempotency-Key: the repetition of a request is given the answer of the first, in the same transaction.

It makes requests safe to repeat whose events carry no id of their own: the ids made for the first one are in
its stored answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import msgspec

from api.postgres.database import Connection

_CLAIM = """
INSERT INTO idempotency_keys (token_id, key, request_hash)
VALUES (%s, %s, %s) ON CONFLICT DO NOTHING RETURNING true
"""
_READ = "SELECT request_hash, answer FROM idempotency_keys WHERE (token_id, key) = (%s, %s)"
_RECORD = "UPDATE idempotency_keys SET answer = %s WHERE (token_id, key) = (%s, %s)"
_PRUNE = "DELETE FROM idempotency_keys WHERE created_at < now() - interval '24 hours'"


@dataclass(frozen=True, slots=True)
class Claim:
    """A key, whose it is, the SHA-256 of the request, and the ids of the events it made."""

    token_id: int
    key: str
    request_hash: bytes
    ids: tuple[str, ...]


class ReplayKind(Enum):
    """What a claim met."""

    SAME = "same"
    OTHER_REQUEST = "other_request"


@dataclass(frozen=True, slots=True)
class Replay:
    """The key was used before: by the same request, which got these ids and fates, or by another."""

    kind: ReplayKind
    ids: tuple[str, ...] = ()
    fates: tuple[str, ...] = ()


class _Recorded(msgspec.Struct, frozen=True):
    ids: tuple[str, ...]
    fates: tuple[str, ...]


async def claim(connection: Connection, claims: Sequence[Claim | None]) -> list[Replay | None]:
    """Take each key; a Replay where another request has it. Waits for a transaction that holds the key."""
    replays: list[Replay | None] = [None] * len(claims)
    order = sorted(
        (wanted.token_id, wanted.key, position)
        for position, wanted in enumerate(claims)
        if wanted is not None
    )
    for _, _, position in order:
        wanted = claims[position]
        if wanted is not None:
            replays[position] = await _claim_one(connection, wanted)
    return replays


async def record(connection: Connection, claims: Sequence[Claim | None], results: Sequence[object]) -> None:
    """Keep what the claimed requests are answered."""
    for wanted, result in zip(claims, results, strict=True):
        if wanted is not None and isinstance(result, list):
            answer = msgspec.json.encode(_Recorded(wanted.ids, tuple(fate.value for fate in result)))
            await connection.execute(_RECORD, (answer, wanted.token_id, wanted.key))


async def prune(connection: Connection) -> None:
    """Forget keys older than a day."""
    await connection.execute(_PRUNE)


async def _claim_one(connection: Connection, wanted: Claim) -> Replay | None:
    taken = await connection.execute(_CLAIM, (wanted.token_id, wanted.key, wanted.request_hash))
    if await taken.fetchone() is not None:
        return None
    cursor = await connection.execute(_READ, (wanted.token_id, wanted.key))
    row = await cursor.fetchone()
    if row is None or bytes(row[0]) != wanted.request_hash or row[1] is None:
        return Replay(ReplayKind.OTHER_REQUEST)
    recorded = msgspec.json.decode(row[1], type=_Recorded)
    return Replay(ReplayKind.SAME, recorded.ids, recorded.fates)
