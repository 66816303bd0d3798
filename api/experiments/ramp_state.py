"""Where ramps are, in PostgreSQL. Under the experiment's lock; times are the database's, which all processes share."""

from __future__ import annotations

from datetime import datetime

from psycopg.types.json import Jsonb

from api.experiments.ramp_fields import RampIn
from api.postgres.database import Connection

_KEEP = """
INSERT INTO experiment_ramps (experiment_id, steps, on_breach, release_variant, position, step_since)
VALUES (%(id)s, %(steps)s, %(on_breach)s, %(release)s, %(position)s, CASE WHEN %(started)s THEN clock_timestamp() END)
ON CONFLICT (experiment_id) DO UPDATE SET
    steps = EXCLUDED.steps, on_breach = EXCLUDED.on_breach, release_variant = EXCLUDED.release_variant,
    position = EXCLUDED.position, waits = NULL,
    step_since = CASE WHEN %(grown)s THEN EXCLUDED.step_since ELSE experiment_ramps.step_since END
"""
_REMOVE = "DELETE FROM experiment_ramps WHERE experiment_id = %s"
_BEGIN = "UPDATE experiment_ramps SET position = 1, step_since = clock_timestamp() WHERE experiment_id = %s"
_AGAIN = "UPDATE experiment_ramps SET step_since = clock_timestamp(), waits = NULL WHERE experiment_id = %s"
_SHARE = "UPDATE experiments SET allocation = %s WHERE id = %s"
_ADVANCE = """
UPDATE experiment_ramps SET position = %s, step_since = clock_timestamp(), waits = NULL, held = NULL
WHERE experiment_id = %s
"""
_HOLD = "UPDATE experiment_ramps SET held = %s, waits = NULL WHERE experiment_id = %s"
_CLOSE = (
    "UPDATE experiment_ramps SET closed = true WHERE experiment_id = %s",
    "UPDATE experiments SET enrolment = 'closed' WHERE id = %s",
)
_REOPEN = (
    "UPDATE experiments SET enrolment = 'open' "
    "WHERE id = %s AND EXISTS (SELECT FROM experiment_ramps WHERE experiment_id = experiments.id AND closed)",
    "UPDATE experiment_ramps SET closed = false WHERE experiment_id = %s",
)
_NOTE = "UPDATE experiment_ramps SET waits = %s WHERE experiment_id = %s"


async def clock(connection: Connection) -> datetime:
    """What PostgreSQL's clock says; asked after the lock, so that nobody's wait for it counts."""
    cursor = await connection.execute("SELECT clock_timestamp()")
    row = await cursor.fetchone()
    if row is None:
        raise RuntimeError("the clock said nothing")
    now: datetime = row[0]
    return now


async def keep(
    connection: Connection, experiment_id: int, ramp: RampIn, position: int, *, started: bool, grown: bool
) -> None:
    """Store the ramp. started: whether its time runs; grown: whether the allocation is new, so that it runs anew."""
    end = ramp.release_at_end
    fields = {
        "id": experiment_id,
        "steps": Jsonb([step.model_dump() for step in ramp.steps]),
        "on_breach": ramp.on_breach,
        "release": None if end is None else end.variant_key,
        "position": position,
        "started": started,
        "grown": grown,
    }
    await connection.execute(_KEEP, fields)


async def remove(connection: Connection, experiment_id: int) -> None:
    await connection.execute(_REMOVE, (experiment_id,))


async def begin(connection: Connection, experiment_id: int) -> None:
    """The experiment starts: so its first step is taken."""
    await connection.execute(_BEGIN, (experiment_id,))


async def hold_anew(connection: Connection, experiment_id: int) -> None:
    """The experiment runs again: units that came before the pause were cut short, so the step's time runs anew."""
    await connection.execute(_AGAIN, (experiment_id,))


async def advance(connection: Connection, experiment_id: int, position: int, share: int) -> None:
    """Take the step: it is `position` now, and this is the allocation. It goes on where it was held."""
    await connection.execute(_SHARE, (share, experiment_id))
    await connection.execute(_ADVANCE, (position, experiment_id))


async def hold(connection: Connection, experiment_id: int, why: str | None) -> None:
    """Hold the ramp where it is; None: let it go on."""
    await connection.execute(_HOLD, (why, experiment_id))


async def close(connection: Connection, experiment_id: int) -> None:
    """Close the enrolment for the ramp, which `reopen` undoes."""
    for statement in _CLOSE:
        await connection.execute(statement, (experiment_id,))


async def reopen(connection: Connection, experiment_id: int) -> None:
    """Open the enrolment again where the ramp has closed it."""
    for statement in _REOPEN:
        await connection.execute(statement, (experiment_id,))


async def forget_closing(connection: Connection, experiment_id: int) -> None:
    """A person has said how the enrolment is: the ramp leaves it so."""
    await connection.execute(
        "UPDATE experiment_ramps SET closed = false WHERE experiment_id = %s", (experiment_id,)
    )


async def note(connection: Connection, experiment_id: int, waits: str) -> None:
    """Why the last look took no step."""
    await connection.execute(_NOTE, (waits, experiment_id))
