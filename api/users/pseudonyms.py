"""Names of people for rows that are never changed, such as the audit log's.

A pseudonym is a hash with a random key of that person alone. Erasing the person deletes the key; what was written
under the pseudonym stays, and nobody can tell any more whom it meant.
"""

from __future__ import annotations

import hmac
import secrets

from api.database import Connection

_MAKE = """
INSERT INTO person_keys (unit_type, user_id, key) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING
"""
_READ = "SELECT key FROM person_keys WHERE (unit_type, user_id) = (%s, %s)"
_FORGET = "DELETE FROM person_keys WHERE (unit_type, user_id) = (%s, %s)"


async def pseudonym(connection: Connection, unit_type: str, user_id: str) -> str:
    """The person's name in append-only rows, 64 hexadecimal digits; its key is made with the first."""
    await connection.execute(_MAKE, (unit_type, user_id, secrets.token_bytes(32)))
    cursor = await connection.execute(_READ, (unit_type, user_id))
    row = await cursor.fetchone()
    if row is None:
        raise RuntimeError("the person's key was deleted meanwhile")
    return hmac.digest(bytes(row[0]), f"{unit_type}\x00{user_id}".encode(), "sha256").hex()


async def forget_key(connection: Connection, unit_type: str, user_id: str) -> int:
    """Delete the person's key, if there is one; how many there were."""
    cursor = await connection.execute(_FORGET, (unit_type, user_id))
    return cursor.rowcount
