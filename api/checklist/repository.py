"""What the checklist reads in PostgreSQL of what is stored of an experiment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import msgspec

from api.checklist.recomputed import StoredUnit
from api.postgres.database import Connection
from neonblue.contract.messages import ExperimentMessage

_STORED = """
SELECT user_id, variant_key, version FROM assignments WHERE (experiment_id, unit_type) = (%s, %s)
ORDER BY user_id LIMIT %s
"""
_VERSIONS = """
SELECT version, snapshot::text FROM experiment_versions WHERE experiment_id = %s ORDER BY version DESC LIMIT %s
"""
_LINKED = "SELECT user_id, anonymous_id FROM user_links WHERE unit_type = %s AND user_id = ANY(%s)"
_FORCED = """
SELECT user_id, variant_key FROM forced_variants
WHERE (experiment_id, unit_type) = (%s, %s) AND user_id = ANY(%s)
"""
_MOST_VERSIONS = 500


async def read_stored(
    connection: Connection, experiment_id: int, unit_type: str, limit: int
) -> list[StoredUnit]:
    """At most so many stored assignments, by the order of their units."""
    cursor = await connection.execute(_STORED, (experiment_id, unit_type, limit))
    return [StoredUnit(*row) for row in await cursor.fetchall()]


async def read_configurations(connection: Connection, experiment_id: int) -> dict[int, ExperimentMessage]:
    """The newest snapshots by version; without those that can't be read."""
    cursor = await connection.execute(_VERSIONS, (experiment_id, _MOST_VERSIONS))
    found: dict[int, ExperimentMessage] = {}
    for version, snapshot in await cursor.fetchall():
        try:
            found[version] = msgspec.json.decode(snapshot, type=ExperimentMessage)
        except msgspec.DecodeError:
            continue
    return found


async def read_linked(
    connection: Connection, unit_type: str, user_ids: Sequence[str]
) -> dict[str, list[str]]:
    """The anonymous ids of these persons."""
    cursor = await connection.execute(_LINKED, (unit_type, list(user_ids)))
    found: dict[str, list[str]] = defaultdict(list)
    for user_id, anonymous_id in await cursor.fetchall():
        found[user_id].append(anonymous_id)
    return found


async def read_forced(
    connection: Connection, experiment_id: int, unit_type: str, user_ids: Sequence[str]
) -> dict[str, str]:
    """The variants of those who are testers."""
    cursor = await connection.execute(_FORCED, (experiment_id, unit_type, list(user_ids)))
    return dict(await cursor.fetchall())
