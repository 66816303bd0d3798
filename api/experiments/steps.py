"""The steps of the life cycle, taken by people or because their time has come."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from api.audit import Actor
from api.experiments import changes, repository, versions
from api.experiments.answers import DueList, DueOut, ExperimentOut
from api.experiments.registry import Registry
from api.experiments.repository import Row
from api.experiments.schemas import ConclusionIn
from api.experiments.service import locked
from api.experiments.versions import Occasion
from api.http.problems import Problem
from api.http.refusals import refuse
from api.postgres.database import Connection, Pool
from neonblue.contract.life_cycle import IllegalStep, Status, Step, due_step, next_status

log = structlog.get_logger("api.experiments")

_BY_SCHEDULE = "its scheduled time had come"


@dataclass(frozen=True, slots=True)
class LifeCycle:
    pool: Pool
    registry: Registry

    async def take(
        self, key: str, step: Step, if_match: str | None, actor: Actor, reason: str | None
    ) -> ExperimentOut:
        """Take a step.

        Raises Problem `illegal_step`, which names the legal ones, `not_ready`, `not_found`.
        """
        async with self.pool.transaction() as connection:
            before = await locked(connection, key, if_match)
            after = await _take(connection, before, step, Occasion(step, actor, reason))
        await versions.refresh(self.registry, after["id"])
        return ExperimentOut.model_validate(after)

    async def conclude(
        self, key: str, decision: ConclusionIn | None, if_match: str | None, actor: Actor
    ) -> ExperimentOut:
        """Conclude, with a decision or to decide later. Raises Problem as `take`, or for the decision."""
        if decision is None:
            return await self.take(key, Step.CONCLUDE, if_match, actor, None)
        async with self.pool.transaction() as connection:
            before = await locked(connection, key, if_match)
            _next(before, Step.CONCLUDE)
            current = ExperimentOut.model_validate(before)
            unfit = changes.decision_refusals(current, decision, "")
            if decision.release is not None:
                unfit += changes.release_refusals(current, decision.release, "release.")
            if unfit:
                raise refuse(422, unfit)
            await repository.set_decision(connection, before["id"], versions.decided(decision, actor))
            release = decision.release or changes.release_by(current, decision)
            await repository.set_release(connection, before["id"], release.model_dump() if release else None)
            occasion = Occasion(Step.CONCLUDE, actor, decision.reason)
            after = await _take(connection, before, Step.CONCLUDE, occasion)
        await versions.refresh(self.registry, after["id"])
        return ExperimentOut.model_validate(after)

    async def take_due(self, actor: Actor) -> DueList:
        """Take the steps whose scheduled time has come. One that can't be taken is told and stops no other."""
        async with self.pool.connection() as connection:
            keys = await repository.read_due(connection)
        items = [item for key in keys if (item := await self._take_due(key, actor)) is not None]
        return DueList(items=items)

    async def _take_due(self, key: str, actor: Actor) -> DueOut | None:
        """None: someone else was quicker."""
        step = before = None
        try:
            async with self.pool.transaction() as connection:
                before = await locked(connection, key, None)
                step = due_step(
                    Status(before["status"]),
                    before["scheduled_start_at"],
                    before["scheduled_stop_at"],
                    datetime.now(UTC),
                )
                if step is None:
                    return None
                after = await _take(connection, before, step, Occasion(step, actor, _BY_SCHEDULE))
        except Problem as problem:
            if step is None or before is None:
                return None
            log.warning("due_step_failed", experiment=key, step=step, code=problem.code)
            return DueOut(
                key=key, step=step, status=before["status"], version=before["version"], code=problem.code,
                message=problem.detail,
            )  # fmt: skip
        await versions.refresh(self.registry, after["id"])
        return DueOut(key=key, step=step, status=after["status"], version=after["version"])


async def _take(connection: Connection, before: Row, step: Step, occasion: Occasion) -> Row:
    status = _next(before, step)
    _check_ready(before, step)
    await repository.set_status(connection, before["id"], status)
    return await versions.keep_version(connection, before, before["key"], occasion)


def _next(before: Row, step: Step) -> Status:
    status = Status(before["status"])
    try:
        return next_status(status, step)
    except IllegalStep as error:
        members = {"experiment_status": status, "legal_steps": error.legal}
        raise Problem(409, "illegal_step", str(error), members=members) from None


def _check_ready(before: Row, step: Step) -> None:
    """Whether the dates allow the step."""
    now = datetime.now(UTC)
    start, stop = before["scheduled_start_at"], before["scheduled_stop_at"]
    if step is Step.SCHEDULE and (start is None or start <= now):
        raise Problem(
            409, "not_ready", "To schedule it, set a start later than now", field="scheduled_start_at"
        )
    if step in (Step.SCHEDULE, Step.START, Step.RESUME) and stop is not None and stop <= now:
        raise Problem(409, "not_ready", "Its stop has passed: set a later one", field="scheduled_stop_at")
