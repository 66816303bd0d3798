"""Layers: their slots are given out one experiment at a time."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from api.audit import Actor, Change, record, recorded
from api.http.etags import require_match, version_tag
from api.http.pages import cut
from api.http.problems import Problem, found
from api.http.refusals import refuse
from api.layers import repository
from api.layers.repository import LayerInUse, LayerKeyTaken, Row
from api.layers.schemas import LayerNew, LayerOut, LayerPage, LayerPatch
from api.layers.slots import Slots, find_slots, free_slots
from api.postgres.database import Connection, Pool
from neonblue.contract.codes import Code
from neonblue.contract.violation import Violation

_BEYOND_ALL = 2**31 - 1


@dataclass(frozen=True, slots=True)
class LayerService:
    pool: Pool

    async def create(self, new: LayerNew, actor: Actor) -> LayerOut:
        """Raises Problem `layer_exists`."""
        try:
            async with self.pool.transaction() as connection:
                await repository.insert(connection, new.key, new.name, new.salt or secrets.token_hex(16))
                doing = Change("create", "layer", new.key, None, None)
                return _shown(
                    await recorded(connection, actor, doing, repository.read_one(connection, new.key))
                )
        except LayerKeyTaken:
            raise Problem(409, "layer_exists", "A layer with this key exists", field="key") from None

    async def get(self, key: str) -> LayerOut:
        """Raises Problem `not_found`."""
        async with self.pool.connection() as connection:
            return _shown(found(await repository.read_one(connection, key), "layer"))

    async def page(self, before: int | None, limit: int) -> LayerPage:
        async with self.pool.connection() as connection:
            rows = await repository.read_page(connection, before or _BEYOND_ALL, limit + 1)
        shown, cursor = cut(rows, limit, key=lambda row: int(row["id"]))
        return LayerPage(items=[_shown(row) for row in shown], next_cursor=cursor)

    async def patch(self, key: str, patch: LayerPatch, if_match: str | None, actor: Actor) -> LayerOut:
        """Raises Problem `not_found`, or of `require_match`."""
        async with self.pool.transaction() as connection:
            before = await _locked(connection, key)
            require_match(if_match, version_tag(before["version"]))
            if "name" not in patch.model_fields_set or patch.name == before["name"]:
                return _shown(before)
            await repository.rename(connection, before["id"], patch.name)
            doing = Change("change", "layer", key, before, None)
            return _shown(await recorded(connection, actor, doing, repository.read_one(connection, key)))

    async def delete(self, key: str, actor: Actor) -> None:
        """Raises Problem `not_found`, `layer_in_use`."""
        try:
            async with self.pool.transaction() as connection:
                before = await _locked(connection, key)
                await repository.delete(connection, before["id"])
                await record(connection, actor, Change("delete", "layer", key, before, None))
        except LayerInUse:
            raise Problem(409, "layer_in_use", "Experiments refer to the layer") from None


async def reserve(connection: Connection, key: str, share: int, experiment_id: int) -> tuple[int, Slots]:
    """The layer's id, and slots in it for the experiment, which holds them once they are stored.

    Raises Problem `unknown_layer`, or `layer_full` with the room that is left.
    """
    layer_id = await repository.lock(connection, key)
    if layer_id is None:
        raise refuse(422, [Violation(Code.UNKNOWN_LAYER, f"there is no layer {key}", "layer.key")])
    taken = await repository.read_taken(connection, layer_id, experiment_id)
    slots = find_slots(taken, share)
    if slots is None:
        gaps = [gap.share for gap in free_slots(taken)]
        members = {"layer": key, "free": sum(gaps), "largest_free": max(gaps, default=0)}
        message = f"The layer has {members['largest_free']} basis points in one piece, not {share}"
        raise Problem(409, "layer_full", message, field="layer.share", members=members)
    return layer_id, slots


async def _locked(connection: Connection, key: str) -> Row:
    await repository.lock(connection, key)
    return found(await repository.read_one(connection, key), "layer")


def _shown(row: Row) -> LayerOut:
    gaps = [gap.share for gap in free_slots(Slots(held["start"], held["end"]) for held in row["slots"])]
    return LayerOut.model_validate(row | {"free": sum(gaps), "largest_free": max(gaps, default=0)})
