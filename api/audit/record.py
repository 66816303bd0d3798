"""One entry for each change of state, and for each access that is worth one."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import msgspec
import psycopg
from psycopg.types.json import Jsonb

from api.http.problems import Problem, found, unavailable
from api.postgres.database import Connection

_RECORD = """
INSERT INTO audit_log (actor, address, request_id, action, object_type, object_id, before, after)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
"""
State = TypeVar("State", bound=Mapping[str, Any])

_ADDRESS_LENGTH = 64
"""A proxy that is believed may name any text."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something, in which request, from where (the client's address)."""

    name: str
    request_id: str | None
    address: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What was done to one object, and how it was before (None: it is new) and after (None: it is gone)."""

    action: str
    object_type: str
    object_id: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None


async def record(connection: Connection, actor: Actor, change: Change) -> None:
    """Write the entry; it is kept if the transaction is.

    Other changes wait from here on until the transaction ends, so that the entries form one chain: record last.
    """
    await connection.execute(_RECORD, _row(actor, change))


async def recorded(
    connection: Connection, actor: Actor, doing: Change, read: Awaitable[State | None]
) -> State:
    """As `record`, of what can be read once it is done, which is returned. doing: the change, without its `after`.

    Raises Problem `not_found` where nothing can be read.
    """
    after = found(await read, doing.object_type)
    await record(connection, actor, replace(doing, after=after))
    return after


async def record_all(connection: Connection, entries: Iterable[tuple[Actor, Change]]) -> None:
    """As `record`, of several, in order."""
    async with connection.cursor() as cursor:
        await cursor.executemany(_RECORD, [_row(actor, change) for actor, change in entries])


async def record_access(connection: Connection, actor: Actor, change: Change) -> None:
    """As `record`, of an access: nothing may be given before the transaction is committed.

    Raises Problem 503 where the entry can't be written.
    """
    try:
        await record(connection, actor, change)
    except psycopg.Error as error:
        raise unrecorded() from error


def unrecorded() -> Problem:
    """What is not in the log is not given."""
    return unavailable("The audit log can't be written now, and without an entry nothing is given")


def actor_of(token: int, name: str) -> str:
    """How the log names who uses a token."""
    return f"token:{token}:{name}"


def _row(actor: Actor, change: Change) -> tuple[object, ...]:
    return (
        actor.name,
        None if actor.address is None else actor.address.replace("\x00", "")[:_ADDRESS_LENGTH],
        actor.request_id,
        change.action,
        change.object_type,
        change.object_id,
        _held(change.before),
        _held(change.after),
    )


def _held(state: Mapping[str, Any] | None) -> Jsonb | None:
    return None if state is None else Jsonb(state, dumps=msgspec.json.encode)
