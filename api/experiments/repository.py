"""Experiments in PostgreSQL: the current state and its parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import errors
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from api.experiments.schemas import VariantIn
from api.metric_catalogue.definitions import stored
from api.metric_catalogue.service import UsedMetric
from api.postgres.database import Connection

CHANNEL = "neonblue_experiments"
"""Notifications of changes; the payload is the experiment's id."""

_COLUMNS = """
SELECT experiments.id, key, name, hypothesis, owner, tags, source, unit_type, population, status, salt, allocation,
    holdouts, targeting, enrolment, outside, planned_days, planned_units, inference, scheduled_start_at,
    scheduled_stop_at, decision, release, rolled_back_from, version, created_at, started_at, concluded_at,
    (SELECT jsonb_build_object('key', l.key, 'salt', l.salt, 'start', layer_start, 'end', layer_end)
     FROM layers AS l WHERE l.id = layer_id) AS layer,
    coalesce((SELECT jsonb_agg(jsonb_build_object('key', h.key, 'salt', h.salt, 'share', h.share) ORDER BY h.key)
     FROM holdouts AS h
     WHERE source = 'internal' AND (experiments.holdouts IS NULL OR h.key = ANY(experiments.holdouts))), '[]')
        AS holdout_rules,
    (SELECT jsonb_agg(jsonb_build_object('key', v.key, 'name', v.name, 'weight', v.weight,
        'is_control', v.is_control, 'active', v.active, 'payload', v.payload) ORDER BY v.position)
     FROM variants AS v WHERE v.experiment_id = experiments.id) AS variants,
    coalesce((SELECT jsonb_agg(m.definition || jsonb_build_object('key', m.key, 'version', m.version)
        ORDER BY m.position)
     FROM experiment_metrics AS m WHERE m.experiment_id = experiments.id), '[]') AS metrics,
    coalesce((SELECT jsonb_agg(w.definition || jsonb_build_object('key', w.key, 'version', w.version, 'place', w.place,
        'since', w.since, 'active', w.active) ORDER BY w.place, w.key)
     FROM experiment_watched AS w WHERE w.experiment_id = experiments.id), '[]') AS watched,
    (SELECT jsonb_build_object('steps', r.steps, 'on_breach', r.on_breach, 'release_at_end',
        CASE WHEN r.release_variant IS NOT NULL THEN jsonb_build_object('variant_key', r.release_variant) END,
        'position', r.position, 'step_since', r.step_since, 'held', r.held, 'closed', r.closed, 'waits', r.waits)
     FROM experiment_ramps AS r WHERE r.experiment_id = experiments.id) AS ramp
FROM experiments
"""
_BY_KEY = _COLUMNS + "WHERE key = %s"
_RELEASED_AT = """
CASE WHEN status = 'concluded' AND decision IS NOT NULL
        AND coalesce((release ->> 'share')::integer, 10000) = 10000
    THEN greatest(concluded_at, (decision ->> 'decided_at')::timestamptz,
        (SELECT max(past.created_at) FROM experiment_versions AS past
         WHERE past.experiment_id = experiments.id AND past.action = 'release')) END
"""
"""Since when everybody whom it means gets what was decided; null: not everybody yet."""
_STALE = f"""
{_RELEASED_AT} <= now() - interval '14 days'
OR (source = 'internal' AND status IN ('running', 'paused', 'concluded')
    AND greatest(started_at, (SELECT since FROM evaluations_since)) <= now() - interval '14 days'
    AND NOT EXISTS (SELECT FROM evaluations AS asked
        WHERE asked.experiment_id = experiments.id AND asked.last_at > now() - interval '14 days'))
"""  # noqa: S608 - no value is in the text
_MATCHING = f"""
    (%(tag)s::text IS NULL OR tags @> ARRAY[%(tag)s])
    AND (%(owner)s::text IS NULL OR owner = %(owner)s)
    AND (%(layer)s::text IS NULL OR layer_id = (SELECT l.id FROM layers AS l WHERE l.key = %(layer)s))
    AND (NOT %(stale)s OR ({_STALE}))
    AND (%(text)s::text IS NULL OR strpos(lower(concat_ws(' ', key, name, hypothesis)), lower(%(text)s)) > 0)
"""  # noqa: S608 - no value is in the text
_PAGE = f"""{_COLUMNS}
WHERE experiments.id < %(before)s AND (%(status)s::text[] IS NULL OR status = ANY(%(status)s)) AND {_MATCHING}
ORDER BY experiments.id DESC LIMIT %(limit)s
"""
_COUNT = f"SELECT status, count(*) FROM experiments WHERE {_MATCHING} GROUP BY status"  # noqa: S608
_OWNERS = "SELECT DISTINCT owner FROM experiments WHERE owner IS NOT NULL ORDER BY owner LIMIT %s"
_TAGS = "SELECT DISTINCT unnest(tags) AS tag FROM experiments ORDER BY tag LIMIT %s"
_LOCK = "SELECT id FROM experiments WHERE key = %s FOR UPDATE"
_INSERT = """
INSERT INTO experiments (key, source, salt) VALUES (%s, %s, %s) RETURNING id
"""
_UPDATE = """
UPDATE experiments SET name = %(name)s, hypothesis = %(hypothesis)s, owner = %(owner)s, tags = %(tags)s,
    unit_type = %(unit_type)s, population = %(population)s, salt = %(salt)s, allocation = %(allocation)s,
    holdouts = %(holdouts)s, targeting = %(targeting)s, enrolment = %(enrolment)s, outside = %(outside)s,
    planned_days = %(planned_days)s, planned_units = %(planned_units)s, scheduled_start_at = %(scheduled_start_at)s,
    scheduled_stop_at = %(scheduled_stop_at)s,
    rolled_back_from = CASE WHEN NOT %(enrolment_said)s THEN rolled_back_from END
WHERE id = %(id)s
"""
_PLACE = "UPDATE experiments SET layer_id = %s, layer_start = %s, layer_end = %s WHERE id = %s"
_INSERT_VARIANT = """
INSERT INTO variants (experiment_id, key, name, weight, is_control, active, position, payload)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
"""
_INSERT_METRIC = """
INSERT INTO experiment_metrics (experiment_id, position, key, version, metric_id, definition)
VALUES (%s, %s, %s, %s, %s, %s)
"""
_STEP = """
UPDATE experiments SET status = %(status)s,
    inference = CASE WHEN %(status)s = 'running'
        THEN coalesce(inference, CASE WHEN planned_units IS NULL THEN 'confidence_sequence' ELSE 'group_sequential' END)
        ELSE inference END,
    started_at = CASE WHEN %(status)s = 'running' THEN coalesce(started_at, now()) ELSE started_at END,
    concluded_at = CASE WHEN %(status)s = 'concluded' THEN now() ELSE concluded_at END
WHERE id = %(id)s
"""
_ROLL_BACK = "UPDATE experiments SET rolled_back_from = enrolment, enrolment = 'closed' WHERE id = %s"
_UNDO_ROLL_BACK = """
UPDATE experiments SET enrolment = coalesce(rolled_back_from, enrolment), rolled_back_from = NULL WHERE id = %s
"""
_DUE = """
SELECT key FROM experiments
WHERE (status = 'scheduled' AND (scheduled_start_at <= now() OR scheduled_stop_at <= now()))
    OR (status IN ('running', 'paused') AND scheduled_stop_at <= now())
ORDER BY least(scheduled_start_at, scheduled_stop_at), id
"""
_GROWING = """
SELECT key, status, release FROM experiments
WHERE status = 'concluded' AND release ? 'ramp' ORDER BY release #>> '{ramp,step_since}', id
"""
_DELETE = (
    "DELETE FROM forced_variants WHERE experiment_id = %s",
    "DELETE FROM experiment_ramps WHERE experiment_id = %s",
    "DELETE FROM experiment_metrics WHERE experiment_id = %s",
    "DELETE FROM variants WHERE experiment_id = %s",
    "DELETE FROM evaluations WHERE experiment_id = %s",
    "DELETE FROM experiment_versions WHERE experiment_id = %s",
    "DELETE FROM experiments WHERE id = %s",
)
_ANY_LOOK = "SELECT EXISTS (SELECT FROM experiment_looks WHERE experiment_id = %s)"
_REMEMBER = "INSERT INTO deleted_drafts (experiment_id, snapshot) VALUES (%s, %s)"
Row = dict[str, Any]
"""A row as read, with its variants and metrics: handed on to a typed model at once."""


