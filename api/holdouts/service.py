"""Holdouts: each change of one is a new version of every started experiment that respects it."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from api.audit import Actor, Change, record
from api.experiments import holdouts
from api.experiments import repository as experiments
from api.experiments.registry import Registry
from api.experiments.versions import Occasion, keep_version, refresh
from api.holdouts import repository
from api.holdouts.repository import HoldoutKeyTaken, Row
from api.holdouts.schemas import HoldoutNew, HoldoutOut, HoldoutPage, HoldoutPatch
from api.http.etags import require_match, version_tag
from api.http.pages import cut
from api.http.problems import Problem, found
from api.http.refusals import refuse
from api.postgres.database import Connection, Pool
from neonblue.contract.codes import Code
from neonblue.contract.violation import Violation

_BEYOND_ALL = 2**31 - 1


@dataclass(frozen=True, slots=True)
class HoldoutService:
    pool: Pool
    registry: Registry

    async def create(self, new: HoldoutNew, actor: Actor) -> HoldoutOut:
        """Raises Problem `holdout_exists`."""
        try:
            async with self.pool.transaction() as connection:
                await holdouts.exclude(connection)
                salt = new.salt or secrets.token_hex(16)
                await repository.insert(connection, new.key, new.name, salt, new.share)
                after = found(await repository.read_one(connection, new.key), "holdout")
                respecting = await repository.read_respecting(connection, new.key)
                occasion = Occasion("holdout_create", actor)
                touched = await _keep_versions(connection, respecting, None, after, occasion)
                await record(connection, actor, Change("create", "holdout", new.key, None, after))
        except HoldoutKeyTaken:
            raise Problem(409, "holdout_exists", "A holdout with this key exists", field="key") from None
        return await self._refreshed(touched, after)

    async def get(self, key: str) -> HoldoutOut:
        """Raises Problem `not_found`."""
        async with self.pool.connection() as connection:
            return HoldoutOut.model_validate(found(await repository.read_one(connection, key), "holdout"))

    async def page(self, before: int | None, limit: int) -> HoldoutPage:
        async with self.pool.connection() as connection:
            rows = await repository.read_page(connection, before or _BEYOND_ALL, limit + 1)
        shown, cursor = cut(rows, limit, key=lambda row: int(row["id"]))
        return HoldoutPage(items=[HoldoutOut.model_validate(row) for row in shown], next_cursor=cursor)

    async def patch(self, key: str, patch: HoldoutPatch, if_match: str | None, actor: Actor) -> HoldoutOut:
        """Raises Problem `not_found`, `may_only_grow`, or of `require_match`."""
        touched: list[int] = []
        async with self.pool.transaction() as connection:
            await holdouts.exclude(connection)
            before = found(await repository.read_one(connection, key), "holdout")
            require_match(if_match, version_tag(before["version"]))
            name, share = (
                getattr(patch, field) if field in patch.model_fields_set else before[field]
                for field in ("name", "share")
            )
            if (name, share) == (before["name"], before["share"]):
                return HoldoutOut.model_validate(before)
            respecting = [] if share == before["share"] else await repository.read_respecting(connection, key)
            if respecting and share < before["share"]:
                message = f"is {before['share']} and may only grow while experiments run"
                raise refuse(409, [Violation(Code.MAY_ONLY_GROW, message, "share")])
            await repository.update(connection, before["id"], name, share)
            after = found(await repository.read_one(connection, key), "holdout")
            occasion = Occasion("holdout_change", actor, patch.reason)
            touched = await _keep_versions(connection, respecting, before, after, occasion)
            await record(connection, actor, Change("change", "holdout", key, before, after))
        return await self._refreshed(touched, after)

    async def delete(self, key: str, actor: Actor) -> None:
        """Raises Problem `not_found`, or `holdout_in_use` where an experiment names it."""
        async with self.pool.transaction() as connection:
            await holdouts.exclude(connection)
            before = found(await repository.read_one(connection, key), "holdout")
            naming = await repository.read_naming(connection, key)
            if naming:
                raise Problem(
                    409, "holdout_in_use", "Experiments name the holdout", members={"experiments": naming}
                )
            respecting = await repository.read_respecting(connection, key)
            await repository.delete(connection, before["id"])
            occasion = Occasion("holdout_delete", actor)
            touched = await _keep_versions(connection, respecting, before, None, occasion)
            await record(connection, actor, Change("delete", "holdout", key, before, None))
        for experiment_id in touched:
            await refresh(self.registry, experiment_id)

    async def _refreshed(self, touched: Sequence[int], after: Row) -> HoldoutOut:
        for experiment_id in touched:
            await refresh(self.registry, experiment_id)
        return HoldoutOut.model_validate(after)


async def _keep_versions(
    connection: Connection, keys: Sequence[str], before: Row | None, after: Row | None, occasion: Occasion
) -> list[int]:
    """A version of each experiment; returns their ids."""
    told: dict[str, Any] = {
        "holdout_share": {
            "key": (before or after or {})["key"],
            "before": None if before is None else before["share"],
            "after": None if after is None else after["share"],
        }
    }
    for key in keys:
        await experiments.lock(connection, key)
    touched: list[int] = []
    for key in keys:
        row = await experiments.read_one(connection, key)
        if row is not None:
            await keep_version(connection, row, key, occasion, told)
            touched.append(row["id"])
    return touched
