"""Links in PostgreSQL."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from api.postgres.database import Connection

_READ = """
SELECT anonymous.unit_type, anonymous.id, link.user_id
FROM unnest(%s::text[], %s::text[]) AS anonymous (unit_type, id) CROSS JOIN LATERAL (
    SELECT user_id FROM user_links
    WHERE (user_links.unit_type, user_links.anonymous_id) = (anonymous.unit_type, anonymous.id) OFFSET 0
) AS link
"""
_IS_PERSON = "SELECT EXISTS (SELECT FROM user_links WHERE (unit_type, user_id) = (%s, %s))"
_LOCK_ID = "SELECT pg_advisory_xact_lock(hashtextextended(%s || ':' || %s, 6075131887))"
_INSERT = "INSERT INTO user_links (unit_type, anonymous_id, user_id, linked_at) VALUES (%s, %s, %s, now())"
_ASSIGNED = """
SELECT anonymous.experiment_id, e.key, anonymous.variant_key, anonymous.version, anonymous.assigned_at,
    person.variant_key, person.assigned_at
FROM experiments AS e CROSS JOIN LATERAL (
    SELECT * FROM assignments WHERE (experiment_id, unit_type, user_id) = (e.id, %s, %s) OFFSET 0
) AS anonymous
LEFT JOIN LATERAL (
    SELECT * FROM assignments WHERE (experiment_id, unit_type, user_id) = (e.id, %s, %s) OFFSET 0
) AS person ON true
WHERE e.unit_type = %s
ORDER BY e.id
"""


@dataclass(frozen=True, slots=True)
class Pair:
    """What the two ids of one person have in an experiment. `person`: None where it had no assignment."""

    experiment_id: int
    experiment: str
    anonymous: str
    version: int
    assigned_at: datetime
    person: str | None
    person_assigned_at: datetime | None


async def read_links(
    connection: Connection, users: Collection[tuple[str, str]]
) -> dict[tuple[str, str], str]:
    """The person's id of each anonymous id among these (unit type, id)."""
    if not users:
        return {}
    ordered = sorted(users)
    columns = ([user[0] for user in ordered], [user[1] for user in ordered])
    cursor = await connection.execute(_READ.encode(), columns)
    return {(unit_type, anonymous): person for unit_type, anonymous, person in await cursor.fetchall()}


async def lock_ids(connection: Connection, unit_type: str, ids: Sequence[str]) -> None:
    """Let no other link of these ids be made until the transaction ends."""
    for identifier in sorted(ids):
        await connection.execute(_LOCK_ID.encode(), (unit_type, identifier))


async def is_person(connection: Connection, unit_type: str, user_id: str) -> bool:
    """Whether anonymous ids are linked with this id."""
    cursor = await connection.execute(_IS_PERSON.encode(), (unit_type, user_id))
    row = await cursor.fetchone()
    return row is not None and bool(row[0])


async def insert_link(connection: Connection, unit_type: str, anonymous_id: str, user_id: str) -> None:
    await connection.execute(_INSERT.encode(), (unit_type, anonymous_id, user_id))


async def read_pairs(connection: Connection, unit_type: str, anonymous_id: str, user_id: str) -> list[Pair]:
    """The anonymous id's assignments, each beside the person's in that experiment."""
    cursor = await connection.execute(
        _ASSIGNED.encode(), (unit_type, anonymous_id, unit_type, user_id, unit_type)
    )
    return [Pair(*row) for row in await cursor.fetchall()]
