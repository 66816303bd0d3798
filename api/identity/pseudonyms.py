"""Names of people for rows that are never changed, such as the audit log's.

A pseudonym is a hash with a random key of that person alone. Erasing the person deletes the key; what was written
under the pseudonym stays, and nobody can tell any more whom it meant.
"""

from __future__ import annotations

import hmac
import secrets

from api.postgres.database import Connection

_MAKE = """
INSERT INTO person_keys AS held (unit_type, user_id, key, changed) VALUES (%s, %s, %s, %s)
ON CONFLICT (unit_type, user_id) DO UPDATE SET changed = true WHERE excluded.changed AND NOT held.changed
"""
_READ = "SELECT key FROM person_keys WHERE (unit_type, user_id) = (%s, %s)"
_CHANGED = "SELECT EXISTS (SELECT FROM person_keys WHERE (unit_type, user_id) = (%s, %s) AND changed)"
_FORGET = "DELETE FROM person_keys WHERE (unit_type, user_id) = (%s, %s)"


async def pseudonym(connection: Connection, unit_type: str, user_id: str, *, changed: bool = True) -> str:
    """The person's name in append-only rows, 64 hexadecimal digits; its key is made with the first.

    `changed`: the row tells of a change; False: that someone read what is held on the person.
    """
    await connection.execute(_MAKE, (unit_type, user_id, secrets.token_bytes(32), changed))
    name = await known_pseudonym(connection, unit_type, user_id)
    if name is None:
        raise RuntimeError("the person's key was deleted meanwhile")
    return name


async def known_pseudonym(connection: Connection, unit_type: str, user_id: str) -> str | None:
    """The person's name, if any row may hold it; makes none."""
    cursor = await connection.execute(_READ, (unit_type, user_id))
    row = await cursor.fetchone()
    return None if row is None else named(bytes(row[0]), unit_type, user_id)


async def names_a_change(connection: Connection, unit_type: str, user_id: str) -> bool:
    """Whether an entry of a change names the person, since its last erasure if there was one."""
    cursor = await connection.execute(_CHANGED, (unit_type, user_id))
    row = await cursor.fetchone()
    return row is not None and bool(row[0])


async def forget_key(connection: Connection, unit_type: str, user_id: str) -> int:
    """Delete the person's key, if there is one; how many there were."""
    cursor = await connection.execute(_FORGET, (unit_type, user_id))
    return cursor.rowcount


def named(key: bytes, unit_type: str, user_id: str) -> str:
    """The hash (HMAC-SHA-256, hexadecimal). Without the key it leads to nobody."""
    return hmac.digest(key, f"{unit_type}\x00{user_id}".encode(), "sha256").hex()
