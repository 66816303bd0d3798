"""Looks in PostgreSQL: added in order, never changed."""

from __future__ import annotations

import msgspec
from psycopg.types.json import Jsonb

from api.postgres.database import Connection
from neonblue.contract.instants import format_instant, parse_instant
from neonblue.contract.looks import LookMessage, stored_look

_READ = """
SELECT experiments.key, number, closed_to, taken_at, configuration_version, experiment_looks.inference,
    experiment_looks.planned_units, alpha, cells::text
FROM experiment_looks JOIN experiments ON experiments.id = experiment_id
WHERE experiment_id = %s ORDER BY number
"""
_INSERT = """
INSERT INTO experiment_looks
    (experiment_id, number, closed_to, configuration_version, inference, planned_units, alpha, cells)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s) RETURNING taken_at
"""


async def read_looks(connection: Connection, experiment_id: int) -> list[LookMessage]:
    """Every look at the experiment, in its order."""
    cursor = await connection.execute(_READ, (experiment_id,))
    return [stored_look(*row) for row in await cursor.fetchall()]


async def insert(connection: Connection, experiment_id: int, look: LookMessage) -> LookMessage:
    """Store the look; it is returned with the time at which it was."""
    cells = Jsonb(look.cells, dumps=msgspec.json.encode)
    cursor = await connection.execute(
        _INSERT,
        (
            experiment_id, look.number, parse_instant(look.closed_to), look.configuration_version, look.inference,
            look.planned_units, look.alpha, cells,
        ),
    )  # fmt: skip
    row = await cursor.fetchone()
    if row is None:
        raise RuntimeError("the insert returned no time")
    return msgspec.structs.replace(look, taken_at=format_instant(row[0]))
