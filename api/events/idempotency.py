"""Idempotency-Key: the repetition of a request is given the answer of the first, in the same transaction.

It makes requests safe to repeat whose events carry no id of their own: the ids made for the first one are in
its stored answer. So are the rules that items broke: by then the time has gone on, and the client's clock may have
been set, so that others would be broken.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

import msgspec

from api.postgres.database import Connection
from neonblue.contract.codes import Code
from neonblue.contract.violation import Violation

_CLAIM = """
INSERT INTO idempotency_keys (token_id, key, request_hash)
VALUES (%s, %s, %s) ON CONFLICT DO NOTHING RETURNING true
"""
_READ = "SELECT request_hash, answer FROM idempotency_keys WHERE (token_id, key) = (%s, %s)"
_RECORD = "UPDATE idempotency_keys SET answer = %s WHERE (token_id, key) = (%s, %s)"
_RELEASE = "DELETE FROM idempotency_keys WHERE (token_id, key) = (%s, %s)"
_PRUNE = "DELETE FROM idempotency_keys WHERE created_at < now() - interval '24 hours'"


class Rejection(msgspec.Struct, frozen=True):
    """A rule, and the places in the request of the items that broke it."""

    places: tuple[int, ...]
    code: Code
    message: str
    field: str | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """A key, whose it is, the SHA-256 of the request, the ids of the events it made, and its other items.

    A claim of no event takes no key: it asks what the key was used for.
    """

    token_id: int
    key: str
    request_hash: bytes
    ids: tuple[str, ...]
    rejected: tuple[Rejection, ...] = ()


class ReplayKind(Enum):
    """What a claim met."""

    SAME = "same"
    OTHER_REQUEST = "other_request"


@dataclass(frozen=True, slots=True)
class Replay:
    """The key was used before: by the same request, which got this answer, or by another.

    ids, fates: of its events; rejected: its other items, None where the version that wrote it kept none.
    """

    kind: ReplayKind
    ids: tuple[str, ...] = ()
    fates: tuple[str, ...] = ()
    rejected: tuple[Rejection, ...] | None = None


class _Recorded(msgspec.Struct, frozen=True):
    ids: tuple[str, ...]
    fates: tuple[str, ...]
    rejected: tuple[Rejection, ...] | None = None


def rejections(violations: Iterable[tuple[int, Violation]]) -> tuple[Rejection, ...]:
    """The rules that items of a request broke; each pair: an item's place and its rule."""
    places: dict[Violation, list[int]] = {}
    for place, violation in violations:
        places.setdefault(violation, []).append(place)
    return tuple(
        Rejection(tuple(found), violation.code, violation.message, violation.field)
        for violation, found in places.items()
    )


def recorded(wanted: Claim, fates: Iterable[str]) -> bytes:
    """What is kept of a claimed request."""
    return msgspec.json.encode(_Recorded(wanted.ids, tuple(fates), wanted.rejected))


def replayed(answer: bytes) -> Replay:
    """What `recorded` kept, by this version or one before."""
    kept = msgspec.json.decode(answer, type=_Recorded)
    return Replay(ReplayKind.SAME, kept.ids, kept.fates, kept.rejected)


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
    """Keep what the claimed requests are answered. One that stored nothing leaves its key free."""
    for wanted, result in zip(claims, results, strict=True):
        if wanted is None or not isinstance(result, list):
            continue
        if wanted.ids:
            answer = recorded(wanted, (fate.value for fate in result))
            await connection.execute(_RECORD, (answer, wanted.token_id, wanted.key))
        else:
            await connection.execute(_RELEASE, (wanted.token_id, wanted.key))


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
    return replayed(bytes(row[1]))
