"""Where PostgreSQL holds something on a person: found in its catalogue, so that no new table is forgotten."""

from __future__ import annotations

from psycopg import sql

from api.postgres.database import Connection

PERSON_KEYS = "person_keys"
APART = ("erasures", PERSON_KEYS)
"""What tells of the erasure itself, and is emptied by it in its own time."""

_TABLES = """
SELECT class.relname FROM pg_class AS class
WHERE class.relnamespace = current_schema()::regnamespace AND class.relkind IN ('r', 'p')
    AND NOT class.relispartition AND NOT class.relname = ANY(%s)
    AND 2 = (
        SELECT count(*) FROM pg_attribute
        WHERE attrelid = class.oid AND NOT attisdropped AND attname IN ('unit_type', 'user_id')
    )
ORDER BY class.relname
"""
_TIMES = """
SELECT attname FROM pg_attribute
WHERE attrelid = to_regclass(%s) AND atttypid = 'timestamptz'::regtype AND NOT attisdropped ORDER BY attnum
"""
_HOLDS = "SELECT 1 FROM {table} WHERE {condition} LIMIT 1"

ASSIGNMENTS = "assignments"
EVENTS = "events"
LINKS = "user_links"
_BY_UNIT = sql.SQL("unit_type = %(unit_type)s AND user_id = ANY(%(ids)s)")
_BY_EXPERIMENT = sql.SQL("experiment_id IN (SELECT id FROM experiments) AND {}").format(_BY_UNIT)
_EITHER_ID = sql.SQL("unit_type = %(unit_type)s AND (user_id = ANY(%(ids)s) OR anonymous_id = ANY(%(ids)s))")
_ANONYMOUS = "SELECT anonymous_id FROM user_links WHERE (unit_type, user_id) = (%s, %s) ORDER BY anonymous_id"


async def tables_of_people(connection: Connection) -> list[str]:
    """Every table with a unit type and a user id, such as assignments, events, forced variants."""
    cursor = await connection.execute(_TABLES.encode(), (list(APART),))
    return [name for (name,) in await cursor.fetchall()]


async def times_of(connection: Connection, table: str) -> list[str]:
    """The table's columns that are times."""
    cursor = await connection.execute(_TIMES, (sql.Identifier(table).as_string(connection),))
    return [name for (name,) in await cursor.fetchall()]


def of_person(table: str) -> sql.Composable:
    """The condition for rows of the ids in `ids`, of the type `unit_type`."""
    if table == LINKS:
        return _EITHER_ID
    # The key of assignments begins with the experiment, so it names each.
    return _BY_EXPERIMENT if table == ASSIGNMENTS else _BY_UNIT


async def holds(connection: Connection, table: str, unit_type: str, user_id: str) -> bool:
    """Whether the table has a row of the person."""
    statement = sql.SQL(_HOLDS).format(table=sql.Identifier(table), condition=of_person(table))
    cursor = await connection.execute(statement, {"unit_type": unit_type, "ids": [user_id]})
    return await cursor.fetchone() is not None


async def anonymous_ids(connection: Connection, unit_type: str, user_id: str) -> list[str]:
    """The ids that were the person's before it logged in."""
    cursor = await connection.execute(_ANONYMOUS, (unit_type, user_id))
    return [anonymous for (anonymous,) in await cursor.fetchall()]