class KeyTaken(Exception):  # noqa: N818 - a fact the service turns into its answer
    """There is an experiment with this key."""


async def lock(connection: Connection, key: str) -> None:
    """Keep others from changing the experiment until the transaction's end.

    A statement of its own: what is read together with a lock may be older than the lock.
    """
    await connection.execute(_LOCK, (key,))


async def read_one(connection: Connection, key: str) -> Row | None:
    """The experiment of this key, with its parts."""
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_BY_KEY.encode(), (key,))
        return await cursor.fetchone()


async def read_page(connection: Connection, filters: Row) -> list[Row]:
    """`filters`: before (an id), status (several), tag, owner, layer, text, stale, limit. Newest first."""
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_PAGE.encode(), filters)
        return await cursor.fetchall()


async def count(connection: Connection, filters: Row) -> dict[str, int]:
    """Experiments by status. `filters`: tag, owner, layer, text."""
    cursor = await connection.execute(_COUNT.encode(), filters)
    return dict(await cursor.fetchall())


async def read_owners(connection: Connection, limit: int) -> list[str]:
    """Whoever owns an experiment, in order."""
    cursor = await connection.execute(_OWNERS, (limit,))
    return [owner for (owner,) in await cursor.fetchall()]


async def read_tags(connection: Connection, limit: int) -> list[str]:
    """The tags that experiments have, in order."""
    cursor = await connection.execute(_TAGS, (limit,))
    return [tag for (tag,) in await cursor.fetchall()]


