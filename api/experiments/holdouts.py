"""Holdouts as experiments need them: as they are while one changes, and which there are."""

from __future__ import annotations

from collections.abc import Sequence

from api.postgres.database import Connection

_LOCK = 0x6E_62_68_6F
"""Of PostgreSQL's advisory locks: a change of a holdout excludes changes of experiments, which share it."""

_SHARE = f"SELECT pg_advisory_xact_lock_shared({_LOCK})"
_EXCLUDE = f"SELECT pg_advisory_xact_lock({_LOCK})"
_UNKNOWN = "SELECT asked.key FROM unnest(%s::text[]) AS asked (key) WHERE asked.key NOT IN (SELECT key FROM holdouts)"


async def share_lock(connection: Connection) -> None:
    """Keep holdouts as they are until the transaction's end: the first thing a change of an experiment does."""
    await connection.execute(_SHARE.encode())


async def exclude(connection: Connection) -> None:
    """Keep experiments from changing until the transaction's end: the first thing a change of a holdout does."""
    await connection.execute(_EXCLUDE.encode())


async def find_unknown(connection: Connection, keys: Sequence[str]) -> list[str]:
    """Those of the keys that no holdout has."""
    cursor = await connection.execute(_UNKNOWN, (list(keys),))
    return [key for (key,) in await cursor.fetchall()]
