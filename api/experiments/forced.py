"""Forced variants: a tester sees the variant they ask for and is kept out of analysis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from psycopg.rows import dict_row

from api.audit import Actor
from api.experiments import repository, versions
from api.experiments.answers import ForcedVariantOut, ForcedVariants
from api.experiments.registry import Registry
from api.experiments.repository import Row
from api.experiments.schemas import ForcedVariantIn
from api.experiments.service import locked
from api.experiments.versions import Occasion
from api.http.problems import Problem, found
from api.http.refusals import refuse
from api.identity.identify import Identify
from api.postgres.database import Connection, Pool
from neonblue.contract.codes import Code
from neonblue.contract.life_cycle import ENDED
from neonblue.contract.violation import Violation

MOST = 1_000
"""Testers of one experiment: every API process holds them in memory."""

_ALL = """
SELECT unit_type, user_id, variant_key, created_at FROM forced_variants
WHERE experiment_id = %s ORDER BY unit_type, user_id
"""
_PUT = """
INSERT INTO forced_variants (experiment_id, unit_type, user_id, variant_key) VALUES (%s, %s, %s, %s)
ON CONFLICT (experiment_id, unit_type, user_id) DO UPDATE SET variant_key = excluded.variant_key
WHERE forced_variants.variant_key <> excluded.variant_key
"""
_DELETE = "DELETE FROM forced_variants WHERE experiment_id = %s AND unit_type = %s AND user_id = %s"


@dataclass(frozen=True, slots=True)
class ForcedVariantService:
    pool: Pool
    registry: Registry
    identify: Identify

    async def all(self, key: str) -> ForcedVariants:
        """Raises Problem `not_found`."""
        async with self.pool.connection() as connection:
            row = found(await repository.read_one(connection, key), "experiment")
            return _shown(await _read(connection, row["id"]))

    async def put(self, key: str, forced: ForcedVariantIn, actor: Actor) -> ForcedVariants:
        """Force one tester's variant. Raises Problem `not_found`, `has_ended`, `too_many`, or for a field."""
        async with self.pool.transaction() as connection:
            row = await locked(connection, key, None)
            _check(row, forced)
            before = await _read(connection, row["id"])
            values = (row["id"], row["unit_type"], self.identify(forced.user_id), forced.variant_key)
            cursor = await connection.execute(_PUT, values)
            after = await _read(connection, row["id"])
            if len(after) > MOST:
                raise Problem(409, "too_many", f"An experiment has at most {MOST} forced variants")
            if cursor.rowcount:
                await _keep(connection, row, "force_variant", actor, before, after)
        await versions.refresh(self.registry, row["id"])
        return _shown(after)

    async def delete(self, key: str, unit_type: str | None, user_id: str, actor: Actor) -> None:
        """Raises Problem `not_found`."""
        async with self.pool.transaction() as connection:
            row = await locked(connection, key, None)
            before = await _read(connection, row["id"])
            values = (row["id"], unit_type or row["unit_type"], self.identify(user_id))
            cursor = await connection.execute(_DELETE, values)
            if not cursor.rowcount:
                raise Problem(404, "not_found", "No variant is forced for this unit", field="user_id")
            await _keep(connection, row, "unforce_variant", actor, before, await _read(connection, row["id"]))
        await versions.refresh(self.registry, row["id"])


def _check(row: Row, forced: ForcedVariantIn) -> None:
    if row["status"] in ENDED:
        raise Problem(409, "has_ended", f"The experiment is {row['status']}")
    if row["source"] == "external":
        raise refuse(409, [Violation(Code.INTERNAL_ONLY, "an external experiment's variants are given")])
    if forced.unit_type not in (None, row["unit_type"]):
        message = f"the experiment's unit_type is {row['unit_type']}"
        raise refuse(422, [Violation(Code.UNIT_TYPE_MISMATCH, message, "unit_type")])
    active = [variant["key"] for variant in row["variants"] if variant["active"]]
    if forced.variant_key not in active:
        message = f"must be one of {', '.join(active)}"
        raise refuse(422, [Violation(Code.UNKNOWN_VARIANT, message, "variant_key")])


async def _keep(
    connection: Connection, row: Row, action: str, actor: Actor, before: list[Row], after: list[Row]
) -> None:
    """A version, which tells how many testers each variant has, never who they are."""
    told: dict[str, Any] = {"forced_variants": {"before": _counts(before), "after": _counts(after)}}
    await versions.keep_version(connection, row, row["key"], Occasion(action, actor), told)


def _counts(rows: list[Row]) -> dict[str, int]:
    keys = [row["variant_key"] for row in rows]
    return {key: keys.count(key) for key in sorted(set(keys))}


async def _read(connection: Connection, experiment_id: int) -> list[Row]:
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_ALL, (experiment_id,))
        return await cursor.fetchall()


def _shown(rows: list[Row]) -> ForcedVariants:
    return ForcedVariants(items=[ForcedVariantOut.model_validate(row) for row in rows])
