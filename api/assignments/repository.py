"""Assignments in PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from api.assignments.cache import Stored, UnitKey
from api.postgres.database import Connection
from neonblue.contract.instants import format_instant
from neonblue.contract.messages import encode_message

_UNITS = "unnest(%s::integer[], %s::text[], %s::text[]) AS unit (experiment_id, unit_type, user_id)"
_READ = f"""
SELECT unit.experiment_id, unit.unit_type, unit.user_id, stored.*
FROM {_UNITS} CROSS JOIN LATERAL (
    SELECT variant_key, version, assigned_at, exposed_at IS NOT NULL FROM assignments
    WHERE (experiment_id, unit_type, user_id) = (unit.experiment_id, unit.unit_type, unit.user_id) OFFSET 0
) AS stored
"""  # noqa: S608 - no value is in the text
_INSERT = """
INSERT INTO assignments (
    experiment_id, unit_type, user_id, variant_key, version, assigned_at, exposed_at, received_at, attributes
)
SELECT new.experiment_id, new.unit_type, new.user_id, new.variant_key, new.version, new.assigned_at, new.exposed_at,
    now(), new.attributes::jsonb
FROM unnest(%s::integer[], %s::text[], %s::text[], %s::text[], %s::integer[], %s::timestamptz[],
            %s::timestamptz[], %b::text[])
    AS new (experiment_id, unit_type, user_id, variant_key, version, assigned_at, exposed_at, attributes)
JOIN experiments
    ON experiments.id = new.experiment_id AND experiments.version = new.version AND experiments.status = 'running'
WHERE experiments.source = 'external' OR NOT EXISTS (
    SELECT FROM user_links AS link
    WHERE (link.unit_type, link.anonymous_id) = (new.unit_type, new.user_id)
)
ORDER BY new.experiment_id, new.unit_type, new.user_id
ON CONFLICT DO NOTHING
RETURNING experiment_id, unit_type, user_id
"""
_INSERT_EARLIER = """
INSERT INTO assignments (
    experiment_id, unit_type, user_id, variant_key, version, assigned_at, exposed_at, received_at, attributes
)
SELECT new.experiment_id, new.unit_type, new.user_id, new.variant_key, new.version, new.assigned_at, new.exposed_at,
    now(), new.attributes::jsonb
FROM unnest(%s::integer[], %s::text[], %s::text[], %s::text[], %s::integer[], %s::timestamptz[],
            %s::timestamptz[], %b::text[])
    AS new (experiment_id, unit_type, user_id, variant_key, version, assigned_at, exposed_at, attributes)
ORDER BY new.experiment_id, new.unit_type, new.user_id
ON CONFLICT DO NOTHING
RETURNING experiment_id, unit_type, user_id
"""
_OF_USER = """
SELECT e.key, e.id, stored.variant_key, stored.version, stored.assigned_at, stored.exposed_at
FROM experiments AS e CROSS JOIN LATERAL (
    SELECT * FROM assignments WHERE (experiment_id, unit_type, user_id) = (e.id, %s, %s) OFFSET 0
) AS stored
WHERE e.unit_type = %s
ORDER BY e.id
"""
_OF_PERSON = """
SELECT e.key, e.id, e.status, e.source, stored.user_id, stored.variant_key, stored.version, stored.assigned_at,
    stored.exposed_at
FROM experiments AS e CROSS JOIN unnest(%s::text[]) AS own (user_id) CROSS JOIN LATERAL (
    SELECT * FROM assignments WHERE (experiment_id, unit_type, user_id) = (e.id, %s, own.user_id) OFFSET 0
) AS stored
WHERE e.unit_type = %s
ORDER BY e.id, stored.assigned_at, stored.user_id
"""
_UNEXPOSED = f"""
SELECT experiment_id, unit_type, user_id FROM assignments
WHERE exposed_at IS NULL AND (experiment_id, unit_type, user_id) IN (SELECT * FROM {_UNITS})
"""  # noqa: S608
_RUNNING = """AND EXISTS (
    SELECT FROM experiments AS e WHERE e.id = experiment_id AND (e.status = 'running' OR e.source = 'external')
)
"""
_LOCK = """ORDER BY experiment_id, unit_type, user_id FOR UPDATE"""
_EXPOSE = """
UPDATE assignments SET exposed_at = unit.exposed_at
FROM unnest(%s::integer[], %s::text[], %s::text[], %s::timestamptz[])
    AS unit (experiment_id, unit_type, user_id, exposed_at)
WHERE (assignments.experiment_id, assignments.unit_type, assignments.user_id) =
      (unit.experiment_id, unit.unit_type, unit.user_id)
