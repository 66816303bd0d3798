"""The life cycle: who may go where, and what each change leaves behind."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime

from api.audit import Actor, Change, record
from api.database import Connection, Pool
from api.experiments import repository
from api.experiments.registry import Registry
from api.experiments.repository import KeyTaken, Row
from api.experiments.schemas import ExperimentIn, ExperimentOut, ExperimentPage, Status, Step
from api.http.problems import Problem
from api.ingest.copying import write_outbox
from neonblue.contract.instants import format_instant
from neonblue.contract.messages import ExperimentMessage, MetricMessage, VariantMessage, encode_message
from neonblue.contract.outbox import Aggregate, Happening, OutboxRow

_NEXT: dict[Status, dict[Step, Status]] = {
    Status.DRAFT: {Step.START: Status.RUNNING},
    Status.RUNNING: {Step.CONCLUDE: Status.CONCLUDED},
    Status.CONCLUDED: {},
}
_BEYOND_ALL = 2**31 - 1


@dataclass(frozen=True, slots=True)
class ExperimentService:
    pool: Pool
    registry: Registry

    async def create(self, new: ExperimentIn, actor: Actor) -> ExperimentOut:
        """Store a draft. Raises Problem `experiment_exists`."""
        try:
            async with self.pool.transaction() as connection:
                await repository.insert(connection, new, new.salt or secrets.token_hex(16))
                after = await self._changed(connection, new.key, None, "create", actor)
        except KeyTaken:
            raise Problem(
                409, "experiment_exists", "An experiment with this key exists", field="key"
            ) from None
        await self.registry.load(after["id"])
        return ExperimentOut.model_validate(after)

    async def step(self, key: str, step: Step, actor: Actor) -> ExperimentOut:
        """Take a step. Raises Problem `illegal_step`, which names the legal ones, or `not_found`."""
        async with self.pool.transaction() as connection:
            before = _found(await repository.read_one(connection, key, lock=True))
            target = _target(Status(before["status"]), step)
            await repository.set_status(connection, before["id"], target)
            after = await self._changed(connection, key, before, step, actor)
        await self.registry.load(after["id"])
        return ExperimentOut.model_validate(after)

    async def get(self, key: str) -> ExperimentOut:
        """Raises Problem `not_found`."""
        async with self.pool.connection() as connection:
            return ExperimentOut.model_validate(_found(await repository.read_one(connection, key)))

    async def page(self, cursor: int | None, status: Status | None, limit: int) -> ExperimentPage:
        """A page of experiments, newest first; `cursor` is the last id of the page before."""
        async with self.pool.connection() as connection:
            rows = await repository.read_page(connection, cursor or _BEYOND_ALL, status, limit + 1)
        items = [ExperimentOut.model_validate(row) for row in rows[:limit]]
        return ExperimentPage(items=items, next_cursor=str(items[-1].id) if len(rows) > limit else None)

    async def _changed(
        self, connection: Connection, key: str, before: Row | None, action: str, actor: Actor
    ) -> Row:
        """Leave version, outbox message and audit entry of a change, in its transaction."""
        after = _found(await repository.read_one(connection, key))
        snapshot = encode_message(snapshot_of(after, datetime.now(UTC)))
        await repository.insert_version(
            connection, after["id"], after["version"], snapshot, actor.name, action
        )
        await record(connection, actor, Change(action, "experiment", key, before, after))
        row = OutboxRow(Aggregate.EXPERIMENT, str(after["id"]), Happening.EXPERIMENT_CHANGED, snapshot)
        await write_outbox(connection, [row])
        return after


def snapshot_of(row: Row, received_at: datetime) -> ExperimentMessage:
    """The experiment as it travels in the outbox."""
    return ExperimentMessage(
        experiment_id=row["id"],
        key=row["key"],
        name=row["name"],
        source=row["source"],
        unit_type=row["unit_type"],
        population=row["population"],
        status=row["status"],
        version=row["version"],
        salt=row["salt"],
        allocation=row["allocation"],
        variants=[
            VariantMessage(key=v["key"], name=v["name"], weight=v["weight"], is_control=v["is_control"])
            for v in row["variants"]
        ],
        metrics=[MetricMessage(**metric) for metric in row["metrics"]],
        started_at=None if row["started_at"] is None else format_instant(row["started_at"]),
        concluded_at=None if row["concluded_at"] is None else format_instant(row["concluded_at"]),
        received_at=format_instant(received_at),
    )


def _found(row: Row | None) -> Row:
    if row is None:
        raise Problem(404, "not_found", "There is no such experiment")
    return row


def _target(status: Status, step: Step) -> Status:
    legal = _NEXT[status]
    if step not in legal:
        names = ", ".join(legal) or "none"
        raise Problem(
            409,
            "illegal_step",
            f"A {status} experiment can't take this step; legal steps: {names}",
            members={"experiment_status": status, "legal_steps": list(legal)},
        )
    return legal[step]
