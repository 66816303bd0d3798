"""Entries of the audit log for who read what is held on a person."""

from __future__ import annotations

from enum import StrEnum

import psycopg

from api.audit import Actor, Change, record_access
from api.audit.record import unrecorded
from api.identity.links import lock_ids
from api.identity.pseudonyms import pseudonym
from api.postgres.database import Connection
from api.users.repository import Person


class Reading(StrEnum):
    """What of a person was read."""

    ATTRIBUTES = "attributes"
    ASSIGNMENTS = "assignments"
    EVERYTHING = "everything"


async def hold_still(connection: Connection, person: Person) -> None:
    """Let no erasure of the person begin until the transaction ends.

    Before looking: else a person who is erased meanwhile would get a key anew, which is all that is left of it then.
    """
    await lock_ids(connection, person.unit_type, (person.user_id,))


async def record_reading(connection: Connection, actor: Actor, person: Person, what: Reading) -> None:
    """Write who reads, of a person on whom something is held; commit before it is told.

    Raises Problem 503 where the entry can't be written.
    """
    action = "export" if what is Reading.EVERYTHING else "read"
    try:
        name = await pseudonym(connection, person.unit_type, person.user_id, changed=False)
    except psycopg.Error as error:
        raise unrecorded() from error
    await record_access(connection, actor, Change(action, "user", name, None, {"what": what}))