"""
_USERS = """
INSERT INTO users (unit_type, external_id, attributes)
SELECT * FROM unnest(%s::text[], %s::text[], %s::jsonb[]) AS unit (unit_type, external_id, attributes)
ORDER BY unit_type, external_id
ON CONFLICT (unit_type, external_id) DO UPDATE
    SET attributes = coalesce(users.attributes, '{}') || excluded.attributes
    WHERE excluded.attributes IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class NewAssignment:
    """An assignment to store unless one exists. `exposed_at`: when the unit met its variant, if it did.

    attributes: as the stream is told. It is received when its transaction begins.
    """

    unit: UnitKey
    variant_key: str
    version: int
    assigned_at: str
    exposed_at: str | None
    attributes: Mapping[str, Any] | None = None

    def stored(self) -> Stored:
        """As it is once it is stored."""
        return Stored(self.variant_key, self.version, self.assigned_at, self.exposed_at is not None)


@dataclass(frozen=True, slots=True)
class OfPerson:
    """A stored assignment of one of a person's ids, with where its experiment stands and who gives its variants."""

    experiment: str
    experiment_id: int
    status: str
    source: str
    user_id: str
    variant_key: str
    version: int
    assigned_at: datetime
    exposed_at: datetime | None


async def read_assignments(connection: Connection, units: Sequence[UnitKey]) -> dict[UnitKey, Stored]:
    """The stored assignments of these units."""
    if not units:
        return {}
    cursor = await connection.execute(_READ.encode(), _columns(units))
    return {
        (experiment_id, unit_type, user_id): Stored(variant, version, format_instant(assigned_at), exposed)
        for experiment_id, unit_type, user_id, variant, version, assigned_at, exposed in await cursor.fetchall()
    }


async def insert_assignments(connection: Connection, new: Sequence[NewAssignment]) -> set[UnitKey]:
    """The units that had no assignment and got theirs.

    Nothing is inserted where the experiment no longer runs under the version that the assignment names, nor under
    an anonymous id that is linked with a person's.
    """
    return await _insert(connection, _INSERT, new)


async def insert_earlier(connection: Connection, new: Sequence[NewAssignment]) -> set[UnitKey]:
    """As `insert_assignments`, of those made under a version that ran, as the caller knows, whatever runs by now."""
    return await _insert(connection, _INSERT_EARLIER, new)


async def read_of_user(connection: Connection, unit_type: str, user_id: str) -> list[tuple[Any, ...]]:
    """Key and id of each experiment the unit is assigned in, variant, version, times of assignment and exposure."""
    cursor = await connection.execute(_OF_USER.encode(), (unit_type, user_id, unit_type))
    return await cursor.fetchall()


async def read_of_person(connection: Connection, unit_type: str, ids: Sequence[str]) -> list[OfPerson]:
    """The assignments under any of a person's ids, by experiment and time."""
    cursor = await connection.execute(_OF_PERSON.encode(), (list(ids), unit_type, unit_type))
    return [OfPerson(*row) for row in await cursor.fetchall()]


async def _insert(connection: Connection, statement: str, new: Sequence[NewAssignment]) -> set[UnitKey]:
    if not new:
        return set()
    cursor = await connection.execute(
        statement.encode(),
        (
            *_columns([item.unit for item in new]),
            [item.variant_key for item in new],
            [item.version for item in new],
            [item.assigned_at for item in new],
            [item.exposed_at for item in new],
            [None if item.attributes is None else encode_message(item.attributes).decode() for item in new],
        ),
    )
    return set(await cursor.fetchall())


async def expose(
    connection: Connection, exposures: Mapping[UnitKey, str], *, now: bool = False
) -> set[UnitKey]:
    """Record first exposures at the given times; returns the units that had none.

    now: they happen now, so that there is none where the experiment does not run.
    """
    if not exposures:
        return set()
    statement = _UNEXPOSED + (_RUNNING if now else "") + _LOCK
    cursor = await connection.execute(statement.encode(), _columns(list(exposures)))
    units: list[UnitKey] = await cursor.fetchall()
    if units:
        await connection.execute(_EXPOSE.encode(), (*_columns(units), [exposures[unit] for unit in units]))
    return set(units)


async def upsert_users(
    connection: Connection, attributes: Mapping[tuple[str, str], Mapping[str, Any] | None]
) -> None:
    """Make the users (unit type, client's id) known and add their attributes to those held."""
    if not attributes:
        return
    users = sorted(attributes)
    values = [None if attributes[user] is None else Jsonb(attributes[user]) for user in users]
    await connection.execute(_USERS.encode(), ([u[0] for u in users], [u[1] for u in users], values))


def _columns(units: Sequence[UnitKey]) -> tuple[list[int], list[str], list[str]]:
    return [unit[0] for unit in units], [unit[1] for unit in units], [unit[2] for unit in units]