async def read_due(connection: Connection) -> list[str]:
    """Keys of the experiments with a scheduled time that has come, in its order."""
    cursor = await connection.execute(_DUE)
    return [key for (key,) in await cursor.fetchall()]


async def read_growing(connection: Connection) -> list[Row]:
    """Of the experiments whose release has steps to come: key, status, release."""
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_GROWING)
        return await cursor.fetchall()


async def insert(connection: Connection, key: str, source: str, salt: str) -> int:
    """Store a bare draft; returns its id. Raises KeyTaken."""
    try:
        cursor = await connection.execute(_INSERT, (key, source, salt))
    except errors.UniqueViolation:
        raise KeyTaken(key) from None
    row = await cursor.fetchone()
    if row is None:
        raise RuntimeError("the insert returned no id")
    experiment_id: int = row[0]
    return experiment_id


async def update(
    connection: Connection, experiment_id: int, fields: Row, *, enrolment_said: bool = False
) -> None:
    """Set the fields of the experiment's own row. Testers of another unit type are testers no more.

    enrolment_said: whether somebody said what the enrolment is to be, which `resume` then leaves.
    """
    await connection.execute(_UPDATE, fields | {"id": experiment_id, "enrolment_said": enrolment_said})
    await connection.execute(
        "DELETE FROM forced_variants WHERE experiment_id = %s AND unit_type <> %s",
        (experiment_id, fields["unit_type"]),
    )


async def place(
    connection: Connection, experiment_id: int, layer_id: int | None, start: int | None, end: int | None
) -> None:
    """Give the experiment slots of a layer, or take it out of its layer."""
    await connection.execute(_PLACE, (layer_id, start, end, experiment_id))


async def replace_variants(connection: Connection, experiment_id: int, variants: Sequence[VariantIn]) -> None:
    """Set the arms. Testers of an arm that is gone have none any more."""
    await connection.execute("DELETE FROM variants WHERE experiment_id = %s", (experiment_id,))
    rows: Sequence[tuple[Any, ...]] = [
        (
            experiment_id, variant.key, variant.name, variant.weight, variant.is_control, variant.active, position,
            None if variant.payload is None else Jsonb(variant.payload),
        )
        for position, variant in enumerate(variants)
    ]  # fmt: skip
    async with connection.cursor() as cursor:
        await cursor.executemany(_INSERT_VARIANT, rows)
    await connection.execute(
        "DELETE FROM forced_variants WHERE experiment_id = %s AND variant_key <> ALL(%s)",
        (experiment_id, [variant.key for variant in variants if variant.active]),
    )


async def replace_metrics(connection: Connection, experiment_id: int, metrics: Sequence[UsedMetric]) -> None:
    """Set what the experiment measures, as a copy of each definition."""
    await connection.execute("DELETE FROM experiment_metrics WHERE experiment_id = %s", (experiment_id,))
    rows: Sequence[tuple[Any, ...]] = [
        (
            experiment_id, position, metric.message.key, metric.message.version, metric.metric_id,
            Jsonb(stored(metric.message)),
        )
        for position, metric in enumerate(metrics)
    ]  # fmt: skip
    async with connection.cursor() as cursor:
        await cursor.executemany(_INSERT_METRIC, rows)


async def set_status(connection: Connection, experiment_id: int, status: str) -> None:
    await connection.execute(_STEP, {"id": experiment_id, "status": status})


async def roll_back(connection: Connection, experiment_id: int) -> None:
    """Close the enrolment, and remember how it was."""
    await connection.execute(_ROLL_BACK, (experiment_id,))


async def undo_roll_back(connection: Connection, experiment_id: int) -> None:
    """Make the enrolment what it was before it was rolled back; of any other experiment, leave it alone."""
    await connection.execute(_UNDO_ROLL_BACK, (experiment_id,))


async def set_decision(connection: Connection, experiment_id: int, decision: Row | None) -> None:
    value = None if decision is None else Jsonb(decision)
    await connection.execute("UPDATE experiments SET decision = %s WHERE id = %s", (value, experiment_id))


async def set_release(connection: Connection, experiment_id: int, release: Row | None) -> None:
    value = None if release is None else Jsonb(release)
    await connection.execute("UPDATE experiments SET release = %s WHERE id = %s", (value, experiment_id))


async def delete(connection: Connection, experiment_id: int, snapshot: bytes) -> None:
    """Remove a draft and all its parts; what stays is the last message on it."""
    for statement in _DELETE:
        await connection.execute(statement, (experiment_id,))
    await connection.execute(_REMEMBER, (experiment_id, snapshot.decode()))


async def any_look(connection: Connection, experiment_id: int) -> bool:
    """Whether a look at it has been taken. Under the experiment's lock none is taken meanwhile."""
    cursor = await connection.execute(_ANY_LOOK, (experiment_id,))
    row = await cursor.fetchone()
    return row is not None and bool(row[0])
