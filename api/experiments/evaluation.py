"""What assignment needs of experiments, in PostgreSQL: their configuration with layer, holdouts and testers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from api.postgres.database import Connection
from neonblue.bucketing import Population, Release, Serving, serving_of
from neonblue.bucketing.document import (
    ExperimentEntry,
    HoldoutEntry,
    LayerEntry,
    VariantEntry,
    forced_digits,
)

_EVALUATION = """
SELECT e.id, e.status, e.source, e.population, jsonb_build_object(
    'experiment_id', e.id, 'key', e.key, 'unit_type', e.unit_type, 'version', e.version, 'salt', e.salt,
    'allocation', e.allocation, 'targeting', e.targeting, 'enrolment', e.enrolment, 'outside', e.outside,
    'layer', (SELECT jsonb_build_object('salt', l.salt, 'start', e.layer_start, 'end', e.layer_end)
              FROM layers AS l WHERE l.id = e.layer_id),
    'holdouts', (SELECT coalesce(jsonb_agg(jsonb_build_object('salt', h.salt, 'share', h.share) ORDER BY h.id), '[]')
                 FROM holdouts AS h WHERE e.holdouts IS NULL OR h.key = ANY (e.holdouts)),
    'variants', (SELECT jsonb_agg(jsonb_build_object('key', v.key, 'weight', v.weight, 'active', v.active,
                     'payload', v.payload) ORDER BY v.position)
                 FROM variants AS v WHERE v.experiment_id = e.id),
    'control', (SELECT v.key FROM variants AS v WHERE v.experiment_id = e.id AND v.is_control),
    'release', e.release, 'shipped', CASE e.decision ->> 'outcome' WHEN 'ship' THEN e.decision ->> 'variant_key' END,
    'testers', (SELECT coalesce(jsonb_object_agg(f.user_id, f.variant_key), '{}')
                FROM forced_variants AS f WHERE f.experiment_id = e.id AND f.unit_type = e.unit_type)
)::text
FROM experiments AS e
"""
_BY_ID = _EVALUATION + "WHERE e.id = ANY (%s) ORDER BY e.id"
_VERSIONS = f"""
SELECT e.id, e.version, md5(served.evaluation)
FROM experiments AS e
LEFT JOIN (
    {_EVALUATION}
    WHERE e.status NOT IN ('concluded', 'archived')
        OR (e.status = 'concluded' AND coalesce(e.release, e.decision) ->> 'variant_key' IN (
            SELECT v.key FROM variants AS v WHERE v.experiment_id = e.id AND NOT v.is_control))
) AS served (id, status, source, population, evaluation)
    USING (id)
"""  # noqa: S608 - no value is in the text


class _Release(msgspec.Struct):
    variant_key: str
    share: int
    population: Population


class _Evaluation(msgspec.Struct):
    """The JSON object of the query."""

    experiment_id: int
    key: str
    unit_type: str
    version: int
    salt: str
    allocation: int
    targeting: str | None
    layer: LayerEntry | None
    holdouts: list[HoldoutEntry]
    variants: list[VariantEntry]
    control: str | None
    enrolment: str
    outside: str
    release: _Release | None
    shipped: str | None
    testers: dict[str, str]

    @property
    def released(self) -> Release | None:
        """The release; of what was concluded before there were any, all that its decision ships."""
        if self.release is not None:
            return Release(self.release.variant_key, self.release.share, self.release.population)
        return None if self.shipped is None else Release(self.shipped)


@dataclass(frozen=True, slots=True)
class EvaluationRow:
    """An experiment's state and what its evaluation depends on.

    population: `exposed` or `assigned`. serving: what its key gives while it does not run; None where it runs, or is an
    import.
    """

    status: str
    external: bool
    population: str
    entry: ExperimentEntry
    serving: Serving | None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An experiment of which what is stored makes no sense."""

    experiment_id: int
    reason: str


@dataclass(frozen=True, slots=True)
class Mark:
    """Tells whether what is held of an experiment is still right.

    Layers, holdouts and testers may change without a new version: there is a digest too, where units go by them.
    """

    version: int
    digest: str | None


async def read_evaluations(connection: Connection, ids: Sequence[int]) -> list[EvaluationRow | Unreadable]:
    """The experiments of these ids. One that can't be read hides no other."""
    cursor = await connection.execute(_BY_ID.encode(), (list(ids),))
    return [_readable(*row) for row in await cursor.fetchall()]


async def read_marks(connection: Connection) -> dict[int, Mark]:
    """The mark of each experiment, by its id."""
    cursor = await connection.execute(_VERSIONS.encode())
    return {number: Mark(version, digest) for number, version, digest in await cursor.fetchall()}


def _readable(
    experiment_id: int, status: str, source: str, population: str, evaluation: str
) -> EvaluationRow | Unreadable:
    try:
        return _row(status, source, population, evaluation)
    except msgspec.MsgspecError as error:
        return Unreadable(experiment_id, str(error))
    except Exception as error:  # its text may hold what was stored
        return Unreadable(experiment_id, type(error).__name__)


def _row(status: str, source: str, population: str, evaluation: str) -> EvaluationRow:
    found = msgspec.json.decode(evaluation, type=_Evaluation)
    fields: dict[str, Any] = {
        name: getattr(found, name)
        for name in ExperimentEntry.__struct_fields__
        if name not in ("forced", "outside", "closed")
    }
    forced = {forced_digits(found.salt, unit): variant for unit, variant in found.testers.items()}
    external = source == "external"
    serving = None if external else serving_of(status, found.control, found.released)
    entry = ExperimentEntry(
        **fields,
        forced=forced,
        outside=found.control if found.outside == "control" and not external else None,
        closed=found.control if found.enrolment == "closed" and not external else None,
    )
    return EvaluationRow(status, external, population, entry, serving)
