"""One entry for each change of state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from psycopg.types.json import Jsonb

from api.database import Connection

_RECORD = """
INSERT INTO audit_log (actor, address, request_id, action, object_type, object_id, before, after)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
"""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who changes something, in which request, from where (the client's address)."""

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
    await connection.execute(
        _RECORD,
        (
            actor.name,
            actor.address,
            actor.request_id,
            change.action,
            change.object_type,
            change.object_id,
            _held(change.before),
            _held(change.after),
        ),
    )


def _held(state: Mapping[str, Any] | None) -> Jsonb | None:
    return None if state is None else Jsonb(state, dumps=msgspec.json.encode)
