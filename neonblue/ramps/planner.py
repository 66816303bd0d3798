"""What a ramp does next. One function, which takes values and returns the next action."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from neonblue.ramps.plan import Ramp


class Action(StrEnum):
    """What is to be done now."""

    WAIT = "wait"
    ADVANCE = "advance"
    HOLD = "hold"
    PAUSE = "pause"
    ROLL_BACK = "roll_back"
    CONCLUDE = "conclude"


NOT_JUDGED = "its guardrails can't be judged yet: the models are away, or have not counted all of its time"
"""Why it waits whose guardrails nobody has seen."""
_ON_BREACH = (Action.ROLL_BACK, Action.PAUSE, Action.HOLD)
"""The one that takes most back goes first where several guardrails are breached."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a ramp is. share: what is served now, in basis points, which a person may have raised.

    position: how many steps were taken. since: when the share became what it is; None: not known. held: why it was
    held; None: it was not. runs: whether it is live; takes_in: whether new units get in, without which a larger share
    changes nothing.
    """

    share: int
    position: int
    since: datetime | None
    held: str | None = None
    runs: bool = True
    takes_in: bool = True


@dataclass(frozen=True, slots=True)
class Breached:
    """A guardrail that is breached. action: `alert`, `hold`, `pause` or `roll_back`."""

    action: str
    reason: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was seen. units: how many are in; breached: the guardrails that are. None: it could not be read.

    What has no control to be compared with, such as a release, has no guardrail and its steps name no units: it goes
    by time alone.
    """

    units: int | None
    breached: Sequence[Breached] | None


@dataclass(frozen=True, slots=True)
class Next:
    """The next action, and why. share, position: after an advance. until: how long it waits at least, where known."""

    action: Action
    why: str
    share: int | None = None
    position: int | None = None
    until: datetime | None = None


def next_action(ramp: Ramp, standing: Standing, now: datetime, evidence: Evidence) -> Next:
    """The next step where its time and units are reached and every guardrail holds; else why it waits.

    A breach is acted on also while the ramp is held. What is not known waits. A clock that went back waits longer.
    """
    if not standing.runs:
        return _wait("it does not run")
    if evidence.breached:
        return _on_breach(evidence.breached, standing)
    if standing.held is not None:
        return _wait(f"it is held: {standing.held}")
    if not standing.takes_in:
        return _wait("its enrolment is closed: a larger share would take in nobody")
    position = max(standing.position, ramp.reached(standing.share))
    if position == len(ramp.steps) and not ramp.concludes:
        return _wait("every step is taken")
    return _unready(ramp, standing, position, now, evidence) or _forward(ramp, position)


def outlook(ramp: Ramp, standing: Standing) -> Next | None:
    """The next step if nothing speaks against it; None: there is none. until: when its time comes, where known."""
    position = max(standing.position, ramp.reached(standing.share))
    if position == len(ramp.steps) and not ramp.concludes:
        return None
    until = standing.since + ramp.steps[position - 1].hold if position and standing.since else None
    return replace(_forward(ramp, position), until=until)


def _on_breach(breached: Sequence[Breached], standing: Standing) -> Next:
    for action in _ON_BREACH:
        reasons = [one.reason for one in breached if one.action == action]
        if reasons and not (action is Action.HOLD and standing.held is not None):
            return Next(action, "; ".join(reasons))
    return _wait("; ".join(one.reason for one in breached))


def _unready(ramp: Ramp, standing: Standing, position: int, now: datetime, evidence: Evidence) -> Next | None:
    """Why the next step can't be taken yet. Before the first one nothing is to be waited for but the guardrails."""
    step = ramp.steps[position - 1] if position else None
    if step is not None:
        if standing.since is None:
            return _wait("it is not known since when its share is what it is")
        until = standing.since + step.hold
        if now < until:
            return Next(Action.WAIT, f"step {position} holds until then", until=until)
    if evidence.breached is None:
        return _wait(NOT_JUDGED)
    if step is not None and step.units is not None:
        if evidence.units is None:
            return _wait("its units can't be counted now")
        if evidence.units < step.units:
            return _wait(f"{evidence.units} of {step.units} units are in")
    return None


def _forward(ramp: Ramp, position: int) -> Next:
    if position == len(ramp.steps):
        return Next(Action.CONCLUDE, "its last step has held")
    step = ramp.steps[position]
    why = f"step {position + 1} of {len(ramp.steps)}, {step.share / 100:g} %"
    return Next(Action.ADVANCE, why, share=step.share, position=position + 1)


def _wait(why: str) -> Next:
    return Next(Action.WAIT, why)
