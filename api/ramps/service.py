"""Ramps: what people say of them, and the next step where it is due."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from api.audit import Actor
from api.experiments import ramp_state, repository, versions
from api.experiments.answers import ExperimentOut
from api.experiments.ramp_fields import RampOut
from api.experiments.registry import Registry
from api.experiments.repository import Row
from api.experiments.schemas import DecisionIn
from api.experiments.service import locked
from api.experiments.steps import conclude_with, take_step
from api.experiments.versions import Occasion
from api.http.problems import Problem, found
from api.postgres.database import Connection, Pool
from api.ramps.progress import planned, progress_of, standing_of
from api.ramps.schemas import RampDone, RampEvidence, RampProgress
from neonblue.contract.life_cycle import Status, Step
from neonblue.guardrails.actions import action_of
from neonblue.ramps.planner import Action, Breached, Evidence, Next, next_action, outlook

_MOVED_ON = Next(Action.WAIT, "the ramp has moved on since this was seen")
_STEP = "ramp"

Word = Literal["hold", "continue", "skip", "back"]
"""What a person says of a ramp."""


@dataclass(frozen=True, slots=True)
class RampService:
    pool: Pool
    registry: Registry

    async def show(self, key: str) -> RampProgress:
        """Raises Problem `not_found`, also where the experiment has no ramp."""
        async with self.pool.connection() as connection:
            row = found(await repository.read_one(connection, key), "experiment")
            found(row["ramp"], "ramp")
            return progress_of(row, await ramp_state.clock(connection))

    async def say(
        self, key: str, word: Word, reason: str, if_match: str | None, actor: Actor
    ) -> ExperimentOut:
        """Do what a person says of the ramp.

        Raises Problem `not_found`, `not_running`, `ramp_held`, `ramp_not_held`, `ramp_finished`, or of `require_match`.
        """
        async with self.pool.transaction() as connection:
            before = await locked(connection, key, if_match)
            found(before["ramp"], "ramp")
            if before["status"] != Status.RUNNING:
                message = f"Only the ramp of what runs can be steered; the experiment is {before['status']}"
                raise Problem(409, "not_running", message)
            await _WORDS[word](connection, before, reason)
            occasion = Occasion(f"{_STEP}_{word}", actor, reason)
            after = await versions.keep_version(connection, before, key, occasion)
        await versions.refresh(self.registry, after["id"])
        return ExperimentOut.model_validate(after)

    async def take_due(self, key: str, seen: RampEvidence, actor: Actor) -> RampDone:
        """Do what is due by what was seen, at most once: whoever saw the step before changes nothing any more.

        Raises Problem `not_found`.
        """
        async with self.pool.transaction() as connection:
            before = await locked(connection, key, None)
            ramp = RampOut.model_validate(found(before["ramp"], "ramp"))
            if seen.position != ramp.position:
                return _done(before, _MOVED_ON)
            now = await ramp_state.clock(connection)
            step = next_action(ramp.plan, standing_of(before), now, _evidence(seen, ramp))
            after = await _carry_out(connection, before, step, seen, actor)
        if after is not before:
            await versions.refresh(self.registry, after["id"])
        return _done(after, step)


def _evidence(seen: RampEvidence, ramp: RampOut) -> Evidence:
    if seen.breached is None:
        return Evidence(seen.units, None)
    breached = [
        Breached(action_of(breach.on_breach, ramp.on_breach), breach.reason) for breach in seen.breached
    ]
    return Evidence(seen.units, breached)


async def _carry_out(
    connection: Connection, before: Row, step: Next, seen: RampEvidence, actor: Actor
) -> Row:
    """The experiment after it; the same where nothing was to be done."""
    number = before["id"]
    if step.action is Action.WAIT:
        if before["ramp"]["waits"] != step.why:
            await ramp_state.note(connection, number, step.why)
        return before
    if step.action in (Action.PAUSE, Action.ROLL_BACK):
        taken = Step(step.action)
        return await take_step(connection, before, taken, Occasion(taken, actor, step.why))
    if step.action is Action.CONCLUDE:
        chosen = before["ramp"]["release_at_end"]["variant_key"]
        reason = f"the ramp's last step has held, as was chosen beforehand: {_seen(seen)}"
        decision = DecisionIn(outcome="ship", variant_key=chosen, reason=reason)
        return await conclude_with(connection, before, decision, actor)
    if step.action is Action.HOLD:
        await ramp_state.hold(connection, number, step.why)
        return await versions.keep_version(
            connection, before, before["key"], Occasion(f"{_STEP}_hold", actor, step.why)
        )
    await _advance(connection, before, step)
    occasion = Occasion(_STEP, actor, f"{step.why}: {_seen(seen)}")
    return await versions.keep_version(connection, before, before["key"], occasion)


def _seen(seen: RampEvidence) -> str:
    units = "" if seen.units is None else f"{seen.units} units in, "
    return f"{units}no guardrail is breached"


async def _advance(connection: Connection, before: Row, step: Next) -> None:
    if step.share is None or step.position is None:
        raise RuntimeError("a step without a share")
    await ramp_state.advance(connection, before["id"], step.position, step.share)


def _done(row: Row, step: Next) -> RampDone:
    return RampDone(
        key=row["key"],
        action=step.action,
        why=step.why,
        status=row["status"],
        version=row["version"],
        allocation=row["allocation"],
        position=row["ramp"]["position"],
    )


async def _hold(connection: Connection, before: Row, reason: str) -> None:
    if before["ramp"]["held"] is not None:
        raise Problem(409, "ramp_held", "It is held already: continue lets it go on")
    await ramp_state.hold(connection, before["id"], reason)


async def _continue(connection: Connection, before: Row, _: str) -> None:
    if before["ramp"]["held"] is None:
        raise Problem(409, "ramp_not_held", "It is not held: it takes its next step by itself")
    await ramp_state.hold(connection, before["id"], None)
    await ramp_state.reopen(connection, before["id"])


async def _skip(connection: Connection, before: Row, _: str) -> None:
    step = outlook(planned(before), standing_of(before))
    if step is None or step.action is not Action.ADVANCE:
        raise Problem(409, "ramp_finished", "Every step is taken: conclude the experiment to end it")
    await _advance(connection, before, step)
    await ramp_state.reopen(connection, before["id"])


async def _back(connection: Connection, before: Row, reason: str) -> None:
    """Who has a variant keeps it, so what can be taken back is who comes next."""
    if before["ramp"]["held"] is not None and before["enrolment"] == "closed":
        raise Problem(409, "ramp_held", "It is taken back already: continue undoes it")
    await ramp_state.hold(connection, before["id"], reason)
    if before["enrolment"] == "open":
        await ramp_state.close(connection, before["id"])


_WORDS: dict[Word, Callable[[Connection, Row, str], Awaitable[None]]] = {
    "hold": _hold,
    "continue": _continue,
    "skip": _skip,
    "back": _back,
}
