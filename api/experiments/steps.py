"""The steps of the life cycle, taken by people or because their time has come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from api.audit import Actor
from api.demand.service import Demand
from api.experiments import changes, ramp_state, repository, versions, watching
from api.experiments.answers import DueList, DueOut, ExperimentOut
from api.experiments.readiness import ChecklistItem, blocking, entry_of, fitness_items
from api.experiments.registry import Registry
from api.experiments.releasing import next_step
from api.experiments.repository import Row
from api.experiments.schemas import ArchiveIn, ConclusionIn, DecisionIn
from api.experiments.seen import read_matches
from api.experiments.service import locked
from api.experiments.versions import Occasion
from api.http.problems import Problem
from api.http.refusals import refuse
from api.postgres.database import Connection, Pool
from neonblue.contract.life_cycle import (
    STARTED,
    IllegalStep,
    Status,
    Step,
    due_step,
    legal_steps,
    next_status,
)

log = structlog.get_logger("api.experiments")

_BY_SCHEDULE = "its scheduled time had come"
_WATCH = "watch"
_RELEASE = "release"
_BY_CATALOGUE = "the metrics that the catalogue watches have changed"


@dataclass(frozen=True, slots=True)
class LifeCycle:
    pool: Pool
    registry: Registry
    demand: Demand

    async def take(
        self,
        key: str,
        step: Step,
        if_match: str | None,
        actor: Actor,
        reason: str | None,
        *,
        force: bool = False,
    ) -> ExperimentOut:
        """Take a step. force: start in spite of what is blocking.

        Raises Problem `illegal_step`, which names the legal ones, `not_ready`, `not_found`.
        """
        async with self.pool.transaction() as connection:
            before = await locked(connection, key, if_match)
            after = await take_step(connection, before, step, Occasion(step, actor, reason), force=force)
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
            after = await conclude_with(connection, before, decision, actor)
        await versions.refresh(self.registry, after["id"])
        return ExperimentOut.model_validate(after)

    async def archive(
        self, key: str, why: ArchiveIn | None, if_match: str | None, actor: Actor
    ) -> ExperimentOut:
        """Archive. Raises Problem as `take`, and `still_evaluated` where its key is in use and nothing is forced."""
        why = why or ArchiveIn()
        async with self.pool.transaction() as connection:
            before = await locked(connection, key, if_match)
            _next(before, Step.ARCHIVE)
            if not why.force:
                await self.demand.refuse_in_use(connection, before["id"])
            after = await take_step(
                connection, before, Step.ARCHIVE, Occasion(Step.ARCHIVE, actor, why.reason)
            )
        await versions.refresh(self.registry, after["id"])
        return ExperimentOut.model_validate(after)

    async def take_due(self, actor: Actor) -> DueList:
        """Take the steps whose scheduled time has come, also of releases that grow, and have experiments follow what
        the catalogue watches.

        One that can't be taken is told and stops no other.
        """
        async with self.pool.connection() as connection:
            keys = await repository.read_due(connection)
            now = await ramp_state.clock(connection)
            growing = [
                row["key"]
                for row in await repository.read_growing(connection)
                if next_step(row, now) is not None
            ]
            behind = await watching.read_behind(connection)
        items = [item for key in keys if (item := await self._take_due(key, actor)) is not None]
        items += [item for key in growing if (item := await self._grow(key, actor)) is not None]
        items += [item for key in behind if (item := await self._follow(key, actor)) is not None]
        return DueList(items=items)

    async def _grow(self, key: str, actor: Actor) -> DueOut | None:
        """Take the next step of a release's ramp; None: someone else was quicker."""
        try:
            async with self.pool.transaction() as connection:
                before = await locked(connection, key, None)
                step = next_step(before, await ramp_state.clock(connection))
                if step is None:
                    return None
                await repository.set_release(connection, before["id"], step.release)
                occasion = Occasion(_RELEASE, actor, step.why)
                after = await versions.keep_version(connection, before, key, occasion)
        except Problem as problem:
            log.warning("release_step_failed", experiment=key, code=problem.code)
            return None
        await versions.refresh(self.registry, after["id"])
        return DueOut(key=key, step=_RELEASE, status=after["status"], version=after["version"])

    async def _follow(self, key: str, actor: Actor) -> DueOut | None:
        """Have a started experiment be watched by what the catalogue says; None: someone else was quicker."""
        try:
            async with self.pool.transaction() as connection:
                before = await locked(connection, key, None)
                if before["status"] not in STARTED:
                    return None
                if not await watching.follow(connection, before["id"], before["version"] + 1):
                    return None
                after = await versions.keep_version(
                    connection, before, key, Occasion(_WATCH, actor, _BY_CATALOGUE)
                )
        except Problem as problem:
            log.warning("watch_failed", experiment=key, code=problem.code)
            return None
        await versions.refresh(self.registry, after["id"])
        return DueOut(key=key, step=_WATCH, status=after["status"], version=after["version"])

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
                after = await take_step(connection, before, step, Occasion(step, actor, _BY_SCHEDULE))
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


