"""By which metrics of the catalogue an experiment is watched beside its own guardrails, in PostgreSQL."""

from __future__ import annotations

from api.postgres.database import Connection

_COME = """
INSERT INTO experiment_watched (experiment_id, metric_id, key, version, definition, place, since)
SELECT %(id)s, m.id, m.key, v.version, v.definition || '{"role": "guardrail"}',
    CASE WHEN %(starting)s THEN 0 ELSE
        (SELECT coalesce(max(place), 0) FROM experiment_watched WHERE experiment_id = %(id)s)
            + row_number() OVER (ORDER BY m.id)
    END,
    %(since)s
FROM metrics AS m JOIN metric_versions AS v ON v.metric_id = m.id AND v.version = m.latest
WHERE m.watched
    AND NOT EXISTS (SELECT FROM experiment_metrics AS own WHERE own.experiment_id = %(id)s AND own.key = m.key)
    AND NOT EXISTS (SELECT FROM experiment_watched AS w WHERE w.experiment_id = %(id)s AND w.metric_id = m.id)
"""
_COME_AND_GO = """
UPDATE experiment_watched AS w SET active = m.watched
FROM metrics AS m WHERE m.id = w.metric_id AND w.experiment_id = %(id)s AND w.active <> m.watched
"""
_BEHIND = """
SELECT e.key FROM experiments AS e
WHERE e.status IN ('running', 'paused') AND e.source = 'internal' AND EXISTS (
    SELECT FROM metrics AS m LEFT JOIN experiment_watched AS w ON w.metric_id = m.id AND w.experiment_id = e.id
    WHERE m.watched <> coalesce(w.active, false)
        AND NOT EXISTS (SELECT FROM experiment_metrics AS own WHERE own.experiment_id = e.id AND own.key = m.key)
)
ORDER BY e.id
"""


async def begin(connection: Connection, experiment_id: int, since: int) -> None:
    """Have an experiment that starts be watched by all that is watched now. since: the version that starts it."""
    await connection.execute(_COME, {"id": experiment_id, "since": since, "starting": True})


async def follow(connection: Connection, experiment_id: int, since: int) -> bool:
    """Have a started experiment follow the catalogue; whether anything changed.

    What came since has the next places. What is watched no longer keeps its place, and has it again when it comes back.
    since: the version that the change makes, from which on units count.
    """
    values = {"id": experiment_id, "since": since, "starting": False}
    gone = await connection.execute(_COME_AND_GO, values)
    come = await connection.execute(_COME, values)
    return gone.rowcount + come.rowcount > 0


async def read_behind(connection: Connection) -> list[str]:
    """Keys of the started experiments that are not watched by what the catalogue says."""
    cursor = await connection.execute(_BEHIND)
    return [key for (key,) in await cursor.fetchall()]