async def conclude_with(
    connection: Connection, before: Row, decision: DecisionIn | ConclusionIn, actor: Actor
) -> Row:
    """Conclude with the decision, and release what it says or what follows from it.

    In the caller's transaction and under its lock. Raises Problem as `take_step`, or for the decision.
    """
    _next(before, Step.CONCLUDE)
    current = ExperimentOut.model_validate(before)
    given = decision.release if isinstance(decision, ConclusionIn) else None
    unfit = changes.decision_refusals(current, decision, "")
    if given is not None:
        unfit += changes.release_refusals(current, given, "release.")
    if unfit:
        raise refuse(422, unfit)
    await repository.set_decision(connection, before["id"], versions.decided(decision, actor))
    now = await ramp_state.clock(connection)
    release = changes.release_by(current, decision) if given is None else given.stored(now)
    await repository.set_release(connection, before["id"], release)
    return await take_step(connection, before, Step.CONCLUDE, Occasion(Step.CONCLUDE, actor, decision.reason))


async def take_step(
    connection: Connection, before: Row, step: Step, occasion: Occasion, *, force: bool = False
) -> Row:
    """Take the step, in the caller's transaction and under its lock. force: start in spite of what is blocking.

    Raises Problem `illegal_step`, `not_ready`.
    """
    status = _next(before, step)
    _check_ready(before, step)
    hindering = await _hindering(connection, before) if step is Step.START else []
    if hindering and not force:
        raise _not_ready(hindering)
    await repository.set_status(connection, before["id"], status)
    await _set_what_follows(connection, before, step)
    told = {"forced": {"before": None, "after": [item.code for item in hindering]}} if hindering else None
    return await versions.keep_version(connection, before, before["key"], occasion, told)


async def _hindering(connection: Connection, row: Row) -> list[ChecklistItem]:
    """What makes a start worthless or harmful for certain."""
    matches = await read_matches(connection, row["unit_type"], row["targeting"])
    return blocking(fitness_items(ExperimentOut.model_validate(row), entry_of(row), matches))


def _not_ready(items: Sequence[ChecklistItem]) -> Problem:
    found = "; ".join(f"{item.headline} ({item.cause})" for item in items)
    return Problem(
        409,
        "not_ready",
        f"It is not fit to start: {found}. Mend it, or start it with `force` and a `reason`",
        members={"items": [item.model_dump(mode="json") for item in items]},
    )


async def _set_what_follows(connection: Connection, before: Row, step: Step) -> None:
    """What changes beside the status: the enrolment, where a ramp is, and what is watched."""
    if step is Step.ROLL_BACK:
        await repository.roll_back(connection, before["id"])
    elif step is Step.START:
        await ramp_state.begin(connection, before["id"])
        if before["source"] == "internal":
            await watching.begin(connection, before["id"], before["version"] + 1)
    elif step is Step.RESUME:
        await repository.undo_roll_back(connection, before["id"])
        await ramp_state.hold_anew(connection, before["id"])


def _next(before: Row, step: Step) -> Status:
    status = Status(before["status"])
    if step is Step.ROLL_BACK and (why := _not_rolled_back(before)):
        legal = [one for one in legal_steps(status) if one is not step]
        members = {"experiment_status": status, "legal_steps": legal}
        raise Problem(409, "illegal_step", why, members=members)
    try:
        return next_status(status, step)
    except IllegalStep as error:
        members = {"experiment_status": status, "legal_steps": error.legal}
        raise Problem(409, "illegal_step", str(error), members=members) from None


def _not_rolled_back(before: Row) -> str | None:
    """Why it can't be rolled back, in whatever status."""
    if before["source"] == "external":
        return "An import serves nobody: there is nothing to roll back"
    return None if before["rolled_back_from"] is None else "It is rolled back already: resume undoes it"


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
